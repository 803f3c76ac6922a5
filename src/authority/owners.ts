import { randomBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { ownerTag } from "../escrow/index.js";
import type { OwnerRow, StoreReads } from "./store/store.js";

/** The secrets that the tags of some owners are made with. */
export class OwnerSecrets {
  readonly #secrets: Map<string, Uint8Array | undefined>;

  private constructor(secrets: Map<string, Uint8Array | undefined>) {
    this.#secrets = secrets;
  }

  static async read(reads: StoreReads, owners: Iterable<string>): Promise<OwnerSecrets> {
    const names = [...new Set(owners)];
    const secrets = await reads.ownerSecrets(names);
    return new OwnerSecrets(new Map(names.map((name, i) => [name, secrets[i]])));
  }

  /** Makes those that are missing: an owner gets one when they first send something. */
  makeMissing(): OwnerRow[] {
    const made: OwnerRow[] = [];
    for (const [owner, known] of this.#secrets) {
      if (known !== undefined) continue;
      const secret = randomBytes(32);
      this.#secrets.set(owner, secret);
      made.push({ owner, secret });
    }
    return made;
  }

  /** @param record recordHash, 32 bytes @throws TwinwrapError FAULT if the secret is missing */
  tag(core: Core, owner: string, record: Uint8Array): Uint8Array {
    const secret = this.#secrets.get(owner);
    if (secret === undefined) throw new TwinwrapError("FAULT", "the owner's secret is missing");
    return ownerTag(core, secret, record);
  }
}
