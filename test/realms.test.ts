// Two realms in one process, as Jest and frames make them: the library lives in one, what it is given in the other.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { build } from "esbuild";
import * as library from "twinwrap";
import * as escrow from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { preparedKeys } from "./prepared-keys.cjs";
import { type Realm, workInRealm } from "./realm-body.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const [pem] = preparedKeys(2048);

/** The platform's own, which a realm of vm has not. */
const PLATFORM = [
  ...[
    "AbortController",
    "AbortSignal",
    "Blob",
    "DecompressionStream",
    "ReadableStream",
    "Response",
  ],
  ...["TextDecoder", "TextEncoder", "URL", "clearTimeout", "crypto", "fetch", "setTimeout"],
];

let code: string;
beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents:
        'export * from "./build/browser.js"; export * as escrow from "./build/escrow/index.js";',
      resolveDir: root,
    },
    bundle: true,
    format: "iife",
    globalName: "twinwrap",
    platform: "browser",
    write: false,
  });
  code = outputFiles[0]!.text;
});

type Context = Record<string, unknown> & {
  twinwrap: typeof library & { escrow: typeof escrow };
  Uint8Array: Uint8ArrayConstructor;
};

/** A realm of its own. @param before is run in it before the library is loaded */
function newRealm({ wasm = true, before = "", without = "" } = {}): Context {
  const names = PLATFORM.filter((name) => name !== without);
  const context = vm.createContext(
    Object.fromEntries(names.map((name) => [name, globalThis[name as keyof typeof globalThis]])),
    { codeGeneration: { strings: false, wasm } },
  );
  vm.runInContext(`${before};${code}`, context);
  return { ...vm.runInContext("({ Uint8Array, twinwrap })", context), context } as Context;
}

const ours: Realm = {
  bytes: (data) => new Uint8Array(data),
  buffer: (data) => new Uint8Array(data).buffer as ArrayBuffer,
  blob: (data) => new Blob([new Uint8Array(data)]),
  stream: (data) => new Blob([new Uint8Array(data)]).stream(),
  abort: () => AbortSignal.abort(),
};

test("the library in another realm, given what is ours", async () => {
  const { twinwrap } = newRealm();
  await workInRealm(twinwrap, twinwrap.escrow, ours, pem!);
});

test("the library here, given what is of another realm", async () => {
  const { Uint8Array: Theirs } = newRealm();
  expect(new Theirs(1) instanceof Uint8Array).toBe(false);
  const bytes = (data: Uint8Array) => new Theirs(data);
  const buffer = (data: Uint8Array) => bytes(data).buffer as ArrayBuffer;
  await workInRealm(library, escrow, { bytes, buffer }, pem!);
});

describe("a realm that may not compile WebAssembly", () => {
  test("UNSUPPORTED says what to do", async () => {
    const { twinwrap } = newRealm({ wasm: false });
    const key = await twinwrap.readPrivateKey(pem!);
    for (const work of [
      () => twinwrap.loadCore(),
      () => twinwrap.loadCore({ wasm: readFileSync(`${root}build/core.wasm`) }),
      () => twinwrap.seal(new Uint8Array(3), { to: [key] }),
      () => twinwrap.workerPool({ jobs: 1 }).start(),
    ]) {
      await expect(work()).rejects.toMatchObject({
        name: "TwinwrapError",
        code: "UNSUPPORTED",
        message: expect.stringMatching(/not allowed here.*wasm-unsafe-eval.*useWasm/),
      });
    }
  });

  test("works with a module that was compiled elsewhere", async () => {
    const { twinwrap } = newRealm({ wasm: false });
    twinwrap.useWasm(new WebAssembly.Module(readFileSync(`${root}build/core.wasm`)));
    await workInRealm(twinwrap, twinwrap.escrow, ours, pem!);
  });
});

describe("an engine that lacks something", () => {
  const work = async ({ twinwrap }: Context) => {
    const key = await twinwrap.readPrivateKey(pem!);
    const sealed = await (await twinwrap.seal(new Uint8Array(3), { to: [key] })).bytes();
    return (await (await twinwrap.open(sealed, { key })).bytes()).length;
  };

  test.each([
    ["WebAssembly", { before: "delete globalThis.WebAssembly" }],
    ["WebAssembly SIMD", { before: "WebAssembly.validate = () => false" }],
    ["DecompressionStream", { without: "DecompressionStream" }],
  ])("without %s: UNSUPPORTED names it", async (name, missing) => {
    await expect(work(newRealm(missing))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining(`no ${name}`),
    });
  });

  test("memory that WebAssembly does not get: UNSUPPORTED, whatever the engine calls it", async () => {
    for (const error of ["RangeError", "Error", "EvalError"]) {
      const before = `WebAssembly.instantiate = async () => { throw new ${error}("out of memory"); }`;
      await expect(work(newRealm({ before }))).rejects.toMatchObject({
        code: "UNSUPPORTED",
        message: expect.stringMatching(/no room.*out of memory/),
      });
    }
  });

  test("what failed can be tried again", async () => {
    const before = `let times = 0; const { compile } = WebAssembly;
      WebAssembly.compile = (bytes) => times++ === 0 ? Promise.reject(new RangeError("no memory now")) : compile(bytes);`;
    const realm = newRealm({ before });
    await expect(work(realm)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await work(realm)).toBe(3);
  });

  // Younger than the core's SIMD or than DecompressionStream somewhere, or gone in a worker: nothing here needs them.
  test.each(["AbortController", "AbortSignal", "Blob", "Response", "fetch"])(
    "without %s it works",
    async (without) => {
      expect(await work(newRealm({ without }))).toBe(3);
    },
  );
});
