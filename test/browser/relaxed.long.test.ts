// A page that says nothing of relaxed SIMD gets that build of the core where it is worth it, byte for byte, under a policy
// that allows nothing but its own scripts and WebAssembly.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { serve } from "../../.tools/serve.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const relaxed = readFileSync(`${root}build/core-relaxed.wasm`);

const PAGE = `
  const compiled = [];
  const { compile } = WebAssembly;
  WebAssembly.compile = async (bytes) => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    compiled.push([bytes.length, Array.from(digest, (byte) => (byte + 256).toString(16).slice(1)).join("")]);
    return compile(bytes);
  };
  import { generateKeyPair, seal } from "./build/browser.js";
  import { loadCore } from "./build/core/index.js";
  const { publicKey } = await generateKeyPair({ bits: 2048 });
  const sealed = async (size) => (await (await seal(new Uint8Array(size), { to: [publicKey] })).bytes()).length;
  const lengths = [await sealed(10), await sealed(5 << 20), await sealed(10)];
  await loadCore();
  globalThis.answer = { compiled, lengths };`;

test("a page has the relaxed-SIMD build without asking for it", async () => {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: root },
    ...{ bundle: true, splitting: true, format: "esm", platform: "browser", write: false },
    ...{ outdir: "/", entryNames: "main", logLevel: "silent" },
  });
  const server = await serve(`${root}build/site`, {
    headers: {
      "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
    },
    files: {
      "/": '<!doctype html><title>page</title><script type="module" src="/main.js"></script>',
      ...Object.fromEntries(outputFiles.map(({ path, text }) => [path, text])),
    },
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction(() => "answer" in globalThis);
    const { compiled, lengths } = (await page.evaluate("globalThis.answer")) as {
      compiled: [number, string][];
      lengths: number[];
    };
    expect(lengths.every((length) => length > 16_384)).toBe(true);
    // What is at hand for the first file, what is worth it for the second and the third, and all of it for loadCore.
    expect(compiled.length).toBe(3);
    const sizes = compiled.map(([size]) => size);
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    expect(compiled[2]).toEqual([
      relaxed.length,
      createHash("sha256").update(relaxed).digest("hex"),
    ]);
  } finally {
    await browser.close();
    await server.close();
  }
});
