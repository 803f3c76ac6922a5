// biome-ignore-all assist/source/organizeImports: the embedded texts stand first in a bundle, where they cost gzip least
import { type Core, sharedCore } from "./index.js";
import { type OpeningCore, sharedOpening } from "./opening.js";
import { type SealingCore, sharedSealing } from "./sealing.js";
import { type Kind, optional, wrongKind } from "../arguments.js";
import { isWholeCore } from "../known.js";

// For the rooms above: checks of an argument that is a core, and the shared core where none is given. Each call asks for
// no more than it needs, and a page carries no more.

/** @throws TwinwrapError BAD_ARGUMENT unless it is a whole core, not the one with AES alone */
export function needCore(value: unknown, what = "the core"): Core {
  if (isWholeCore(value)) return value as Core;
  throw wrongKind(value, what, "what loadCore() gives");
}

/** An option `core`. */
export const coreOption: Kind<Core | undefined> = /* @__PURE__ */ optional(needCore);

/** Bytes of work that make up for loading the relaxed-SIMD build: some 20 ms, of which it saves a twentieth. */
const WORTH = 4 << 20;

/**
 * The core that was given, or a shared one that seals.
 * @param size bytes of work; undefined if that is not known
 */
export async function sealingCoreOr(
  core: Core | undefined,
  size: number | undefined,
): Promise<SealingCore> {
  return core ?? (await sharedSealing(size === undefined || size >= WORTH));
}

/** The same, one that opens. */
export async function openingCoreOr(
  core: Core | undefined,
  size: number | undefined,
): Promise<OpeningCore> {
  return core ?? (await sharedOpening(size === undefined || size >= WORTH));
}

/** The core that was given, or the shared one. */
export async function coreOr(core: Core | undefined): Promise<Core> {
  return core ?? (await sharedCore());
}
