import { gunzipSync } from "node:zlib";
import { hasRelaxedSimd, loadCore } from "twinwrap/core";
import { expect, test } from "vitest";
import { shipped } from "../ct/build.js";

// core.relaxed.test.ts loads it.
test.skipIf(hasRelaxedSimd())("a build that the engine lacks is refused by name", async () => {
  await expect(loadCore({ build: "relaxed" })).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("relaxed"),
  });
});

test.each([
  ["core", "embedded"],
  ["core-aes", "embedded-aes"],
])("what browsers find embedded is what Node reads: %s", async (file, module) => {
  const { embedded } = await import(new URL(`../../build/core/${module}.js`, import.meta.url).href);
  expect(Buffer.compare(gunzipSync(Buffer.from(embedded, "base64")), shipped(file))).toBe(0);
});

test("the WebAssembly may be handed in: bytes, a module, a response", async () => {
  const bytes = shipped();
  const response = () => new Response(bytes, { headers: { "content-type": "application/wasm" } });
  for (const wasm of [
    bytes,
    new WebAssembly.Module(bytes),
    response(),
    Promise.resolve(response()),
  ]) {
    const core = await loadCore({ wasm });
    expect(core.sha256(new Uint8Array(0))[0]).toBe(0xe3);
  }
});
