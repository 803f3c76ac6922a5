import { TwinwrapError } from "../errors.js";
import { Instance } from "./instance.js";
import { type CoreSource, compileBuild, compileWasm, type LoadOptions, needWasm } from "./load.js";

// The instances that calls share where no core is given. There is one of each level, as they are needed; a higher one
// also serves where a lower one would do.

const LEVELS = ["sealing", "opening", "whole"] as const;
type Level = (typeof LEVELS)[number];

interface Shared {
  readonly module: WebAssembly.Module;
}

/** By level: with the build that is at hand, and with the best one, which may have to be loaded. */
const shared = { now: new Map<Level, Promise<Shared>>(), best: new Map<Level, Promise<Shared>>() };
let compileGiven: (() => Promise<WebAssembly.Module>) | undefined;

/**
 * Sets where the shared core's WebAssembly comes from. A page calls it with the URL of twinwrap/core.wasm
 * (or core-relaxed.wasm, if {@link hasRelaxedSimd}), before anything else.
 * @throws TwinwrapError BAD_ARGUMENT, also if the core is in use already
 */
export function useWasm(wasm: NonNullable<LoadOptions["wasm"]>): void {
  needWasm(wasm, "wasm");
  if (shared.now.size + shared.best.size > 0) {
    throw new TwinwrapError("BAD_ARGUMENT", "useWasm comes too late: the core is loaded already");
  }
  let module: Promise<WebAssembly.Module> | undefined;
  compileGiven = () => {
    if (module === undefined) {
      module = compileWasm(wasm);
      module.catch(() => {
        module = undefined;
      });
    }
    return module;
  };
}

/** What is given is fetched and compiled once: it has all levels. */
function moduleOf(source: CoreSource, which: keyof typeof shared): Promise<WebAssembly.Module> {
  return compileGiven?.() ?? compileBuild(source, which === "now" ? "at hand" : undefined);
}

/**
 * The shared core of a level, or of a higher one that is there.
 * @param isWorth whether there is enough work to make up for loading the relaxed-SIMD build, where it isn't at hand
 */
export function sharedAt<C extends Shared>(
  level: Level,
  source: CoreSource,
  make: (instance: Instance) => C,
  isWorth: boolean,
): Promise<C> {
  const enough = LEVELS.slice(LEVELS.indexOf(level));
  for (const one of enough) {
    const there = shared.best.get(one) ?? (isWorth ? undefined : shared.now.get(one));
    if (there !== undefined) return there as Promise<C>;
  }
  const which = isWorth ? "best" : "now";
  const other = shared.now.get(level);
  const loading = (async () => {
    const module = await moduleOf(source, which);
    // Both may be the same.
    const there = await other?.catch(() => undefined);
    const core = there?.module === module ? (there as C) : make(await Instance.create(module));
    // Nobody asks for the other one any more, once this is there.
    if (isWorth) shared.now.delete(level);
    return core;
  })();
  // A failed load, say for want of a network, can be tried again.
  loading.catch(() => {
    if (shared[which].get(level) === loading) shared[which].delete(level);
  });
  shared[which].set(level, loading);
  return loading;
}
