import type { Core } from "../core/index.js";
import { notVerified } from "../errors.js";
import { chainBefore, type IdentitySignatures, identitySignatures } from "../escrow/chain.js";
import {
  type Authority,
  type EndedLog,
  type Identity,
  type Policy,
  parseIdentity,
} from "../escrow/index.js";
import { safe } from "../text.js";

// The identity that ends an authority's log: what officers have to see before they sign it.

export interface Closing {
  note: string;
  identity: Identity;
  /** The log that ends. */
  ended: EndedLog;
  /** Logs that ended before, of which less is kept than was said then. */
  lessKept: EndedLog[];
  /** What the authority's store had lost of the notes before it, where that is known. */
  takenBack?: readonly { kind: "policy" | "identity"; number: number }[] | undefined;
  /** Whose officers decide. */
  policy: Policy;
  signatures: IdentitySignatures;
}

/**
 * Reads an identity that is to follow those of an authority.
 * @throws TwinwrapError NOT_VERIFIED if it does not follow them, or ends no log
 */
export async function readClosing(
  core: Core,
  authority: Authority,
  note: string,
): Promise<Closing> {
  const chain = chainBefore(authority, new Uint8Array());
  const signatures = await identitySignatures(core, note, chain);
  const identity = parseIdentity(core, note);
  const ended = identity.ended.at(-1);
  if (ended === undefined || ended.name !== authority.logKeys[0]!.name) {
    throw notVerified("this identity does not end the log in use");
  }
  const before = authority.identities.at(-1)!.ended;
  const lessKept = identity.ended.filter(({ kept }, i) => kept.size < (before[i]?.kept.size ?? 0));
  return { note, identity, ended, lessKept, policy: chain.policies.at(-1)!, signatures };
}

/** For people: what is held, what is lost, and who has signed. */
export function closingRows(closing: Closing): [string, string][] {
  const { identity, ended, lessKept, takenBack = [], policy, signatures } = closing;
  const { kept, end } = ended;
  const lost = end.size - kept.size;
  return [
    ...lessKept.map((log): [string, string] => [
      "log before",
      `${safe(log.name)}: only its first ${log.kept.size} entries are held any more`,
    ]),
    ["log", safe(ended.name)],
    ["held", `its first ${kept.size} entries`],
    [
      "lost",
      lost === 0
        ? "nothing that is known"
        : `${lost === 1 ? "1 entry" : `${lost} entries`} from ${kept.size} on: owners send these records again`,
    ],
    ...takenBack.map(({ kind, number }): [string, string] => [
      "taken back",
      `${kind} ${number}, which the store had lost`,
    ]),
    ["next log", safe(identity.log.name)],
    ["policy", `number ${policy.number}`],
    ["state", closingState(signatures)],
  ];
}

/** Who has signed, and what it takes. */
export function closingState({ officers, needed, log, complete }: IdentitySignatures): string {
  if (complete) return "in force: the log has ended";
  const signed = officers.length === 0 ? "nobody" : officers.map((name) => safe(name)).join(", ");
  const more = needed - officers.length;
  const why = log ? "" : ", since the log key is lost";
  return `signed by ${signed}; ${more} more to come${why}`;
}
