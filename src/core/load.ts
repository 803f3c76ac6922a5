import { fromBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import * as embedded from "./embedded.js";

/** The builds of the core that exist. */
export type CoreBuild = "simd" | "relaxed";

/** Where the core's WebAssembly comes from. */
export interface LoadOptions {
  /** Which build; by default the best that the engine has. */
  build?: CoreBuild;
  /** The WebAssembly itself, for a strict CSP or streaming compilation; by default the embedded copy. */
  wasm?: WebAssembly.Module | Response | PromiseLike<Response> | URL | Uint8Array<ArrayBuffer>;
}

// (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)): valid only with SIMD128.
const SIMD_PROBE = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  10,
  1,
  8,
  0,
  65,
  0,
  253,
  15,
  253,
  98,
  11,
);

let compiledEmbedded: Promise<WebAssembly.Module> | undefined;

/** The embedded copy, unpacked and compiled once and shared by all instances. */
function compileEmbedded(): Promise<WebAssembly.Module> {
  compiledEmbedded ??= (async () => {
    const packed = new Blob([fromBase64(embedded.simd)]).stream();
    const bytes = await new Response(
      packed.pipeThrough(new DecompressionStream("gzip")),
    ).arrayBuffer();
    return WebAssembly.compile(bytes);
  })();
  return compiledEmbedded;
}

/**
 * Compiles the core.
 * @throws TwinwrapError UNSUPPORTED if the engine has no WebAssembly SIMD, or not the build asked for
 */
export async function compileCore(options: LoadOptions = {}): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD_PROBE)) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "this engine has no WebAssembly SIMD; Twinwrap needs Node 20, Chrome 91, Firefox 89, Safari 16.4 or newer",
    );
  }
  if (options.build === "relaxed") {
    throw new TwinwrapError("UNSUPPORTED", "this release has no relaxed-SIMD build");
  }
  const { wasm } = options;
  if (wasm === undefined) return compileEmbedded();
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (wasm instanceof Uint8Array) return WebAssembly.compile(wasm);
  return WebAssembly.compileStreaming(wasm instanceof URL ? fetch(wasm) : wasm);
}
