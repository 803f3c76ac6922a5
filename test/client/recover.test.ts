import {
  addReleased,
  checkRecipient,
  handIn,
  type KnownRecord,
  makeAsked,
  partyOf,
  presentEscrow,
  recordsByHash,
  recordsToAsk,
  recordsWithSerial,
  renewEscrow,
  replaceReleased,
  takeRelease,
} from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import { amend, inspectHead, rewrap } from "twinwrap/envelope";
import {
  type Authority,
  type EndedLog,
  encodeRecord,
  makeRequest,
  type Receipt,
  type RecordQuery,
  type RecordStatus,
  recipientTag,
  recordHash,
  requestHash,
  type StoredRecord,
  withReceipt,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair, type Pair } from "../envelope/keys.js";
import {
  makeAuthority,
  proveRelease,
  requestEntry,
  sealFor,
  TestLog,
  withEscrows,
  wrapOf,
} from "../escrow/client-material.js";
import { fill, NOT_VERIFIED } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { RecursiveTree } from "../escrow/tree.js";
import { clientOf } from "./material.js";

const core = await loadCore();
const failing = (code: string) => expect.objectContaining({ code });

let alice: Pair;
let fresh: Pair;
let log: TestLog;
let authority: Authority;
beforeAll(async () => {
  const pairs = await Promise.all([makePair(), makePair(), makePair()]);
  [alice, fresh] = [pairs[0], pairs[1]];
  log = new TestLog(core, "authority.example");
  authority = await makeAuthority(core, log.signer, [pairs[2].publicKey]);
});
const sealed = () => sealFor(core, alice.publicKey, [authority]);

function stored(record: Uint8Array, status: RecordStatus): StoredRecord {
  const verifiedLeaf = status === "verified" || status === "released" ? 1 : undefined;
  return { record, status, escrowLeaf: 0, verifiedLeaf, wraps: [] };
}

/** An authority that has these records, in pages of two. */
const having = (rows: readonly StoredRecord[]) =>
  clientOf({
    records: async (query: RecordQuery, { cursor = "0" } = {}) => {
      const fitting = rows.filter(({ status }) => status === query.status);
      const at = Number(cursor);
      const next = at + 2 < fitting.length ? String(at + 2) : undefined;
      return { rows: fitting.slice(at, at + 2), next };
    },
    record: async (hash) =>
      rows.find(({ record }) => Buffer.from(recordHashOfBytes(record)).equals(hash)),
  });
const known = new Map<Uint8Array, Uint8Array>();
const recordHashOfBytes = (bytes: Uint8Array) => known.get(bytes)!;

/** Records of one file that differ in what a stranger can choose. */
async function records(count: number) {
  const file = await sealed();
  const { record: first } = file.submissions[0]!;
  const all = Array.from({ length: count }, (_, i) => ({ ...first, blind: fill(i + 1) }));
  const rows = all.map((record, i) => {
    const bytes = encodeRecord(record);
    known.set(bytes, recordHash(core, record));
    return stored(bytes, i === count - 1 ? "verified" : "unverified");
  });
  return { file, all, rows };
}

test("nothing is asked for a key of the authority itself", () => {
  const options = { requester: "Alice", records: [fill(1)] };
  const party = partyOf(core, authority);
  expect(() => makeAsked(party, { ...options, recipient: authority.wrapKey })).toThrow(
    failing("REFUSED"),
  );
  expect(makeAsked(party, { ...options, recipient: fresh.publicKey }).id).toHaveLength(26);
});

const KNOWN = { known: true, lost: false, contradiction: undefined };

describe("the records to ask for", () => {
  test("of a serial: all pages, and what was opened comes first", async () => {
    const { file, all, rows } = await records(9);
    const party = partyOf(core, authority, having(rows));
    const hashes: Uint8Array[] = [];
    for await (const { hash } of recordsWithSerial(party, file.head.header.serial)) {
      hashes.push(hash);
    }
    expect(hashes).toHaveLength(9);
    expect(hashes[0]).toEqual(recordHash(core, all[8]!));
  });

  test("of a file whose header lost its submission: the verified one outweighs all others", async () => {
    const { file, all, rows } = await records(7);
    const party = partyOf(core, authority, having(rows));
    const head = withEscrows(file.head, []);
    expect(await recordsToAsk(party, head)).toEqual({
      records: [recordHash(core, all[6]!)],
      ...KNOWN,
    });
    const junk = partyOf(core, authority, having(rows.slice(0, 6)));
    expect((await recordsToAsk(junk, head)).records).toHaveLength(6);
    await expect(recordsToAsk(partyOf(core, authority, having([])), head)).rejects.toEqual(
      failing("NOT_FOUND"),
    );
    await expect(recordsToAsk(partyOf(core, authority), head)).rejects.toEqual(
      failing("NOT_FOUND"),
    );
  });

  test("where nobody can be asked: what the file holds, and whether a receipt shows it", async () => {
    const file = await sealed();
    const party = partyOf(core, authority);
    expect(await recordsToAsk(party, file.head)).toEqual({
      records: file.records,
      ...KNOWN,
      known: false,
    });
    const receipt = await log.receipt(file.records[0]!);
    const proven = withEscrows(file.head, withReceipt(core, file.head, receipt));
    expect(await recordsToAsk(party, proven)).toEqual({ records: file.records, ...KNOWN });
  });

  test("an authority that answers with something else is not believed", async () => {
    const { file, rows } = await records(2);
    const other = await sealed();
    const foreign = partyOf(core, authority, having(rows));
    const reading = recordsWithSerial(foreign, other.head.header.serial).next();
    await expect(reading).rejects.toEqual(NOT_VERIFIED);
    const swapping = clientOf({ record: async () => rows[0]! });
    const asking = recordsByHash(partyOf(core, authority, swapping), file.records);
    await expect(asking).rejects.toEqual(NOT_VERIFIED);
  });
});

describe("an escrow", () => {
  test("that was handed in has a receipt for it, and no other", async () => {
    const [one, other] = [await sealed(), await sealed()];
    const receiptOf = (record: Uint8Array) =>
      clientOf({
        submit: async () => [{ record, isNew: true, receipt: await log.receipt(record) }],
        checkpoint: async () => undefined,
      });
    const submission = one.submissions[0]!;
    const wrong = partyOf(core, authority, receiptOf(other.records[0]!));
    await expect(handIn(wrong, submission)).rejects.toEqual(NOT_VERIFIED);
    // A receipt whose log is not there to be compared with is none either.
    const right = partyOf(core, authority, receiptOf(one.records[0]!));
    await expect(handIn(right, submission)).rejects.toThrow(/rolled back/);
    expect(await handIn(partyOf(core, authority), submission)).toBeUndefined();
  });

  test("that a file holds is the one that is furthest, of the owner who is asked for", async () => {
    const file = await sealed();
    const party = partyOf(core, authority);
    expect(await presentEscrow(party, file.head)).toMatchObject({ status: "pending" });
    expect(await presentEscrow(party, file.head, "somebody else")).toBeUndefined();
    const receipt = await log.receipt(file.records[0]!, { type: "escrow" });
    const head = withEscrows(file.head, withReceipt(core, file.head, receipt));
    expect(await presentEscrow(party, head)).toMatchObject({ status: "unverified" });
  });
});

/** The authority once the log has ended of which it kept so much. */
const endedAt = (size: number, next = newSigner(`${log.signer.name}/2`)): Authority => {
  const tree = new RecursiveTree((i) => Buffer.from(log.leaves[Number(i)]!));
  const kept = { size, root: tree.root(size) };
  const all = log.leaves.length;
  const end = { size: all, root: tree.root(all) };
  const ended: EndedLog = { ...authority.logKeys[0]!, kept, end };
  return { ...authority, logKeys: [next, ended] };
};

describe("after a log has ended", () => {
  /** A file with its receipt, and the leaf's index. */
  async function escrowed() {
    const file = await sealed();
    const receipt = await log.receipt(file.records[0]!);
    const head = withEscrows(file.head, withReceipt(core, file.head, receipt));
    return { ...file, head, receipt, index: log.leaves.indexOf(receipt.leaf) };
  }
  const askedFor: string[] = [];
  /** An authority with another log, which answers with these receipts. */
  const answering = (next: TestLog, kept: Receipt | undefined) =>
    clientOf({
      record: async () => undefined,
      receipt: async () => {
        askedFor.push("receipt");
        return kept;
      },
      submit: async ([submission]) => {
        askedFor.push("submit");
        const record = recordHash(core, submission!.record);
        return [{ record, isNew: true, receipt: await next.receipt(record) }];
      },
      checkpoint: async () => {
        const proof = await next.proof(next.leaves[0]!);
        return proof.slice(proof.indexOf("\n\n") + 2);
      },
      consistency: async (from: number, to: number) =>
        new RecursiveTree((i) => Buffer.from(next.leaves[Number(i)]!)).proof(from, to),
    });
  const newLog = () => new TestLog(core, `${log.signer.name}/2`);

  test("what was lost is sent again, what was kept is asked for, and that has to lead there", async () => {
    const { head, index, receipt, records } = await escrowed();
    const lost = newLog();
    const losing = partyOf(core, endedAt(index, lost.signer), answering(lost, undefined));
    const gone = await presentEscrow(losing, head);
    expect(gone).toMatchObject({ status: "lost", held: { receipt } });
    askedFor.length = 0;
    const sent = await renewEscrow(losing, gone!);
    expect(askedFor).toEqual(["submit"]);
    expect(sent).toMatchObject({ status: "verified", isCarried: false });
    expect(sent.receipt).toEqual({
      leaf: lost.leaves[0],
      proof: await lost.proof(lost.leaves[0]!, { size: 2 }),
    });

    const { leaf: unopened } = await log.receipt(records[0]!, { type: "escrow" });
    const size = log.leaves.length;
    const confirming = newLog();
    const kept = { leaf: receipt.leaf, proof: await log.proof(receipt.leaf) };
    for (const [answer, way] of [
      [kept, ["receipt"]],
      // The receipt that the file has, and one of a record that is not opened.
      [receipt, ["receipt", "submit"]],
      [{ leaf: unopened, proof: await log.proof(unopened) }, ["receipt", "submit"]],
      [undefined, ["receipt", "submit"]],
    ] as const) {
      const party = partyOf(core, endedAt(size, confirming.signer), answering(confirming, answer));
      const found = await presentEscrow(party, head);
      expect(found).toMatchObject({ status: "unconfirmed" });
      askedFor.length = 0;
      const renewed = await renewEscrow(party, found!);
      expect(askedFor).toEqual(way);
      expect(renewed).toMatchObject({ status: "verified", isCarried: false });
      if (answer === kept) expect(renewed.receipt).toEqual(kept);
    }
    const away = partyOf(core, endedAt(size));
    expect(await renewEscrow(away, (await presentEscrow(away, head))!)).toEqual({
      status: "unconfirmed",
      receipt: undefined,
      isCarried: true,
    });
    expect(await recordsToAsk(away, head)).toEqual({ records, ...KNOWN });
  });

  test("verified is what the authority has now, whatever a receipt says", async () => {
    const { head, records } = await escrowed();
    const row = stored(new Uint8Array(), "verified");
    const source = {
      checkpoint: async () => {
        const proof = await log.proof(log.leaves[0]!);
        return proof.slice(proof.indexOf("\n\n") + 2);
      },
      consistency: async (from: number, to: number) =>
        new RecursiveTree((i) => Buffer.from(log.leaves[Number(i)]!)).proof(from, to),
    };
    const submit = async () => [
      { record: records[0]!, isNew: true, receipt: await log.receipt(records[0]!) },
    ];
    for (const there of [true, false]) {
      const record = async () => (there ? row : undefined);
      const party = partyOf(core, authority, clientOf({ ...source, record, submit }));
      const found = await presentEscrow(party, head);
      expect(found).toMatchObject({ status: "verified" });
      const { receipt } = await renewEscrow(party, found!);
      expect(receipt === undefined).toBe(there);
    }
  });

  test("what was lost is not asked for as if it were there", async () => {
    const { head, index, records } = await escrowed();
    const authority = endedAt(index);
    expect(await recordsToAsk(partyOf(core, authority), head)).toEqual({
      records,
      known: false,
      lost: true,
      contradiction: undefined,
    });
    const here = partyOf(core, authority, having([]));
    await expect(recordsToAsk(here, head)).rejects.toThrow(/lost the submission .* sent again/);
  });
});

describe("what was released", () => {
  async function released() {
    const file = await sealed();
    const [record] = file.records;
    const request = makeRequest({
      authority: authority.origin,
      requester: "Alice",
      recipient: fresh.publicKey,
      records: [record!],
    });
    const wrap = await wrapOf(file.file, alice, fresh);
    const requested = log.add(requestEntry(core, request));
    const leaf = log.add({
      type: "release",
      time: new Date("2026-02-01T10:00:00Z"),
      record: record!,
      owner: fill(9),
      request: requestHash(core, request),
      policy: fill(4),
      approvals: fill(5),
      recipient: recipientTag(core, file.submissions[0]!.record.blind, wrap.fingerprint),
      basis: "quorum",
    });
    const key = { record: record!, wrap, leaf };
    const release = await proveRelease(log, request, requested, [key]);
    return { file, request, wrap, release };
  }

  test("goes into a file once, by whichever way and padding it came", async () => {
    const { file, request, wrap, release } = await released();
    const party = partyOf(core, authority);
    const recovery = await takeRelease(party, release, { request });
    const first = await addReleased(recovery)(file.head);
    expect(first.wraps).toEqual([...file.head.header.wraps, wrap]);
    const there = { ...file.head, header: { ...file.head.header, wraps: first.wraps } };
    expect((await addReleased(recovery)(there)).wraps).toEqual(first.wraps);
    // The same block said to be padded otherwise is another wrap.
    const odd = { ...wrap, padding: "pkcs1-v1_5" as const };
    const beside = {
      ...file.head,
      header: { ...file.head.header, wraps: [...file.head.header.wraps, odd] },
    };
    expect((await addReleased(recovery)(beside)).wraps).toHaveLength(3);
    const { patch } = await amend(file.file, addReleased(recovery));
    expect(patch).toBeDefined();
  });

  test("is found by a submission that was kept, where the header lost its own", async () => {
    const { file, request, release } = await released();
    const head = withEscrows(file.head, []);
    const record = file.submissions[0]!.record;
    const kept: KnownRecord[] = [{ record, hash: file.records[0]! }];
    const party = partyOf(core, authority);
    const without = await takeRelease(party, release, { request });
    await expect(addReleased(without)(head)).rejects.toEqual(failing("NOT_FOUND"));
    const recovery = await takeRelease(party, release, { request }, kept);
    expect((await addReleased(recovery)(head)).wraps).toHaveLength(2);
  });

  test("is one's own only with the request, or the key that it is for", async () => {
    const { request, release } = await released();
    const party = partyOf(core, authority);
    const other = { ...request, requester: "Bob" };
    await expect(takeRelease(party, release, { request: other })).rejects.toEqual(NOT_VERIFIED);
    const recovery = await takeRelease(party, release, undefined);
    await checkRecipient(recovery, fresh.privateKey);
    await expect(checkRecipient(recovery, alice.privateKey)).rejects.toEqual(NOT_VERIFIED);
  });

  test("needs the private key where its log has ended and nothing shows that it was kept", async () => {
    const { file, request, release } = await released();
    await log.receipt(fill(1));
    const confirmed = await takeRelease(partyOf(core, authority), release, { request });
    expect((await addReleased(confirmed)(file.head)).wraps).toHaveLength(2);
    const party = partyOf(core, endedAt(log.leaves.length));
    const recovery = await takeRelease(party, release, { request });
    await expect(addReleased(recovery)(file.head)).rejects.toThrow(/only the private key can tell/);
    let told: unknown;
    const change = replaceReleased(recovery, fresh.privateKey, {}, (replacing) => {
      told = replacing.unshown;
    });
    const { patch } = await rewrap(file.file, change);
    expect(told).toEqual({ unconfirmed: true, lost: false, contradiction: undefined });
    const copy = Buffer.from(file.file);
    Buffer.from(patch!.bytes).copy(copy, patch!.offset);
    expect((await inspectHead(copy)).header.wraps).toHaveLength(2);
    // Of another key than the file's the private key tells that it is wrong.
    const strange = await wrapOf((await sealed()).file, alice, fresh);
    const other = { ...release.releases[0]!, wrap: strange };
    const wrong = await takeRelease(party, { ...release, releases: [other] }, { request });
    await expect(rewrap(file.file, replaceReleased(wrong, fresh.privateKey))).rejects.toEqual(
      failing("DECRYPTION_FAILED"),
    );
  });

  test("takes only wraps away that the file has, and tells which", async () => {
    const { file, request, release } = await released();
    const recovery = await takeRelease(partyOf(core, authority), release, { request });
    const mine = file.head.header.wraps[0]!.fingerprint;
    let told: unknown;
    const change = replaceReleased(recovery, fresh.privateKey, { remove: [mine, fill(7)] }, (r) => {
      told = r;
    });
    expect((await change(file.head)).remove).toEqual([mine]);
    expect(told).toMatchObject({ removed: [mine], origins: [authority.origin] });
    expect(await inspectHead(file.file)).toBeDefined();
  });
});
