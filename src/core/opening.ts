import { part as opening } from "#embedded-opening";
import { part as sealing } from "#embedded-sealing";
import { assemble } from "./bodies.js";
import type { CoreSource } from "./load.js";
import { type Rsadp, type RsaPrivateComponents, RsaPrivateKey } from "./rsa.js";
import { type SealingCore, SealingOnly } from "./sealing.js";
import { sharedAt } from "./shared.js";

/** What opening needs of the core. */
export interface OpeningCore extends SealingCore {
  rsaPrivateKey(components: RsaPrivateComponents, rsadp?: Rsadp): RsaPrivateKey;
}

/** Just that. */
export class OpeningOnly extends SealingOnly implements OpeningCore {
  rsaPrivateKey(components: RsaPrivateComponents, rsadp?: Rsadp): RsaPrivateKey {
    return new RsaPrivateKey(this.instance, this.rsaSlots, components, undefined, rsadp);
  }
}

const SOURCE: CoreSource = {
  parts: [sealing, opening],
  assemble,
  simd: "core.wasm",
  relaxed: "core-relaxed.wasm",
};

/** The shared core, at least this much of it. @param isWorth see {@link sharedAt} */
export function sharedOpening(isWorth: boolean): Promise<OpeningCore> {
  return sharedAt("opening", SOURCE, (instance) => new OpeningOnly(instance), isWorth);
}
