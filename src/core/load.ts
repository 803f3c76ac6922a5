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
import { concatBytes, fromBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { refusal } from "./refusal.js";
import type { WasmFile } from "./wasm.js";

/** The builds of the core that exist. */
export type CoreBuild = "simd" | "relaxed";

/** Where the core's WebAssembly comes from. */
export interface LoadOptions {
  /**
   * Which build: "simd" runs everywhere, "relaxed" (relaxed SIMD) is a tenth faster. By default the best
   * one that the engine runs and that is at hand: in a browser "relaxed" only with its URL as `wasm`.
   */
  build?: CoreBuild | undefined;
  /**
   * The WebAssembly itself, or where to fetch it from, compiling it as it comes; by default the embedded
   * copy, and in Node the package's file.
   */
  wasm?: WebAssembly.Module | Response | PromiseLike<Response> | URL | Bytes | undefined;
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

/** @throws TwinwrapError BAD_ARGUMENT unless a core can be compiled from it */
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

const hasWasm = () => typeof WebAssembly === "object";
const isValid = (probe: string) => hasWasm() && WebAssembly.validate(fromBase64(probe));

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
}

function unsupported(message: string): TwinwrapError {
  return new TwinwrapError("UNSUPPORTED", message);
}

/** @throws TwinwrapError UNSUPPORTED if the engine refuses, BAD_ARGUMENT if the bytes are no WebAssembly */
async function compile(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw await refusal(error);
  }
}

/** Every file is compiled once and shared by all instances. */
const compiled = new Map<WasmFile, Promise<WebAssembly.Module | undefined>>();

/** The compiled file, or what `other` gives where the file is not at hand. */
function compileFile(
  file: WasmFile,
  other: () => Promise<BufferSource | undefined>,
): Promise<WebAssembly.Module | undefined> {
  let module = compiled.get(file);
  if (module === undefined) {
    module = readWasm(file)
      .then((bytes) => bytes ?? other())
      .then((bytes) => bytes && compile(bytes));
    compiled.set(file, module);
    // A failed compilation, say for want of memory, can be tried again.
    module.catch(() => compiled.delete(file));
  }
  return module;
}

/** The embedded copy. Does without Blob and Response, which a page may have replaced. */
async function unpack(embedded: string): Promise<Uint8Array<ArrayBuffer>> {
  if (embedded === "") {
    throw unsupported(
      'this bundle holds no copy of the core (condition "twinwrap-wasm-url"): call useWasm with its URL first',
    );
  }
  if (typeof DecompressionStream === "undefined") {
    throw unsupported(
      "this engine has no DecompressionStream to unpack the core: call useWasm with the URL of twinwrap/core.wasm",
    );
  }
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const reader = (readable as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  try {
    const written = Promise.all([writer.write(fromBase64(embedded)), writer.close()]);
    // Reading meets the same error.
    written.catch(() => {});
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return concatBytes(...parts);
      parts.push(value);
    }
  } catch (cause) {
    const message = "the embedded copy of the core is damaged: install or bundle it again";
    throw new TwinwrapError("FAULT", message, { cause });
  }
}

/**
 * Compiles the core.
 * @throws TwinwrapError BAD_ARGUMENT; UNSUPPORTED if the engine has no WebAssembly SIMD, or not the build asked for,
 *   or may not compile; UNAVAILABLE if what `wasm` says cannot be fetched
 */
export async function compileCore(
  source: CoreSource,
  options: LoadOptions,
): Promise<WebAssembly.Module> {
  const { build, wasm } = LOAD(options, "options");
  if (!hasWasm()) {
    throw unsupported(
      "this engine has no WebAssembly, or it is switched off (node --jitless, a browser's lockdown mode)",
    );
  }
  if (!isValid(SIMD_PROBE)) {
    throw unsupported(
      "this engine has no WebAssembly SIMD; Twinwrap needs Node 20, Chrome 92, Firefox 113, Safari 16.4 or newer",
    );
  }
  if (build === "relaxed" && !hasRelaxedSimd()) {
    throw unsupported(
      "this engine has no relaxed SIMD; Node has it from 22 on (Node 20: --experimental-wasm-relaxed-simd), Chrome from 114",
    );
  }
  if (wasm === undefined) {
    if (source.relaxed !== undefined && build !== "simd" && hasRelaxedSimd()) {
      const module = await compileFile(source.relaxed, async () => undefined);
      if (module !== undefined) return module;
    }
    if (build === "relaxed") {
      throw unsupported(
        "the relaxed-SIMD build is not at hand here: give its URL as `wasm` (twinwrap/core-relaxed.wasm)",
      );
    }
    return (await compileFile(source.simd, () => unpack(source.embedded)))!;
  }
  return isModule(wasm) ? wasm : compileGiven(wasm);
}

/** Compiles the caller's WebAssembly. */
async function compileGiven(wasm: Wasm): Promise<WebAssembly.Module> {
  if (!isUrl(wasm) && !isResponse(wasm) && !isPromise(wasm)) {
    return compile(needBytes(wasm, "wasm") as Uint8Array<ArrayBuffer>);
  }
  const fetched = async <T>(work: PromiseLike<T> | T): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      throw unavailable(isUrl(wasm) ? `${wasm}: ${cause}` : String(cause), cause);
    }
  };
  const response = await fetched(isUrl(wasm) ? fetch(wasm) : wasm);
  if (!isResponse(response)) throw wrongKind(response, "what wasm promises", "a Response");
  if (!response.ok) throw unavailable(`${response.url} answers ${response.status}`);
  // A server that does not know the type of WebAssembly is no reason to fail.
  if (!response.headers.get("content-type")?.startsWith("application/wasm")) {
    return compile(await fetched(response.arrayBuffer()));
  }
  try {
    return await WebAssembly.compileStreaming(response);
  } catch (error) {
    // An answer that breaks off is a TypeError; a bad module, or a policy, is a CompileError.
    throw (error as Error).name === "TypeError"
      ? unavailable(String(error), error)
      : await refusal(error);
  }
}

function unavailable(why: string, cause?: unknown): TwinwrapError {
  return new TwinwrapError("UNAVAILABLE", `the core could not be fetched: ${why}`, { cause });
}
