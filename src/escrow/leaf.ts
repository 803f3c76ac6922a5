import { toHex, toUtf8 } from "../bytes.js";
import { overLimit, readBack } from "../errors.js";
import { formatTime } from "../jcs.js";
import { formatLines, Lines } from "./lines.js";

// What stands in the log, for everybody to read: hashes, tags, numbers and times only.

/** A record was taken in (escrow: not opened yet; verified: opened, and it is what it says). */
export interface RecordLeaf {
  type: "escrow" | "verified";
  time: Date;
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** The owner's tag over it, 32 bytes. */
  owner: Uint8Array;
}

/** A request was taken in. */
export interface RequestLeaf {
  type: "request";
  time: Date;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** policyHash of the policy in force, 32 bytes. */
  policy: Uint8Array;
  /** When the request expires. */
  expires: Date;
  /** Until when it waits: the leaf's time and the policy's waiting period. */
  notbefore: Date;
  /** The tags over the request of each owner of its records, 32 bytes each, sorted, each once. */
  owners: Uint8Array[];
}

/** Which number of officers approved a release: enough after the waiting period, or enough at any time. */
export type Basis = "quorum" | "emergency";

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
  basis: Basis;
}

/** An officer's signed denial of a request. */
export interface DenialLeaf {
  type: "denial";
  time: Date;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** approvalHash of the denial, 32 bytes. */
  approval: Uint8Array;
}

/** An owner's signed veto against a request. */
export interface VetoLeaf {
  type: "veto";
  time: Date;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** vetoHash, 32 bytes. */
  veto: Uint8Array;
}

/** An owner's control key was enrolled, or replaced. */
export interface EnrolLeaf {
  type: "enrol";
  time: Date;
  /** The owner's tag for it, 32 bytes. */
  owner: Uint8Array;
  /** SHA-256 of the control key, 32 bytes. */
  control: Uint8Array;
}

/** A policy that is weaker than the one in force has its signatures, and waits. */
export interface AnnounceLeaf {
  type: "announce";
  time: Date;
  /** From 2 on. */
  number: number;
  /** policyHash, 32 bytes. */
  policy: Uint8Array;
  /** Until when it waits. */
  notbefore: Date;
}

/** A policy came into force. */
export interface PolicyLeaf {
  type: "policy";
  time: Date;
  /** From 1 on. */
  number: number;
  /** policyHash, 32 bytes. */
  policy: Uint8Array;
}

/** An identity of the authority came into force. */
export interface AuthorityLeaf {
  type: "authority";
  time: Date;
  /** From 1 on. */
  number: number;
  /** identityHash, 32 bytes. */
  identity: Uint8Array;
}

/** A leaf of a later edition: it counts in the tree, and is reported. */
export interface UnknownLeaf {
  type: "unknown";
  time: Date;
  /** Its type as it stands there. */
  name: string;
}

export type KnownLeaf =
  | RecordLeaf
  | RequestLeaf
  | ReleaseLeaf
  | DenialLeaf
  | VetoLeaf
  | EnrolLeaf
  | AnnounceLeaf
  | PolicyLeaf
  | AuthorityLeaf;
export type Leaf = KnownLeaf | UnknownLeaf;

const KIND = "twinwrap/leaf/v1";
/** Bytes of a leaf at most. */
export const MAX_LEAF = 65535;
/** Bytes of a leaf in a receipt or a release at most. */
export const MAX_RECORD_LEAF = 4096;
/** Owners of the records of one request at most. */
export const MAX_OWNERS = 500;
const TYPE = /^[a-z][a-z0-9-]{0,31}$/;

/** What follows type and time, in this order, each with how it is read and written. */
export const FIELDS = {
  escrow: { record: "hash", owner: "hash" },
  verified: { record: "hash", owner: "hash" },
  request: {
    request: "hash",
    policy: "hash",
    expires: "time",
    notbefore: "time",
    owners: "owners",
  },
  release: {
    record: "hash",
    owner: "hash",
    request: "hash",
    policy: "hash",
    approvals: "hash",
    recipient: "hash",
    basis: "basis",
  },
  denial: { request: "hash", approval: "hash" },
  veto: { request: "hash", veto: "hash" },
  enrol: { owner: "hash", control: "hash" },
  announce: { number: "number", policy: "hash", notbefore: "time" },
  policy: { number: "number", policy: "hash" },
  authority: { number: "number", identity: "hash" },
} as const satisfies Record<KnownLeaf["type"], Record<string, FieldKind>>;

export type FieldKind = "hash" | "number" | "time" | "basis" | "owners";

/** How a field is read. */
const READ: Record<FieldKind, (lines: Lines, field: string) => unknown> = {
  hash: (lines, field) => lines.hash(field),
  number: (lines, field) => lines.number(field, 1),
  time: (lines, field) => lines.time(field),
  basis: (lines, field) => lines.oneOf(field, ["quorum", "emergency"]),
  owners: (lines) => {
    const owners = lines.hashes("owner", 1, MAX_OWNERS);
    const sorted = owners.map(toHex);
    if (sorted.some((owner, i) => i > 0 && sorted[i - 1]! >= owner)) {
      throw lines.bad("the owners are not sorted, or one is there twice");
    }
    return owners;
  },
};

/** The lines of a field. */
function write(field: string, value: unknown): [string, string][] {
  if (Array.isArray(value)) return value.map((owner) => ["owner", toHex(owner)]);
  if (value instanceof Date) return [[field, formatTime(value)]];
  if (typeof value === "object") return [[field, toHex(value as Uint8Array)]];
  return [[field, String(value)]];
}

/**
 * A leaf as it stands in the log: lines of at most 65,535 bytes.
 * @throws TwinwrapError BAD_FORMAT if a value can't stand in one, BAD_ARGUMENT if a time can't
 */
export function encodeLeaf(leaf: KnownLeaf): string {
  const values = leaf as unknown as Record<string, unknown>;
  const text = formatLines(KIND, [
    ["type", leaf.type],
    ["time", formatTime(leaf.time)],
    ...Object.keys(FIELDS[leaf.type]).flatMap((field) => write(field, values[field])),
  ]);
  readBack(() => decodeLeaf(text), "BAD_FORMAT");
  return text;
}

/**
 * Reads a leaf. There is one spelling: encoded again it is the same text.
 * @throws TwinwrapError BAD_FORMAT if it is malformed or too long
 */
export function decodeLeaf(text: string): Leaf {
  // No character takes less than a byte: a text far too long is not encoded just to be counted.
  if (text.length > MAX_LEAF || toUtf8(text).length > MAX_LEAF) {
    throw overLimit(`a leaf is longer than ${MAX_LEAF} bytes`);
  }
  const lines = new Lines(text, KIND);
  const type = lines.value("type");
  const time = lines.time("time");
  if (!Object.keys(FIELDS).includes(type)) {
    if (!TYPE.test(type)) throw lines.bad('"type" is no type of a leaf');
    return { type: "unknown", time, name: type };
  }
  const fields = Object.entries(FIELDS[type as KnownLeaf["type"]]);
  const values = fields.map(([field, kind]) => [field, READ[kind as FieldKind](lines, field)]);
  lines.end();
  return { type, time, ...Object.fromEntries(values) };
}
