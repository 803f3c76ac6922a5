import { loadCore } from "twinwrap/core";
import {
  type Authority,
  attachReceipt,
  checkFile,
  checkReceipt,
  checkRelease,
  checkSubmission,
  type EscrowStatus,
  formatPolicy,
  isRecoverable,
  LogView,
  makeRequest,
  parsePolicy,
  parseProof,
  provenSubmissions,
  type Receipt,
  receiptToJson,
  recipientTag,
  requestHash,
  signNote,
  statusText,
  submissionsToAsk,
  submissionToJson,
  verifyCheckpoint,
  weighedSubmissions,
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
} from "./client-material.js";
import { fill, NOT_VERIFIED, ONE_OFFICER, spareKey } from "./material.js";
import { newSigner } from "./signers.js";
import { RecursiveTree } from "./tree.js";

// What a log that has ended is worth to those who hold its proofs. Its tree is RFC 6962's own recursion.

const core = await loadCore();
const ORIGIN = "authority.example";
const TIME = new Date("2026-02-01T10:00:00Z");
const [KEPT, END, SIZE] = [11, 14, 17];

let alice: Pair;
let fresh: Pair;
let first: TestLog;
let next: TestLog;
let before: Authority;
let authority: Authority;

type Sealed = Awaited<ReturnType<typeof sealFor>>;
/** Files. The leaf of each one's record stands at the same index of the first log. */
const sealed: Sealed[] = [];
const rootOf = (log: TestLog, size: number) =>
  new RecursiveTree((i) => Buffer.from(log.leaves[Number(i)]!)).root(size);
const endedAt = (log: TestLog, kept: number, end: number): Authority => ({
  ...before,
  logKeys: [
    next.signer,
    {
      ...before.logKeys[0]!,
      ...{
        kept: { size: kept, root: rootOf(log, kept) },
        end: { size: end, root: rootOf(log, end) },
      },
    },
  ],
});

beforeAll(async () => {
  const pairs = await Promise.all([makePair(), makePair(), makePair()]);
  [alice, fresh] = [pairs[0], pairs[1]];
  first = new TestLog(core, ORIGIN);
  next = new TestLog(core, `${ORIGIN}/2`);
  before = await makeAuthority(core, first.signer, [pairs[2].publicKey]);
  for (let i = 0; i < SIZE; i++) {
    const made = await sealFor(core, alice.publicKey, [before]);
    sealed.push(made);
    first.add({ type: "verified", time: TIME, record: made.records[0]!, owner: fill(9) });
  }
  const text = formatPolicy({
    ...ONE_OFFICER,
    authority: ORIGIN,
    officers: [{ name: "ann", key: newSigner("ann").publicKey, share: spareKey(0), self: [] }],
  });
  const policy = parsePolicy(core, await signNote(core, text, first.signer));
  authority = { ...endedAt(first, KEPT, END), policies: [policy] };
});

const receiptAt = async (index: number, size: number): Promise<Receipt> => {
  const leaf = first.leaves[index]!;
  return { leaf, proof: await first.proof(leaf, { size }) };
};
const holding = ({ head, submissions }: Sealed, receipt: Receipt) =>
  withEscrows(head, [
    { submission: submissionToJson(submissions[0]!), receipt: receiptToJson(receipt) },
  ]);
/** The rule of the format, as it stands there. */
const ruleFor = (index: number, size: number): EscrowStatus => {
  if (index >= END) return "after the end";
  if (index >= KEPT) return "lost";
  return size === KEPT ? "verified" : "unconfirmed";
};

describe("a receipt of a log that has ended", () => {
  test("is confirmed, unconfirmed, lost or of after the end, by its index and where it leads", async () => {
    const met = new Set<EscrowStatus>();
    for (const index of [0, 5, KEPT - 1, KEPT, END - 1, END, SIZE - 1]) {
      for (let size = index + 1; size <= SIZE; size++) {
        const receipt = await receiptAt(index, size);
        const head = holding(sealed[index]!, receipt);
        const expected = ruleFor(index, size);
        met.add(expected);
        const view = new LogView(core, { logKeys: authority.logKeys });
        const reports = await checkFile(core, head, authority, view);
        const counts = expected === "verified";
        expect(reports, `${index} of ${size}`).toMatchObject([
          {
            status: expected,
            shown: counts,
            index,
            checkpoint: { size, origin: ORIGIN },
            time: TIME,
          },
        ]);
        expect(isRecoverable(reports, authority)).toBe(counts);
        expect(view.contradiction).toBeUndefined();
        const { submissions } = sealed[index]!;
        expect(await checkSubmission(core, submissions[0]!, receipt, authority)).toEqual(
          reports[0],
        );
        const checked = checkReceipt(core, submissions[0]!, receipt, authority);
        const isKept = counts || expected === "unconfirmed";
        if (isKept) expect((await checked).worth).toBe(counts ? "full" : "unconfirmed");
        else await expect(checked).rejects.toThrow(/lost: .* sent again/);
        expect(await provenSubmissions(core, head, authority)).toHaveLength(isKept ? 1 : 0);
        expect(await submissionsToAsk(core, head, authority)).toMatchObject({
          held: [{ receipt }],
          proven: isKept,
          lost: !isKept,
        });
        // To whoever does not know of the end yet, it is as good as it ever was.
        expect(await checkFile(core, head, before)).toMatchObject([
          { status: "verified", shown: true },
        ]);
      }
    }
    expect([...met].sort()).toEqual(["after the end", "lost", "unconfirmed", "verified"]);
  });

  test("says so in words", async () => {
    const textOf = async (index: number, size: number) => {
      const head = holding(sealed[index]!, await receiptAt(index, size));
      return statusText((await checkFile(core, head, authority))[0]!);
    };
    expect(await textOf(3, KEPT)).toBe(`verified by ${ORIGIN} on 2026-02-01T10:00:00Z`);
    expect(await textOf(3, 7)).toMatch(
      /^unconfirmed: taken in by authority.example on .* has ended, .* it was kept$/,
    );
    expect(await textOf(KEPT, END)).toMatch(
      /^lost: .* but authority.example lost it: send it again$/,
    );
    expect(await textOf(END, SIZE)).toMatch(/^lost: signed .* after that log had ended: send it/);
  });

  test("that contradicts where it ended is a mismatch, and every command hears of it", async () => {
    // The same key signed another history: its root at what was kept, or at the end, is another one.
    const fork = new TestLog(core, ORIGIN, first.signer);
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [before]);
    for (let i = 0; i < SIZE; i++)
      fork.add(
        i === 2
          ? { type: "verified", time: TIME, record: records[0]!, owner: fill(9) }
          : first.leaves[i]!,
      );
    for (const size of [KEPT, END]) {
      const receipt = { leaf: fork.leaves[2]!, proof: await fork.proof(fork.leaves[2]!, { size }) };
      const now = holding({ head, submissions } as Sealed, receipt);
      const view = new LogView(core, { logKeys: authority.logKeys });
      expect(await checkFile(core, now, authority, view)).toMatchObject([
        { status: "mismatch", shown: false, reason: expect.stringMatching(/forked or rewritten/) },
      ]);
      expect(view.contradiction).toMatch(new RegExp(`at ${size} leaves is not what its authority`));
      await expect(checkReceipt(core, submissions[0]!, receipt, authority)).rejects.toEqual(
        NOT_VERIFIED,
      );
      const seen = new LogView(core, { logKeys: authority.logKeys });
      await expect(weighedSubmissions(core, now, authority, seen)).rejects.toEqual(NOT_VERIFIED);
    }
    // Beyond the end its key can sign what it likes: that shows nothing, and confirms nothing.
    const late = { leaf: fork.leaves[2]!, proof: await fork.proof(fork.leaves[2]!) };
    const view = new LogView(core, { logKeys: authority.logKeys });
    const reports = await checkFile(
      core,
      holding({ head, submissions } as Sealed, late),
      authority,
      view,
    );
    expect(reports).toMatchObject([{ status: "unconfirmed", shown: false }]);
    expect(view.contradiction).toBeUndefined();
  });

  test("gives way to one that counts, and never the other way round", async () => {
    const attach = async (present: Receipt, coming: Receipt, at: Sealed) => {
      const escrows = await attachReceipt(core, holding(at, present), coming, authority);
      return escrows[0]!.receipt;
    };
    const again = async (index: number, type: "escrow" | "verified" = "escrow") =>
      next.receipt(sealed[index]!.records[0]!, { type });
    // Lost, and sent again: the new log's receipt, also if it is not opened yet.
    for (const [index, size] of [
      [KEPT, END],
      [END, SIZE],
    ] as const) {
      const at = sealed[index]!;
      const [lost, coming] = [await receiptAt(index, size), await again(index)];
      expect(await attach(lost, coming, at)).toEqual(receiptToJson(coming));
      await expect(attach(coming, lost, at)).rejects.toThrow(/lost/);
      await expect(attachReceipt(core, at.head, lost, authority)).rejects.toEqual(NOT_VERIFIED);
    }
    const at = sealed[4]!;
    const [early, later, kept] = [
      await receiptAt(4, 6),
      await receiptAt(4, 9),
      await receiptAt(4, KEPT),
    ];
    expect(await attach(early, kept, at)).toEqual(receiptToJson(kept));
    expect(await attach(kept, early, at)).toEqual(receiptToJson(kept));
    expect(await attach(early, later, at)).toEqual(receiptToJson(later));
    expect(await attach(early, await again(4), at)).toMatchObject({
      leaf: expect.stringContaining("type escrow"),
    });
    expect(await attach(kept, await again(4), at)).toEqual(receiptToJson(kept));
  });
});

describe("a view of a log that has ended", () => {
  const seeAt = async (view: LogView, log: TestLog, index: number, size: number) =>
    view.see(log.leaves[index]!, await log.proof(log.leaves[index]!, { size }));

  test("takes every proof up to the end, whatever the log in use is, and learns nothing beyond", async () => {
    const asked = async (): Promise<never> => {
      throw new Error("the log in use was asked about one that has ended");
    };
    const source = { checkpoint: asked, consistency: asked };
    const view = new LogView(core, { logKeys: authority.logKeys, source });
    const fork = new TestLog(core, ORIGIN, first.signer);
    fork.add(...first.leaves.slice(0, SIZE - 1), first.leaves[0]!);
    for (let size = 1; size <= SIZE; size++) {
      for (let index = 0; index < size; index++) await seeAt(view, first, index, size);
    }
    await seeAt(view, fork, 5, SIZE);
    expect(view.contradiction).toBeUndefined();
  });

  test("finds what does not go with the end, also in a larger proof, and two that don't go together", async () => {
    // Kept at a power of two: the tree of that size is a part of every larger one.
    const ended = endedAt(first, 8, END);
    const fork = new TestLog(core, ORIGIN, first.signer);
    fork.add(first.leaves[1]!, ...first.leaves.slice(1));
    const view = () => new LogView(core, { logKeys: ended.logKeys });
    for (const [index, size] of [
      [9, 12],
      [3, 8],
      [3, 10],
      [12, END],
    ] as const) {
      await expect(seeAt(view(), fork, index, size)).rejects.toThrow(/its authority says of/);
      await seeAt(view(), first, index, size);
    }
    // What was lost is compared as well: there is no third history.
    const tail = new TestLog(core, ORIGIN, first.signer);
    tail.add(...first.leaves.slice(0, 8), first.leaves[0]!, ...first.leaves.slice(9));
    const seen = view();
    await seeAt(seen, first, 8, 9);
    await expect(seeAt(seen, tail, 8, 9)).rejects.toThrow(
      /at 9 and at 9 leaves contradicts itself/,
    );
    expect(seen.contradiction).toBeDefined();
  });

  test("a checkpoint beyond the end, or that contradicts it, counts for nobody", async () => {
    const checkpoint = async (log: TestLog, size: number) =>
      parseProof(await log.proof(log.leaves[0]!, { size })).checkpoint;
    const { logKeys } = authority;
    expect(await verifyCheckpoint(core, await checkpoint(first, END), logKeys)).toMatchObject({
      size: END,
    });
    await expect(verifyCheckpoint(core, await checkpoint(first, END + 1), logKeys)).rejects.toThrow(
      /ended at 14/,
    );
    const fork = new TestLog(core, ORIGIN, first.signer);
    fork.add(first.leaves[0]!, ...first.leaves.slice(2), first.leaves[1]!);
    await expect(verifyCheckpoint(core, await checkpoint(fork, KEPT), logKeys)).rejects.toThrow(
      /other leaves/,
    );
  });
});

describe("a release out of a log that has ended", () => {
  test("counts if it leads to what was kept; before, only the private key can tell; what was lost is asked again", async () => {
    const log = new TestLog(core, ORIGIN, first.signer);
    log.add(...first.leaves.slice(0, 3));
    const { file, records, submissions } = sealed[0]!;
    const wrap = await wrapOf(file, alice, fresh);
    const request = makeRequest({
      authority: ORIGIN,
      requester: "Alice",
      recipient: fresh.publicKey,
      records: [records[0]!],
    });
    const requested = log.add(requestEntry(core, request));
    const leaf = log.add({
      type: "release",
      time: TIME,
      record: records[0]!,
      owner: fill(9),
      request: requestHash(core, request),
      policy: fill(4),
      approvals: fill(5),
      basis: "quorum",
      recipient: recipientTag(core, submissions[0]!.record.blind, wrap.fingerprint),
    });
    const release = await proveRelease(log, request, requested, [
      { record: records[0]!, wrap, leaf },
    ]);
    log.add(...first.leaves.slice(5, 9));
    const take = (kept: number, end: number) =>
      checkRelease(core, release, endedAt(log, kept, end), { request });
    expect(await take(5, 5)).toMatchObject({ confirmed: true });
    expect(await take(5, 8)).toMatchObject({ confirmed: true });
    expect(await take(7, 8)).toMatchObject({ confirmed: false });
    // Its request was kept, it was not.
    await expect(take(4, 8)).rejects.toThrow(/lost the release/);
    await expect(take(4, 4)).rejects.toThrow(/ended at 4 leaves/);
    await expect(take(2, 5)).rejects.toThrow(/lost the release/);
    expect(await checkRelease(core, release, before, { request })).toMatchObject({
      confirmed: true,
    });
  });
});
