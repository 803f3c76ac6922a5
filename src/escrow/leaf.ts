import { toHex } from "../bytes.js";
import { overLimit, readBack } from "../errors.js";
import { formatTime } from "../jcs.js";
import { formatLines, Lines } from "./lines.js";

// What stands in the log, for everybody to read: hashes and tags only.

/** A record was taken in (escrow: not opened yet; verified: opened, and it is what it says). */
export interface RecordLeaf {
  type: "escrow" | "verified";
  time: Date;
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** The owner's tag over it, 32 bytes. */
  owner: Uint8Array;
}

/** A session key was released. */
export interface ReleaseLeaf {
  type: "release";
  time: Date;
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** The owner's tag over it, 32 bytes. */
  owner: Uint8Array;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** policyHash of the policy in force, 32 bytes. */
  policy: Uint8Array;
  /** Hash of the approvals that counted, 32 bytes. */
  approvals: Uint8Array;
  /** The tag over the fingerprint of the key it was released to, 32 bytes. */
  recipient: Uint8Array;
}

/** An officer's signed denial of a request. */
export interface VetoLeaf {
  type: "veto";
  time: Date;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** approvalHash of the denial, 32 bytes. */
  approval: Uint8Array;
}

/** A policy. */
export interface PolicyLeaf {
  type: "policy";
  time: Date;
  /** From 1 on. */
  number: number;
  /** policyHash, 32 bytes. */
  policy: Uint8Array;
}

/** An identity of the authority. */
export interface AuthorityLeaf {
  type: "authority";
  time: Date;
  /** From 1 on. */
  number: number;
  /** identityHash, 32 bytes. */
  identity: Uint8Array;
}

export type Leaf = RecordLeaf | ReleaseLeaf | VetoLeaf | PolicyLeaf | AuthorityLeaf;

const KIND = "twinwrap/leaf/v1";
/** Bytes of a leaf at most. */
export const MAX_LEAF = 4096;

/** What follows type and time, in this order. */
export const FIELDS = {
  escrow: ["record", "owner"],
  verified: ["record", "owner"],
  release: ["record", "owner", "request", "policy", "approvals", "recipient"],
  veto: ["request", "approval"],
  policy: ["number", "policy"],
  authority: ["number", "identity"],
} as const satisfies Record<Leaf["type"], readonly string[]>;
const TYPES = Object.keys(FIELDS) as Leaf["type"][];

/**
 * A leaf as it stands in the log: ASCII lines, at most 4096 bytes.
 * @throws TwinwrapError BAD_FORMAT if a value can't stand in one, BAD_ARGUMENT if the time can't
 */
export function encodeLeaf(leaf: Leaf): string {
  const values = leaf as unknown as Record<string, number | Uint8Array>;
  const text = formatLines(KIND, [
    ["type", leaf.type],
    ["time", formatTime(leaf.time)],
    ...FIELDS[leaf.type].map((field) => {
      const value = values[field]!;
      return [field, typeof value === "number" ? String(value) : toHex(value)] as const;
    }),
  ]);
  readBack(() => decodeLeaf(text), "BAD_FORMAT");
  return text;
}

/**
 * Reads a leaf. There is one spelling: encoded again it is the same text.
 * @throws TwinwrapError BAD_FORMAT if it is malformed, too long or of a type that is not in use
 */
export function decodeLeaf(text: string): Leaf {
  // A leaf is ASCII; anything else is refused below.
  if (text.length > MAX_LEAF) {
    throw overLimit(`a leaf is longer than ${MAX_LEAF} bytes`);
  }
  const lines = new Lines(text, KIND);
  const type = lines.oneOf("type", TYPES);
  const time = lines.time("time");
  const values = FIELDS[type].map((field) => [
    field,
    field === "number" ? lines.number(field, 1) : lines.hash(field),
  ]);
  lines.end();
  return { type, time, ...Object.fromEntries(values) };
}
