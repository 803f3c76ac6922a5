// The core's suites in a page: `runSuites(build)` answers what became of each test.
import { loadAes } from "twinwrap/aes";
import { loadCore } from "twinwrap/core";
import { aesSuite } from "../../core/suite-aes.js";
import { gcmSuite } from "../../core/suite-gcm.js";
import { hashSuite } from "../../core/suite-hash.js";
import { rsaSuite } from "../../core/suite-rsa.js";
import { rsaBlocksSuite } from "../../core/suite-rsa-blocks.js";
import { expect, type Outcome, run, test } from "./vitest.js";

const BUILDS = {
  simd: () => whole("core.wasm"),
  relaxed: () => whole("core-relaxed.wasm"),
  aes: () => gcmSuite(() => loadAes()),
  /** Everything here is wrong, and has to be found out. */
  wrong() {
    test("toBe", () => expect(1).toBe(2));
    test("toEqual", () => expect({ a: [1, 2] }).toEqual({ a: [1, 3] }));
    test("toEqual, one more", () => expect({ a: 1, b: 2 }).toEqual({ a: 1 }));
    test("toThrow, nothing", () => expect(() => {}).toThrow());
    test("toThrow, another", () =>
      expect(() => {
        throw Object.assign(new Error(), { code: "A" });
      }).toThrow(expect.objectContaining({ code: "B" })));
    test.each([1])("fail", () => expect.fail("so"));
    test("later", async () => {
      await undefined;
      expect(true).toBe(false);
    });
  },
};

async function whole(file: string): Promise<void> {
  const wasm = await WebAssembly.compileStreaming(fetch(`/${file}`));
  aesSuite({ wasm });
  gcmSuite(() => loadCore({ wasm }));
  hashSuite({ wasm });
  rsaSuite({ wasm });
  rsaBlocksSuite({ wasm });
}

Object.assign(globalThis, {
  async runSuites(build: keyof typeof BUILDS): Promise<Outcome[]> {
    await BUILDS[build]();
    return run();
  },
});
