import { partyOf, presentEscrow } from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  type ComparedLog,
  checkFile,
  checkRelease,
  type LogSource,
  LogView,
  makeRequest,
  parseProof,
  provenSubmissions,
  recipientTag,
  requestHash,
  signCheckpoint,
  withReceipt,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair, type Pair } from "../envelope/keys.js";
import { isQuick, stride } from "../quick.js";
import {
  makeAuthority,
  proveRelease,
  requestEntry,
  sealFor,
  TestLog,
  withEscrows,
  wrapOf,
} from "./client-material.js";
import { fill, NOT_VERIFIED } from "./material.js";
import { newSigner } from "./signers.js";
import { RecursiveTree } from "./tree.js";

const core = await loadCore();
const ORIGIN = "authority.example";
const TIME = new Date("2026-02-01T10:00:00Z");

const entry = (n: number, by = 1) =>
  ({ type: "policy", time: TIME, number: n + 1, policy: fill(by) }) as const;

/** A log of `size` entries that differs from others made here from entry `fork` on. */
function makeLog(size: number, fork = size, signer?: TestLog): TestLog {
  const log = new TestLog(core, ORIGIN, signer?.signer);
  for (let n = 0; n < size; n++) log.add(entry(n, n < fork ? 1 : 2));
  return log;
}
const proofOf = (log: TestLog, index: number, size = log.leaves.length) =>
  log.proof(log.leaves[index]!, { size });
/** A log that can be asked. Its proofs are by RFC 6962's own recursion. */
const sourceOf = (log: TestLog): LogSource => ({
  checkpoint: async () => {
    const size = log.leaves.length;
    const { name: origin } = log.signer;
    return signCheckpoint(core, { origin, size, root: treeOf(log).root(size) }, log.signer);
  },
  consistency: async (from, to) => treeOf(log).proof(from, to),
});
const here = (log: TestLog, logKeys = [log.signer]): ComparedLog => ({
  logKeys,
  source: sourceOf(log),
});
const treeOf = (log: TestLog) => new RecursiveTree((i) => Buffer.from(log.leaves[Number(i)]!));

describe("a view of a log", () => {
  test("takes every proof of one log, whatever its size", async () => {
    const log = makeLog(21);
    for (const view of [new LogView(core), new LogView(core, here(log))]) {
      for (let size = 1; size <= 21; size++) {
        for (let index = 0; index < size; index++) {
          await view.see(log.leaves[index]!, await proofOf(log, index, size));
        }
      }
    }
  });

  test("finds a fork wherever two proofs have a size or a complete subtree in common", async () => {
    const SIZE = 13;
    let found = 0;
    for (let fork = 0; fork < SIZE; fork++) {
      const [one, other] = [makeLog(SIZE), makeLog(SIZE, fork)];
      for (let a = 0; a < SIZE; a += 3 * stride(2)) {
        for (let b = 0; b < SIZE; b += 2 * stride(2)) {
          for (const size of [SIZE, b + 1]) {
            const proofs = [await proofOf(one, a), await proofOf(other, b, size)] as const;
            const view = new LogView(core);
            await view.see(one.leaves[a]!, proofs[0]);
            const seen = view.see(other.leaves[b]!, proofs[1]);
            if (contradicts(one, a, SIZE, other, b, size)) {
              found++;
              await expect(seen).rejects.toMatchObject({
                code: "NOT_VERIFIED",
                message: expect.stringMatching(
                  new RegExp(`forked or rewritten: .* ${SIZE} and at ${size} leaves`),
                ),
              });
            } else await seen;
          }
        }
      }
    }
    expect(found).toBeGreaterThan(isQuick ? 120 : 500);
  });

  /** The same by RFC 6962's own recursion: all ranges that both proofs show, compared. */
  function contradicts(...[x, a, m, y, b, n]: [TestLog, number, number, TestLog, number, number]) {
    const ranges = (index: number, size: number) => {
      const all: [number, number][] = [];
      const divide = (start: number, end: number) => {
        all.push([start, end]);
        if (end - start === 1 || index < start || end <= index) return;
        let k = 1;
        while (2 * k < end - start) k *= 2;
        divide(start, start + k);
        divide(start + k, end);
      };
      divide(0, size);
      return all;
    };
    const [one, other] = [treeOf(x), treeOf(y)];
    const others = ranges(b, n).map(String);
    return ranges(a, m)
      .filter((range) => others.includes(String(range)))
      .some(([s, e]) => {
        const hashes = [one, other].map((tree) => tree.hash(BigInt(s), BigInt(e)));
        return !Buffer.from(hashes[0]!).equals(Buffer.from(hashes[1]!));
      });
  }

  test("is compared with the log itself: forked, rolled back, or another log", async () => {
    const log = makeLog(9);
    const fork = makeLog(9, 8);
    const view = new LogView(core, here(log));
    await view.see(log.leaves[3]!, await proofOf(log, 3, 5));
    await expect(view.see(fork.leaves[3]!, await proofOf(fork, 3))).rejects.toMatchObject({
      message: expect.stringMatching(/forked or rewritten: of its 9 leaves, the first 9/),
    });
    const longer = makeLog(12);
    await expect(view.see(longer.leaves[3]!, await proofOf(longer, 3))).rejects.toMatchObject({
      code: "NOT_VERIFIED",
      message: "the log was rolled back: it has 9 leaves, but signed 12",
    });
    // What was refused is not remembered, and the log under another name is not asked.
    await view.see(log.leaves[3]!, await proofOf(log, 3));
    const elsewhere = new LogView(core, here(log, [newSigner("second.example")]));
    await elsewhere.see(fork.leaves[3]!, await proofOf(fork, 3));
    log.add(...longer.leaves.slice(9));
    await view.see(longer.leaves[3]!, await proofOf(longer, 3));
  });
});

test("a log that shows two histories, one after the other, is found out", async () => {
  const [log, fork] = [makeLog(3), makeLog(14, 2)];
  const forked = new TestLog(core, ORIGIN, log.signer);
  forked.add(...fork.leaves);
  let shown = log;
  const source: LogSource = {
    checkpoint: () => sourceOf(shown).checkpoint(),
    consistency: (from, to) => sourceOf(shown).consistency(from, to),
  };
  const view = new LogView(core, { logKeys: [log.signer], source });
  await view.see(log.leaves[2]!, await proofOf(log, 2, 3));
  shown = forked;
  // The new proof belongs to what the log shows now, and shares no size and no subtree with what was seen.
  await expect(view.see(forked.leaves[12]!, await proofOf(forked, 12, 13))).rejects.toMatchObject({
    message: expect.stringMatching(/forked or rewritten: of its 14/),
  });
});

describe("a file's receipts in a view", () => {
  let alice: Pair;
  let log: TestLog;
  let fork: TestLog;
  let authority: Authority;
  beforeAll(async () => {
    const pairs = await Promise.all([makePair(), makePair()]);
    alice = pairs[0];
    log = makeLog(6);
    fork = makeLog(6, 6, log);
    authority = await makeAuthority(core, log.signer, [pairs[1].publicKey]);
  });
  const escrowed = async (by: TestLog) => {
    const made = await sealFor(core, alice.publicKey, [authority]);
    const receipt = await by.receipt(made.records[0]!);
    const head = withEscrows(made.head, withReceipt(core, made.head, receipt));
    return { ...made, head, receipt };
  };

  test("one of a fork is a mismatch, and what nobody signed shows nothing", async () => {
    const view = new LogView(core);
    const [one, other] = [await escrowed(log), await escrowed(fork)];
    const status = async (
      head: typeof one.head,
      seen?: LogView,
      by: typeof authority | undefined = authority,
    ) => (await checkFile(core, head, by, seen))[0]!;
    expect(await status(one.head, view)).toMatchObject({ status: "verified" });
    expect(await status(other.head, view)).toMatchObject({
      status: "mismatch",
      shown: false,
      reason: expect.stringMatching(/forked or rewritten/),
    });
    await expect(provenSubmissions(core, other.head, authority, view)).rejects.toEqual(
      NOT_VERIFIED,
    );
    expect(await provenSubmissions(core, one.head, authority, view)).toHaveLength(1);
    expect(await status(other.head)).toMatchObject({ status: "verified" });
    // Somebody else's log under the same name.
    const forger = makeLog(6, 3);
    const forged = await escrowed(forger);
    const fresh = new LogView(core);
    expect(await status(forged.head, fresh)).toMatchObject({ status: "mismatch" });
    expect(await provenSubmissions(core, forged.head, authority, fresh)).toEqual([]);
    expect(await status(one.head, fresh)).toMatchObject({ status: "verified" });
  });

  test("every receipt that the authority signed is compared, whatever it stands beside", async () => {
    const [one, other] = [await escrowed(log), await escrowed(fork)];
    const [escrow] = other.head.header.escrows;
    // Beside a submission of another file, and beside one to another authority.
    const misfit = withEscrows(one.head, [...one.head.header.escrows, escrow!]);
    const elsewhere = await sealFor(core, alice.publicKey, [
      await makeAuthority(core, newSigner("other.example"), [authority.wrapKey]),
    ]);
    const [theirs] = elsewhere.head.header.escrows;
    const foreign = withEscrows(one.head, [
      ...one.head.header.escrows,
      { ...theirs!, receipt: escrow!.receipt! },
    ]);
    for (const head of [misfit, foreign]) {
      const view = new LogView(core);
      const reports = await checkFile(core, head, authority, view);
      expect(reports.map(({ status }) => status)).toEqual(["verified", "mismatch"]);
      expect(reports[1]!.reason).toMatch(/forked or rewritten/);
      expect(view.contradiction).toBe(reports[1]!.reason);
      const again = provenSubmissions(core, head, authority, new LogView(core));
      await expect(again).rejects.toEqual(NOT_VERIFIED);
    }
    const view = new LogView(core);
    await checkFile(core, one.head, authority, view);
    expect(view.contradiction).toBeUndefined();
  });

  test("an owner who escrows again is told of two histories, not that all is well", async () => {
    const [one, other] = [await escrowed(log), await escrowed(fork)];
    const party = partyOf(core, authority);
    expect(await presentEscrow(party, one.head)).toMatchObject({ status: "verified" });
    await expect(presentEscrow(party, other.head)).rejects.toEqual(NOT_VERIFIED);
    expect(party.view.contradiction).toMatch(/forked or rewritten/);
    expect(await presentEscrow(partyOf(core, authority), other.head)).toMatchObject({
      status: "verified",
    });
  });

  test("and a release is of the log that the file's receipt is of", async () => {
    const file = await escrowed(log);
    const fresh = await makePair();
    const [record] = file.records;
    const request = makeRequest({
      authority: ORIGIN,
      requester: "Alice",
      recipient: fresh.publicKey,
      records: [record!],
    });
    const wrap = await wrapOf(file.file, alice, fresh);
    const releaseOf = async (by: TestLog) => {
      const requested = by.add(requestEntry(core, request));
      const leaf = by.add({
        type: "release",
        time: TIME,
        record: record!,
        owner: fill(9),
        request: requestHash(core, request),
        policy: fill(4),
        approvals: fill(5),
        recipient: recipientTag(core, file.submissions[0]!.record.blind, wrap.fingerprint),
        basis: "quorum",
      });
      return proveRelease(by, request, requested, [{ record: record!, wrap, leaf }]);
    };
    const view = new LogView(core);
    await provenSubmissions(core, file.head, authority, view);
    const good = await releaseOf(log);
    await checkRelease(core, good, authority, { request }, view);
    const bad = await releaseOf(fork);
    await checkRelease(core, bad, authority, { request });
    expect(parseProof(bad.releases[0]!.proof).index).toBeGreaterThan(0);
    await expect(checkRelease(core, bad, authority, { request }, view)).rejects.toMatchObject({
      message: expect.stringMatching(/forked or rewritten/),
    });
  });
});
