import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import {
  type Authority,
  keyId,
  officerKey,
  type Policy,
  type PolicySignatures,
  parseNote,
  policySignatures,
  type VerifierKey,
} from "../escrow/index.js";

/** The authority's signing keys, past ones too: policies stay signed by the keys of their time. */
export function everyLogKey({ identities }: Pick<Authority, "identities">): VerifierKey[] {
  return identities.flatMap(({ logs }) => logs);
}

/** The signatures of some keys in a note, in the order of the keys, each once. Nothing is verified. */
export function signaturesOf(core: Core, notes: readonly string[], keys: readonly VerifierKey[]) {
  const all = notes.flatMap((note) => parseNote(note).signatures);
  return keys.flatMap((key) => {
    const id = keyId(core, key);
    const found = all.find((one) => one.name === key.name && equalBytes(one.keyId, id));
    return found === undefined ? [] : [found];
  });
}

/**
 * The signatures of an authority's policies. While the authority is open, a note is verified once, however
 * often it is read from the store: the result belongs to these bytes.
 */
export class VerifiedNotes {
  readonly #core: Core;
  readonly #logKeys: readonly VerifierKey[];
  readonly #known = new Map<string, PolicySignatures>();

  /** @param policies the notes that `authority` was verified from */
  constructor(core: Core, authority: Authority, policies: readonly string[]) {
    this.#core = core;
    this.#logKeys = everyLogKey(authority);
    for (const [i, policy] of authority.policies.entries()) {
      const before = authority.policies[i - 1];
      const deciding = (before ?? policy).officers.map(officerKey);
      this.#known.set(this.#name(policies[i]!, before), {
        log: true,
        officers: signaturesOf(core, [policies[i]!], deciding).map(({ name }) => name),
        needed: before?.change ?? deciding.length,
        complete: true,
      });
    }
  }

  /** As {@link policySignatures}. @param before the policy before; undefined for number 1 */
  async signatures(note: string, before: Policy | undefined): Promise<PolicySignatures> {
    const name = this.#name(note, before);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const signatures = await policySignatures(this.#core, note, before, this.#logKeys);
    this.#known.set(name, signatures);
    return signatures;
  }

  #name(note: string, before: Policy | undefined): string {
    const hash = toHex(this.#core.sha256(toUtf8(note)));
    return before === undefined ? hash : `${hash} ${toHex(before.hash)}`;
  }
}
