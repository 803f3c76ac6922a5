import { type Head, inspectHead, rewrap, seal, type Wrap } from "twinwrap";
import type { Core } from "twinwrap/core";
import {
  type Authority,
  encodeLeaf,
  type FileRecord,
  formatIdentity,
  formatProof,
  type KnownLeaf,
  makeSubmission,
  type Receipt,
  type RecoveryRequest,
  type Release,
  type ReleasedKey,
  type RequestLeaf,
  recordHash,
  requestHash,
  type Signer,
  type Submission,
  signCheckpoint,
  signNote,
  submissionToJson,
  verifyAuthority,
} from "twinwrap/escrow";
import type { RsaPublicKey } from "twinwrap/keys";
import type { Pair } from "../envelope/keys.js";
import { fill, sha256 } from "./material.js";
import { newSigner } from "./signers.js";
import { RecursiveTree } from "./tree.js";

// Material for the tests of the owner's side: logs signed with node:crypto, whose proofs come from a
// tree that is RFC 6962 word for word.

/** A log that grows; nothing of it is the authority's code. */
export class TestLog {
  readonly leaves: string[] = [];
  readonly #core: Core;
  readonly signer: Signer;

  constructor(core: Core, origin: string, signer = newSigner(origin)) {
    this.#core = core;
    this.signer = signer;
  }

  add(...leaves: (KnownLeaf | string)[]): string {
    this.leaves.push(...leaves.map((leaf) => (typeof leaf === "string" ? leaf : encodeLeaf(leaf))));
    return this.leaves.at(-1)!;
  }

  /** The proof of a leaf under the tree of `size` leaves, signed by the log or by who is given. */
  async proof(
    leaf: string,
    { size = this.leaves.length, signer = this.signer } = {},
  ): Promise<string> {
    const tree = new RecursiveTree((index) => Buffer.from(this.leaves[Number(index)]!));
    const index = this.leaves.indexOf(leaf);
    const head = { origin: signer.name, size, root: tree.root(size) };
    const checkpoint = await signCheckpoint(this.#core, head, signer);
    return formatProof({ index, path: tree.path(index, size), checkpoint });
  }

  /** A receipt for a record: a leaf, two more behind it, and the proof. */
  async receipt(
    record: Uint8Array,
    options: { type?: "escrow" | "verified"; time?: Date } = {},
  ): Promise<Receipt> {
    const { type = "verified", time = new Date("2026-02-01T10:00:00Z") } = options;
    const leaf = this.add({ type, time, record, owner: fill(9) });
    this.add({ type: "policy", time, number: this.leaves.length, policy: fill(4) });
    return { leaf, proof: await this.proof(leaf) };
  }
}

/** When requests came in, before anything was released. */
const ASKED = new Date("2026-01-15T10:00:00Z");

/** What the log says of a request that came in, under a policy without waiting. */
export const requestEntry = (
  core: Core,
  request: RecoveryRequest,
  change: Partial<RequestLeaf> = {},
): RequestLeaf => ({
  type: "request",
  time: ASKED,
  request: requestHash(core, request),
  policy: fill(4),
  expires: request.expires,
  notbefore: ASKED,
  owners: [fill(9)],
  ...change,
});

/**
 * A release, all of whose proofs lead to one checkpoint.
 * @param requested the leaf of the request, which stands in the log
 */
export async function proveRelease(
  log: TestLog,
  request: RecoveryRequest,
  requested: string,
  keys: readonly Omit<ReleasedKey, "proof">[],
): Promise<Release> {
  const releases: ReleasedKey[] = [];
  for (const key of keys) releases.push({ ...key, proof: await log.proof(key.leaf) });
  return { request, requested: { leaf: requested, proof: await log.proof(requested) }, releases };
}

/** An authority with one log key and the RSA keys given, as its first identity has them. */
export async function makeAuthority(
  core: Core,
  log: Signer,
  wrapKeys: RsaPublicKey[],
): Promise<Authority> {
  const text = formatIdentity({
    origin: log.name,
    number: 1,
    previous: sha256("a policy"),
    log,
    wrapKeys,
    paddings: ["oaep"],
    ended: [],
  });
  const note = await signNote(core, text, log);
  return verifyAuthority(core, { identities: [note], policies: [] });
}

/** A sealed file with a submission for each authority. */
export async function sealFor(
  core: Core,
  to: RsaPublicKey,
  authorities: readonly Authority[],
  options: { meant?: string[]; text?: string; owner?: string } = {},
) {
  const made: Submission<FileRecord>[] = [];
  const sealed = await seal(Buffer.from(options.text ?? "hello"), {
    to: [to],
    escrow: options.meant ?? authorities.map(({ origin }) => origin),
    escrows: async ({ sessionKey, ...file }) => {
      for (const authority of authorities) {
        const owner = options.owner ?? "alice";
        made.push(await makeSubmission(core, { sessionKey, authority, owner, file }));
      }
      return made.map((submission) => ({ submission: submissionToJson(submission) }));
    },
  });
  const file = Buffer.from(await sealed.bytes());
  const records = made.map((submission) => recordHash(core, submission.record));
  return { file, head: await inspectHead(file), submissions: made, records };
}

export type Escrows = Head["header"]["escrows"];

/** A head with other escrows. */
export const withEscrows = (head: Head, escrows: Escrows): Head => ({
  ...head,
  header: { ...head.header, escrows },
});

/** A file's session key wrapped for another key, as only who opens the file can make it. */
export async function wrapOf(file: Uint8Array, from: Pair, to: Pair): Promise<Wrap> {
  const { patch } = await rewrap(file, { key: from.privateKey, add: [{ key: to.publicKey }] });
  const copy = Buffer.from(file);
  Buffer.from(patch!.bytes).copy(copy, patch!.offset);
  const { header } = await inspectHead(copy);
  return header.wraps.at(-1)!;
}
