import { equalBytes, randomBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { checkName } from "../escrow/names.js";
import { enrolTag, ownerTag } from "../escrow/submission.js";
import { tell } from "./events.js";
import { logsOf } from "./log.js";
import type { Office } from "./office.js";
import { policyStates } from "./policies.js";
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

  /** Makes those that are missing: an owner gets one when they first send something, or are enrolled. */
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

  /** @returns 32 bytes @throws TwinwrapError FAULT if it is missing */
  secret(owner: string): Uint8Array {
    const secret = this.#secrets.get(owner);
    if (secret === undefined) throw new TwinwrapError("FAULT", "the owner's secret is missing");
    return secret;
  }

  /** @param record recordHash, 32 bytes @throws TwinwrapError FAULT if the secret is missing */
  tag(core: Core, owner: string, record: Uint8Array): Uint8Array {
    return ownerTag(core, this.secret(owner), record);
  }
}

/** An owner who is enrolled. */
export interface Enrolled {
  owner: string;
  /** 32 bytes: tells which leaves of the log are about this owner. */
  secret: Uint8Array;
  /** What came of it: they had no control key before, had another one, or have this one already. */
  result: "enrolled" | "replaced" | "present";
}

/**
 * Enrols an owner, or replaces their control key; one that they have already stays as it is.
 * @param control the public control key, Ed25519, 32 bytes
 * @param options.mayReplace whether it may take the place of another one; by default it may
 * @throws TwinwrapError BAD_ARGUMENT if it is the key of somebody else here; NOT_ENTITLED if they have another one, which
 *   may not be replaced; NO_POLICY; FENCED; BAD_FORMAT if the ID can't sign
 */
export async function enrolOwner(
  office: Office,
  owner: string,
  control: Uint8Array,
  { mayReplace = true }: { mayReplace?: boolean | undefined } = {},
): Promise<Enrolled> {
  const { core, store, log } = office;
  checkName(owner, "the owner ID");
  return store.write(async (writes) => {
    const secrets = await OwnerSecrets.read(writes, [owner]);
    const made = secrets.makeMissing();
    const secret = secrets.secret(owner);
    const [enrolments] = await writes.enrolments([owner]);
    const present = enrolments!.at(-1);
    if (present !== undefined && equalBytes(present.control, control)) {
      return { owner, secret, result: "present" };
    }
    if (present !== undefined && !mayReplace) {
      throw new TwinwrapError(
        "NOT_ENTITLED",
        "this owner has another control key already: only an administrator replaces it",
      );
    }
    const states = await policyStates(office, writes);
    const policy = states.filter(({ row }) => row.leaf !== undefined).at(-1);
    if (policy === undefined) {
      throw new TwinwrapError("NO_POLICY", "no policy is in force: nobody can be enrolled yet");
    }
    const announced = states.filter(
      ({ row }) => row.leaf === undefined && row.announceLeaf !== undefined,
    );
    const others = [
      ...[policy, ...announced].flatMap((state) => state.policy.officers.map(({ key }) => key)),
      ...logsOf(office.authority).map(({ publicKey }) => publicKey),
    ];
    if (others.some((key) => equalBytes(key, control))) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        "this is the key of an officer, or of the log: an owner needs a key of their own",
      );
    }
    const end = await log.end(writes);
    await end.append([
      { type: "enrol", owner: enrolTag(core, secret), control: core.sha256(control) },
    ]);
    await writes.insertOwners(made);
    await writes.insertEnrolment({ owner, control, leaf: end.next });
    const about = { time: end.time, leaf: end.next, policy: policy.policy.number };
    await tell(writes, { kind: "enrol", ...about, owners: [owner], policies: [policy.policy] });
    return { owner, secret, result: present === undefined ? "enrolled" : "replaced" };
  });
}
