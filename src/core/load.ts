import { readWasm } from "#wasm";
import {
  type Bytes,
  isObject,
  type Kind,
  needBytes,
  oneOf,
  optionsOf,
  wrongKind,
} from "../arguments.js";
import { fromBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { WasmFile } from "./wasm.js";

/** The builds of the core that exist. */
export type CoreBuild = "simd" | "relaxed";

/** Where the core's WebAssembly comes from. */
export interface LoadOptions {
  /**
   * Which build: "simd" runs everywhere, "relaxed" (relaxed SIMD) is a tenth faster. By default the best
   * that the engine has and that is at hand: in a browser "relaxed" only with its URL as `wasm`.
   */
  build?: CoreBuild;
  /**
   * The WebAssembly itself, or where it is fetched from, to be compiled as it comes; by default the embedded
   * copy, and in Node the package's file.
   */
  wasm?: WebAssembly.Module | Response | PromiseLike<Response> | URL | Bytes;
}

type Wasm = NonNullable<LoadOptions["wasm"]>;

function isModule(value: unknown): value is WebAssembly.Module {
  try {
    WebAssembly.Module.exports(value as WebAssembly.Module);
    return true;
  } catch {
    return false;
  }
}

const isResponse = (value: unknown): value is Response =>
  isObject(value) && "arrayBuffer" in value && "headers" in value;
const isUrl = (value: unknown): value is URL =>
  isObject(value) && "href" in value && typeof value.href === "string";
const isPromise = (value: unknown): value is PromiseLike<Response> =>
  isObject(value) && "then" in value && typeof value.then === "function";

/** @throws TwinwrapError BAD_ARGUMENT unless it is one of the things that a core can be compiled from */
export const needWasm: Kind<Wasm> = (value, what) => {
  if (isModule(value) || isResponse(value) || isUrl(value) || isPromise(value)) return value;
  if (typeof value !== "string") return needBytes(value, what);
  throw wrongKind(value, what, "a URL object, a Response, bytes or a WebAssembly.Module");
};

const LOAD = optionsOf<LoadOptions>({ build: oneOf("simd", "relaxed"), wasm: needWasm });

// (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)): valid only with SIMD128.
const SIMD_PROBE = "AGFzbQEAAAABBQFgAAF7AwIBAAoKAQgAQQD9D/1iCw==";
// The same with another i32.const 0 i8x16.splat and i8x16.relaxed_swizzle in place of i8x16.popcnt.
const RELAXED_PROBE = "AGFzbQEAAAABBQFgAAF7AwIBAAoPAQ0AQQD9D0EA/Q/9gAIL";

const isValid = (probe: string) =>
  typeof WebAssembly === "object" && WebAssembly.validate(fromBase64(probe));

/** Whether this engine takes the relaxed-SIMD build. */
export function hasRelaxedSimd(): boolean {
  return isValid(RELAXED_PROBE);
}

/** A core that can be compiled. */
export interface CoreSource {
  /** Gzipped, in base64. */
  embedded: string;
  simd: WasmFile;
  relaxed?: WasmFile;
  /** Something that a core must export to serve in its place. */
  exports: string;
}

/** Every file is compiled once and shared by all instances. */
const compiled = new Map<WasmFile, Promise<WebAssembly.Module | undefined>>();

/** The compiled file, or what `other` gives where the file is not at hand. */
async function compileFile(
  file: WasmFile,
  other: () => Promise<BufferSource | undefined>,
): Promise<WebAssembly.Module | undefined> {
  const compile = async () => {
    const bytes = (await readWasm(file)) ?? (await other());
    return bytes && WebAssembly.compile(bytes);
  };
  let module = compiled.get(file);
  if (module === undefined) {
    module = compile();
    compiled.set(file, module);
  }
  return module;
}

async function unpack(embedded: string): Promise<ArrayBuffer> {
  if (embedded === "") {
    throw new TwinwrapError(
      "UNSUPPORTED",
      'this bundle holds no copy of the core (condition "twinwrap-wasm-url"): call useWasm with its URL first',
    );
  }
  const packed = new Blob([fromBase64(embedded)]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/**
 * Compiles the core.
 * @throws TwinwrapError BAD_ARGUMENT; UNSUPPORTED if the engine has no WebAssembly SIMD, or not the build asked for
 */
export async function compileCore(
  source: CoreSource,
  options: LoadOptions,
): Promise<WebAssembly.Module> {
  const { build, wasm } = LOAD(options, "options");
  if (!isValid(SIMD_PROBE)) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "this engine has no WebAssembly SIMD; Twinwrap needs Node 20, Chrome 91, Firefox 89, Safari 16.4 or newer",
    );
  }
  if (build === "relaxed" && !hasRelaxedSimd()) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "this engine has no relaxed SIMD; Node has it from 22 on (Node 20: --experimental-wasm-relaxed-simd), Chrome from 114",
    );
  }
  if (wasm === undefined) {
    if (source.relaxed !== undefined && build !== "simd" && hasRelaxedSimd()) {
      const module = await compileFile(source.relaxed, async () => undefined);
      if (module !== undefined) return module;
    }
    if (build === "relaxed") {
      throw new TwinwrapError(
        "UNSUPPORTED",
        "the relaxed-SIMD build is not at hand here: give its URL as `wasm` (twinwrap/core-relaxed.wasm)",
      );
    }
    return (await compileFile(source.simd, () => unpack(source.embedded)))!;
  }
  const module = isModule(wasm) ? wasm : await compileGiven(wasm);
  if (WebAssembly.Module.exports(module).some(({ name }) => name === source.exports)) return module;
  throw new TwinwrapError("BAD_ARGUMENT", "the WebAssembly given is not the core that is needed");
}

/** Compiles what the caller has given. */
async function compileGiven(wasm: Wasm): Promise<WebAssembly.Module> {
  const response = await responseOf(wasm);
  try {
    if (response === undefined) return await WebAssembly.compile(needBytes(wasm, "wasm") as never);
    // A server that does not know the type of WebAssembly is no reason to fail.
    return response.headers.get("content-type")?.startsWith("application/wasm")
      ? await WebAssembly.compileStreaming(response)
      : await WebAssembly.compile(await response.arrayBuffer());
  } catch (cause) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      `the WebAssembly given cannot be compiled here: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** What a fetch has answered; undefined if there is none. */
async function responseOf(wasm: Wasm): Promise<Response | undefined> {
  if (!isUrl(wasm) && !isResponse(wasm) && !isPromise(wasm)) return undefined;
  let response: Response;
  try {
    response = await (isUrl(wasm) ? fetch(wasm) : wasm);
  } catch (cause) {
    throw new TwinwrapError("UNAVAILABLE", "the core could not be fetched", { cause });
  }
  if (!isResponse(response)) throw wrongKind(response, "what wasm promises", "a Response");
  if (!response.ok) {
    throw new TwinwrapError(
      "UNAVAILABLE",
      `the core could not be fetched: ${response.url} answers ${response.status}`,
    );
  }
  return response;
}
