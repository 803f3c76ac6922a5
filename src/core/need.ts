import { type Kind, optional, wrongKind } from "../arguments.js";
import { Core, sharedCore } from "./index.js";
import { RsaPrivateKey } from "./rsa.js";

// Checks for the rooms above, of arguments that are the core's own.

/** @throws TwinwrapError BAD_ARGUMENT unless it is a whole core, not the one with AES alone */
export function needCore(value: unknown, what = "the core"): Core {
  if (value instanceof Core) return value;
  throw wrongKind(value, what, "what loadCore() gives");
}

/** An option `core`. */
export const coreOption: Kind<Core | undefined> = optional(needCore);

/** The core that was given, or the shared one. */
export async function coreOr(core: Core | undefined): Promise<Core> {
  return core ?? (await sharedCore());
}

/** @throws TwinwrapError BAD_ARGUMENT unless it is a private key that core.rsaPrivateKey() made */
export function needPrepared(value: unknown, what: string): RsaPrivateKey {
  if (value instanceof RsaPrivateKey) return value;
  throw wrongKind(value, what, "what core.rsaPrivateKey() gives");
}
