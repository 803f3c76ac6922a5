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
import type { Part } from "./parts.js";
import { refused } from "./refused.js";
import type { WasmFile } from "./wasm.js";

/** The builds of the core that exist. */
export type CoreBuild = "simd" | "relaxed";

/** Where the core's WebAssembly comes from. */
export interface LoadOptions {
  /**
   * Which build: "simd" runs everywhere, "relaxed" (relaxed SIMD) is a tenth faster. By default the best
   * one that the engine runs.
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

const LOAD = /* @__PURE__ */ optionsOf<LoadOptions>({
  build: /* @__PURE__ */ oneOf("simd", "relaxed"),
  wasm: needWasm,
});

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
  /** The embedded copy, and what puts it together. */
  parts: readonly Part[];
  assemble: (parts: readonly Part[]) => Promise<Uint8Array<ArrayBuffer>>;
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
    throw await refused(error);
  }
}

/** What has been compiled: every file and every embedded copy once, for all instances. */
const compiled = new Map<unknown, Promise<WebAssembly.Module | undefined>>();

/** A module that is compiled by now, or will be. @param of stands for it */
function compileOnce(
  of: unknown,
  read: () => Promise<BufferSource | undefined>,
): Promise<WebAssembly.Module | undefined> {
  let module = compiled.get(of);
  if (module === undefined) {
    module = read().then((bytes) => bytes && compile(bytes));
    compiled.set(of, module);
    // A failed compilation, say for want of memory, can be tried again.
    module.catch(() => compiled.delete(of));
  }
  return module;
}

/** The file of a build, where it is at hand. */
const compileFile = (file: WasmFile) => compileOnce(file, () => readWasm(file));

/** The embedded copy of the relaxed-SIMD build; undefined if there is none, or if it can't be loaded now. */
async function unpackRelaxed(parts: readonly Part[]): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (parts.some(({ relaxed }) => relaxed === undefined)) return undefined;
  try {
    const [late, ...differences] = await Promise.all([
      import("./relaxed-late.js"),
      ...parts.map(({ relaxed }) => relaxed!()),
    ]);
    return await late.default({ TwinwrapError }).assembleRelaxed(parts, differences);
  } catch {
    return undefined; // the other build does the same
  }
}

/** The embedded copy. @throws TwinwrapError UNSUPPORTED */
async function unpackEmbedded({ parts, assemble }: CoreSource): Promise<Uint8Array<ArrayBuffer>> {
  if (parts.some(({ text }) => text === "")) {
    throw unsupported(
      'this bundle holds no copy of the core (condition "twinwrap-wasm-url"): call useWasm with its URL first',
    );
  }
  if (typeof DecompressionStream === "undefined") {
    throw unsupported(
      "this engine has no DecompressionStream to unpack the core: call useWasm with the URL of twinwrap/core.wasm",
    );
  }
  return assemble(parts);
}

/** @throws TwinwrapError UNSUPPORTED if the engine has no WebAssembly SIMD, or not the build asked for */
function checkEngine(build?: CoreBuild | "at hand"): void {
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
}

/**
 * Compiles a build: the best one that the engine runs, the best of those that are here without loading another part of
 * the package ("at hand"), or the one that is asked for.
 * @throws TwinwrapError UNSUPPORTED if the engine has no WebAssembly SIMD, or not the build asked for, or may not
 *   compile
 */
export async function compileBuild(
  source: CoreSource,
  build?: CoreBuild | "at hand",
): Promise<WebAssembly.Module> {
  checkEngine(build);
  const { parts, simd, relaxed } = source;
  if (relaxed !== undefined && build !== "simd" && hasRelaxedSimd()) {
    const module =
      (await compileFile(relaxed)) ??
      (build === "at hand" ? undefined : await compileOnce(parts, () => unpackRelaxed(parts)));
    if (module !== undefined) return module;
  }
  if (build === "relaxed") {
    throw unsupported(
      "the relaxed-SIMD build is not at hand here: give its URL as `wasm` (twinwrap/core-relaxed.wasm)",
    );
  }
  return (await compileFile(simd)) ?? (await compileOnce(source, () => unpackEmbedded(source)))!;
}

/**
 * Compiles the core.
 * @throws TwinwrapError BAD_ARGUMENT; UNSUPPORTED as {@link compileBuild}; UNAVAILABLE if what `wasm` says cannot be
 *   fetched
 */
export async function compileCore(
  source: CoreSource,
  options: LoadOptions,
): Promise<WebAssembly.Module> {
  const { build, wasm } = LOAD(options, "options");
  return wasm === undefined ? compileBuild(source, build) : compileWasm(wasm, build);
}

/** Compiles the caller's WebAssembly. @throws TwinwrapError as {@link compileCore} */
export async function compileWasm(wasm: Wasm, build?: CoreBuild): Promise<WebAssembly.Module> {
  checkEngine(build);
  return isModule(wasm) ? wasm : compileGiven(wasm);
}

/** The same of what is no module yet. */
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
      : await refused(error);
  }
}

function unavailable(why: string, cause?: unknown): TwinwrapError {
  return new TwinwrapError("UNAVAILABLE", `the core could not be fetched: ${why}`, { cause });
}
