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
  replaceReleased,
  takeRelease,
} from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import { amend, inspectHead } from "twinwrap/envelope";
import {
  type Authority,
  encodeRecord,
  makeRequest,
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
