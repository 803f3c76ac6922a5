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

const shared = new Map<Level, Promise<Shared>>();
let compileGiven: (() => Promise<WebAssembly.Module>) | undefined;

/**
 * Sets where the shared core's WebAssembly comes from. A page calls it with the URL of twinwrap/core.wasm
 * (or core-relaxed.wasm, if {@link hasRelaxedSimd}), before anything else.
 * @throws TwinwrapError BAD_ARGUMENT, also if the core is in use already
 */
export function useWasm(wasm: NonNullable<LoadOptions["wasm"]>): void {
  needWasm(wasm, "wasm");
  if (shared.size > 0) {
    throw new TwinwrapError("BAD_ARGUMENT", "useWasm comes too late: the core is loaded already");
  }
  compileGiven = () => compileWasm(wasm);
}

/** What is given is fetched and compiled once: it has all levels. */
async function moduleFor(
  source: CoreSource,
  first: Promise<Shared> | undefined,
): Promise<WebAssembly.Module> {
  if (compileGiven === undefined) return compileBuild(source);
  return first === undefined ? compileGiven() : (await first).module;
}

/** The shared core of a level, or of a higher one that is there. */
export function sharedAt<C extends Shared>(
  level: Level,
  source: CoreSource,
  make: (instance: Instance) => C,
): Promise<C> {
  for (const enough of LEVELS.slice(LEVELS.indexOf(level))) {
    const there = shared.get(enough);
    if (there !== undefined) return there as Promise<C>;
  }
  const [first] = shared.values();
  const loading = moduleFor(source, first).then(Instance.create).then(make);
  // A failed load, say for want of a network, can be tried again.
  loading.catch(() => {
    if (shared.get(level) === loading) shared.delete(level);
  });
  shared.set(level, loading);
  return loading;
}
