import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Point } from "@noble/ed25519";
import { loadCore } from "twinwrap/core";
import {
  type AuthorityFile,
  checkReceipt,
  checkRelease,
  decodeLeaf,
  encodeAuthority,
  encodeLeaf,
  encodeReceipt,
  encodeRelease,
  encodeSubmission,
  formatIdentity,
  formatPolicy,
  type IdentityText,
  keysHash,
  type LogPoint,
  makeBlobSubmission,
  makeRequest,
  type PolicyText,
  parseCheckpoint,
  parseIdentity,
  parsePolicy,
  parseProof,
  type Receipt,
  type RecoveryRequest,
  type Release,
  type ReleaseLeaf,
  type RequestLeaf,
  readBlobWrap,
  recipientTag,
  recordHash,
  requestHash,
  requestId,
  type Signer,
  type Submission,
  signNote,
  verifyAuthority,
} from "twinwrap/escrow";
import type { RsaPublicKey } from "twinwrap/keys";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wrapFor } from "#build/envelope/wraps.js";
import { makePair, type Pair } from "../envelope/keys.js";
import {
  makeAuthority,
  proveRelease,
  requestEntry,
  sealFor,
  TestLog,
  wrapOf,
} from "../escrow/client-material.js";
import { fill, hex, NOT_VERIFIED, spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { stride } from "../quick.js";

// check.py is written from docs/format.md and shares nothing with the library. What the library makes
// it must take, and whatever is altered it must refuse.

const script = fileURLToPath(new URL("check.py", import.meta.url));
const havePython = spawnSync("python3", ["-c", "import cryptography"]).status === 0;
const ORIGIN = "authority.example/über";
const TIME = new Date("2026-02-01T10:00:00Z");

/** Runs the script as a person does. */
function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync("python3", [script, ...args], { encoding: "utf8" });
  expect(stderr).toBe("");
  return { status, stdout };
}

/**
 * Answers each line with what the script's main prints and returns for `args`; or, for a `path`, with how long that
 * file is and at which places, one in `step`, another lowest bit of a byte is accepted.
 */
const SERVE = `
import contextlib, io, json, os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from check import main

def call(args):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out):
        status = main(args)
    out.seek(0)
    return {"status": status, "stdout": out.read()}

def alter(args, path, step):
    data = open(path, "rb").read()
    accepted = []
    for at in range(0, len(data), step):
        with open(path, "wb") as file:
            file.write(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        answer = call(args)
        last = answer["stdout"].splitlines()[-1]
        assert last == "good" if answer["status"] == 0 else last.startswith("refused: "), last
        if answer["status"] == 0:
            accepted.append(at)
    open(path, "wb").write(data)
    return {"length": len(data), "accepted": accepted}

for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(alter(**request) if "path" in request else call(**request)), flush=True)
`;
let server: { child: ChildProcessWithoutNullStreams; answers: AsyncIterator<string> } | undefined;

/** Asks one process for all calls, because most of a process is Python's start. */
async function ask(request: { args: string[]; path?: string; step?: number }) {
  if (server === undefined) {
    const child = spawn("python3", ["-c", SERVE, script]);
    child.stderr.pipe(process.stderr);
    server = { child, answers: createInterface(child.stdout)[Symbol.asyncIterator]() };
  }
  server.child.stdin.write(`${JSON.stringify(request)}\n`);
  const { done, value } = await server.answers.next();
  if (done) throw new Error("check.py failed");
  return JSON.parse(value);
}
afterAll(() => void server?.child.stdin.end());

const check = (...args: string[]): Promise<{ status: number; stdout: string }> => ask({ args });

describe.skipIf(!havePython)("check.py (needs python3 and its module cryptography)", () => {
  let core: Awaited<ReturnType<typeof loadCore>>;
  let folder: string;
  let log: TestLog;
  let notes: AuthorityFile;
  let sharing: AuthorityFile;
  let files: Awaited<ReturnType<typeof sealFor>>[];
  let submission: Submission;
  let receipt: Receipt;
  let request: RecoveryRequest;
  let release: Release;
  let alice: Pair;
  let fresh: Pair;
  let policyHash: Uint8Array;
  /** What the authority's notes are made of. */
  let parts: {
    rules: PolicyText;
    second: IdentityText;
    officers: [Signer, Signer, Signer];
    first: string;
    policy: string;
  };
  /** The leaf of the request. */
  let requested: string;

  /** What the log says of a request: the policy waits for an hour. */
  const entryOf = (about: RecoveryRequest, change: Partial<RequestLeaf> = {}) =>
    requestEntry(core, about, {
      policy: policyHash,
      time: new Date(TIME.getTime() - 3_600_000),
      notbefore: TIME,
      ...change,
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "twinwrap-"));
    core = await loadCore();
    const pairs = await Promise.all([makePair(), makePair(), makePair(), makePair()]);
    alice = pairs[0];
    fresh = pairs[1];
    const fresher = pairs[3];
    const wrapKeys = [pairs[2].publicKey];
    log = new TestLog(core, ORIGIN);
    const officers = ["anna", "bert", "carla"].map(newSigner);
    const keys: IdentityText = {
      origin: ORIGIN,
      number: 1,
      previous: fill(0),
      log: log.signer,
      wrapKeys,
      paddings: ["oaep"],
      ended: [],
    };
    const rules: PolicyText = {
      authority: ORIGIN,
      number: 1,
      previous: keysHash(core, keys),
      release: 2,
      change: 2,
      emergency: 3,
      waiting: 3600,
      owners: "enrolled",
      unproven: "refused",
      officers: officers.map(({ name, publicKey }, i) => ({
        name,
        key: publicKey,
        share: spareKey(i),
        self: name === "anna" ? ["alice", "ärger"] : [],
      })),
    };
    const policy = await signNote(core, formatPolicy(rules), log.signer, ...officers);
    policyHash = parsePolicy(core, policy).hash;
    const identity = { ...keys, previous: policyHash };
    const first = await signNote(core, formatIdentity(identity), log.signer);
    notes = { identities: [first], policies: [policy] };
    const second = {
      ...identity,
      number: 2,
      previous: parseIdentity(core, first).hash,
      wrapKeys: [fresher.publicKey, ...wrapKeys],
    };
    const [anna, bert, carla] = officers as [Signer, Signer, Signer];
    save("rotated", {
      bytes: encodeAuthority({
        identities: [first, await signNote(core, formatIdentity(second), log.signer, anna, bert)],
        policies: [policy],
      }),
    });
    parts = { rules, second, officers: [anna, bert, carla], first, policy };
    const shared = { ...second, wrapKeys: [spareKey(0), ...wrapKeys] };
    sharing = {
      identities: [first, await signNote(core, formatIdentity(shared), log.signer, anna, bert)],
      policies: [policy],
    };
    save("alone", {
      bytes: encodeAuthority({
        identities: [first, await signNote(core, formatIdentity(second), log.signer, anna)],
        policies: [policy],
      }),
    });

    const authority = await verifyAuthority(core, notes);
    files = [];
    for (const text of ["one", "two", "three"]) {
      files.push(await sealFor(core, alice.publicKey, [authority], { text, owner: "ärger-17" }));
    }
    files.sort((a, b) => Buffer.compare(a.records[0]!, b.records[0]!));
    submission = files[0]!.submissions[0]!;
    log.add({ type: "authority", time: TIME, number: 1, identity: authority.fingerprint });
    receipt = await log.receipt(files[0]!.records[0]!);
    request = makeRequest({
      authority: ORIGIN,
      requester: "Änne, on the phone",
      recipient: fresh.publicKey,
      records: files.map(({ records }) => records[0]!),
    });
    requested = log.add(entryOf(request));
    const releaseKeys = [];
    for (const { file, submissions, records } of files.slice(0, 2)) {
      const wrap = await wrapOf(file, alice, fresh);
      const leaf = log.add({
        type: "release",
        time: TIME,
        record: records[0]!,
        owner: fill(9),
        request: requestHash(core, request),
        policy: policyHash,
        approvals: fill(5),
        recipient: recipientTag(core, submissions[0]!.record.blind, wrap.fingerprint),
        basis: "quorum",
      });
      releaseKeys.push({ record: records[0]!, wrap, leaf });
    }
    release = await proveRelease(log, request, requested, releaseKeys);
    // The library takes what the script is asked to take.
    await checkReceipt(core, submission, receipt, authority);
    await checkRelease(core, release, authority, { request });
    save("authority", { bytes: encodeAuthority(notes) });
    save("submission", { submission });
    save("receipt", { receipt });
    save("release", { release });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Writes a message into a file and answers its path. */
  function save(
    name: string,
    of: { bytes?: Uint8Array; submission?: Submission; receipt?: Receipt; release?: Release },
  ): string {
    const bytes =
      of.bytes ??
      (of.submission && encodeSubmission(of.submission)) ??
      (of.receipt && encodeReceipt(of.receipt)) ??
      encodeRelease(of.release!);
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  }
  const at = (name: string) => join(folder, name);
  const refused = async (reason: RegExp, ...args: string[]) => {
    const { status, stdout } = await check(...args);
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^refused: /);
    expect(stdout).toMatch(reason);
    expect(status).toBe(1);
  };
  const refusedReceipt = (reason: RegExp, changed: Partial<Receipt>) =>
    refused(
      reason,
      ...["receipt", at("authority"), at("submission")],
      save("changed", { receipt: { ...receipt, ...changed } }),
    );
  const refusedRelease = (reason: RegExp, changed: Partial<Release>) =>
    refused(
      reason,
      ...["release", at("authority")],
      save("changed", { release: { ...release, ...changed } }),
    );

  test("takes receipts, under the first and under a later identity", async () => {
    const record = files[0]!.records[0]!;
    const fingerprint = parseIdentity(core, notes.identities[0]!).hash;
    const index = log.leaves.indexOf(receipt.leaf);
    for (const authority of ["authority", "rotated"]) {
      const { status, stdout } = await check(
        "receipt",
        at(authority),
        at("submission"),
        at("receipt"),
      );
      expect(stdout).toContain(`fingerprint ${hex(fingerprint)}`);
      expect(stdout).toContain(`record ${hex(record)}, owner ärger-17\n`);
      expect(stdout).toContain(`verified at 2026-02-01 10:00:00, leaf ${index} of ${index + 2} in`);
      expect(stdout.endsWith("good\n")).toBe(true);
      expect(status).toBe(0);
    }
    const unverified = await log.receipt(record, { type: "escrow" });
    save("bare", { bytes: encodeAuthority({ ...notes, policies: [] }) });
    const { status, stdout } = await check(
      ...["receipt", at("bare"), at("submission")],
      save("unverified", { receipt: unverified }),
    );
    expect(stdout).toContain("receipt: escrow at");
    expect(status).toBe(0);
  });

  test("takes releases, alone and with the submissions", async () => {
    const alone = run("release", at("authority"), at("release"));
    expect(alone.stdout).toContain(`request: ${requestId(requestHash(core, request))} by Änne, on`);
    expect(alone.status).toBe(0);
    const second = save("second", { submission: files[1]!.submissions[0]! });
    const both = await check("release", at("rotated"), at("release"), at("submission"), second);
    expect(both.stdout.match(/the log names this key/g)).toHaveLength(2);
    expect(both.status).toBe(0);
  });

  test("takes receipts and releases of other programs' keys, and refuses what they are not for", async () => {
    const authority = await verifyAuthority(core, notes);
    const key = randomBytes(32);
    const blob = async (to: RsaPublicKey, aiKeyAlg: number) => {
      const wrap = await wrapFor(core, key, { key: to }, { aiKeyAlg });
      return (await readBlobWrap(core, wrap.simpleBlob, to, "oaep")).wrap;
    };
    const about = { authority: ORIGIN, owner: "ärger-17", label: "№ 4711" };
    const submissions = [
      makeBlobSubmission(core, {
        ...about,
        wrap: await blob(authority.wrapKey, 0x6610),
        proof: { sessionKey: key, ownerBlob: fill(1, 268) },
      }),
      makeBlobSubmission(core, { ...about, wrap: await blob(authority.wrapKey, 0x6603) }),
      makeBlobSubmission(core, { ...about, wrap: await blob(authority.wrapKey, 0x6801) }),
    ];
    const records = submissions.map((one) => recordHash(core, one.record));
    const asked = makeRequest({
      authority: ORIGIN,
      requester: "Änne",
      recipient: fresh.publicKey,
      records,
    });
    const askedFor = log.add(entryOf(asked));
    const releases = [];
    for (const [i, one] of submissions.entries()) {
      const saved = save("blob", { submission: one });
      const receiptOf = async (type: "escrow" | "verified", record = records[i]!) =>
        save("receipt of blob", { receipt: await log.receipt(record, { type }) });
      const { status, stdout } = await check(
        ...["receipt", at("authority"), saved],
        await receiptOf("escrow"),
      );
      expect(stdout).toContain(
        `record ${hex(records[i]!)}, owner ärger-17${i > 0 ? ", key" : "\n"}`,
      );
      expect(status).toBe(0);
      if (i > 0) {
        const verified = await receiptOf("verified");
        await refused(/nobody proves/, "receipt", at("authority"), saved, verified);
        const wrap = await blob(authority.wrapKey, i === 1 ? 0x6603 : 0x6801);
        const swapped = save("swapped", { submission: { ...one, wrap } });
        await refused(
          /another wrap/,
          "receipt",
          at("authority"),
          swapped,
          await receiptOf("escrow"),
        );
      }
      const wrap = await blob(fresh.publicKey, one.record.blob.aiKeyAlg);
      const leaf = log.add({
        type: "release",
        time: TIME,
        record: records[i]!,
        owner: fill(9),
        request: requestHash(core, asked),
        policy: policyHash,
        approvals: fill(5),
        recipient: recipientTag(core, one.record.blind, wrap.fingerprint),
        basis: "quorum",
      });
      releases.push({ record: records[i]!, wrap, leaf });
    }
    releases.sort((a, b) => Buffer.compare(a.record, b.record));
    const saved = save("blobs", {
      release: await proveRelease(log, asked, askedFor, releases),
    });
    const paths = submissions.map((one, i) => save(`blob ${i}`, { submission: one }));
    const { status, stdout } = await check("release", at("authority"), saved, ...paths);
    expect(stdout.match(/the log names this key/g)).toHaveLength(3);
    expect(status).toBe(0);
    const text = Buffer.from(encodeSubmission(submissions[2]!)).toString();
    for (const [reason, from, to] of [
      [/is not 5 to 16/, '"keyLength":16', '"keyLength":17'],
      [/not an object/, '"keyLength":16,', ""],
      [/not an object/, "CALG_RC4", "CALG_DES"],
      [/not one of/, "CALG_RC4", "CALG_RSA_KEYX"],
      [/not a text/, "№ 4711", "a\u0085"],
      [/has one that proves nothing/, '"type"', `"tag":"${"A".repeat(43)}","type"`],
    ] as const) {
      const changed = save("changed", { bytes: Buffer.from(text.replace(from, to)) });
      await refused(reason, "receipt", at("authority"), changed, at("receipt of blob"));
    }
  });

  test("refuses a byte altered anywhere, but for what only a private key can tell", async () => {
    // Positions of what neither hashes nor signatures cover: the SIMPLEBLOB and a submission's tag.
    const unproven = (json: string) =>
      [...json.matchAll(/"(?:simpleblob|tag)":"([^"]*)"/g)].flatMap((match) => {
        const start = match.index + match[0].indexOf('":"') + 3;
        return Array.from(match[1]!, (_, i) => start + i);
      });
    const cases: [string[], string][] = [
      [["receipt", at("authority"), at("submission"), at("receipt")], "authority"],
      [["receipt", at("authority"), at("submission"), at("receipt")], "submission"],
      [["receipt", at("authority"), at("submission"), at("receipt")], "receipt"],
      [["release", at("authority"), at("release"), at("submission")], "release"],
      [["release", at("authority"), at("release"), at("submission")], "submission"],
    ];
    const text = {
      authority: "",
      receipt: "",
      submission: Buffer.from(encodeSubmission(submission)).toString("latin1"),
      release: Buffer.from(encodeRelease(release)).toString("latin1"),
    };
    for (const [args, name] of cases) {
      const step = stride(5) * (name === "authority" || name === "release" ? 7 : 1);
      const { length, accepted } = await ask({ args, path: at(name), step });
      expect(length).toBeGreaterThan(500);
      const allowed = new Set(unproven(text[name as keyof typeof text]));
      // Next to a release, it does not matter for whom the submission was wrapped.
      if (args[0] === "release" && name === "submission") {
        const start = text.submission.indexOf('"fingerprint":"') + '"fingerprint":"'.length;
        for (let i = 0; i < 43; i++) allowed.add(start + i);
      }
      const stray = accepted.filter((position: number) => !allowed.has(position));
      expect(stray, `${args[0]}: ${name}`).toEqual([]);
      expect(accepted.length > 0).toBe(name === "submission" || name === "release");
    }
  });

  /** Notes of every kind, one behind the other: a joiner, a new log, and where the one before it ended. */
  async function chainOf(kept: LogPoint, end = kept) {
    const { rules, second, officers, first, policy } = parts;
    const [anna, bert, carla] = officers;
    const dora = newSigner("dora");
    const note = (text: string, ...by: Signer[]) => signNote(core, text, ...by);
    const rotated = await note(formatIdentity(second), log.signer, anna, bert);
    const joined = formatPolicy({
      ...rules,
      number: 2,
      previous: parseIdentity(core, rotated).hash,
      officers: [
        ...rules.officers,
        { name: "dora", key: dora.publicKey, share: spareKey(9), self: [] },
      ],
    });
    const later = await note(joined, log.signer, anna, carla, dora);
    const next = newSigner("log-2.example");
    const closing = {
      ...second,
      number: 3,
      previous: parsePolicy(core, later).hash,
      log: next,
      ended: [{ ...log.signer, kept, end }],
    };
    const closed = (...by: Signer[]) => note(formatIdentity(closing), ...by);
    const last = await closed(next, log.signer, bert, dora);
    const third = (previous: Uint8Array, ...by: Signer[]) =>
      note(
        formatPolicy({ ...parsePolicy(core, later), number: 3, waiting: 7200, previous }),
        ...by,
      );
    const { hash } = parseIdentity(core, last);
    const whole = {
      identities: [first, rotated, last],
      policies: [policy, later, await third(hash, next, anna, bert)],
    };
    const forgotten = { ...closing, log: log.signer, ended: [{ ...closing.ended[0]!, ...next }] };
    const behind = (policy2: string) => ({
      identities: [first, rotated],
      policies: [policy, policy2],
    });
    const ends = (note3: string) => ({
      identities: [first, rotated, note3],
      policies: [policy, later],
    });
    const lookAlike = formatIdentity({
      ...second,
      number: 1,
      previous: policyHash,
      wrapKeys: [spareKey(66)],
    });
    const bad: Record<string, AuthorityFile> = {
      "an identity left out": { ...whole, identities: [first, last] },
      "a policy left out": { ...whole, policies: [policy, whole.policies[2]!] },
      "the last policy signed by the log that ended": {
        ...whole,
        policies: [policy, later, await third(hash, log.signer, anna, bert)],
      },
      "two notes after one": {
        ...whole,
        policies: [policy, later, await third(parsePolicy(core, later).hash, next, anna, bert)],
      },
      "the joiner has not signed": behind(await note(joined, log.signer, anna, carla)),
      "the joiner counts": behind(await note(joined, log.signer, anna, dora)),
      "the new log has not signed": ends(await closed(log.signer, bert, dora)),
      "the log key is lost, and too few sign": ends(await closed(next, bert, dora)),
      "a log that never was has ended": ends(
        await note(formatIdentity(forgotten), next, log.signer, anna, bert),
      ),
      "a look-alike": { identities: [await note(lookAlike, log.signer)], policies: [policy] },
    };
    const lost = ends(await closed(next, anna, bert, carla));
    // Another log ends, and less is kept of the first: the store that goes on is older.
    const [was] = closing.ended as [(typeof closing.ended)[0]];
    const third3 = newSigner("log-3.example");
    const none = { size: 0, root: core.sha256(fill(0, 0)) };
    const again = async (change: object, ended: object[], ...by: Signer[]) => {
      const text = { ...closing, number: 4, previous: hash, ...change, ended };
      const identity = await note(formatIdentity(text as typeof closing), ...by);
      return { identities: [first, rotated, last, identity], policies: [policy, later] };
    };
    const endsToo = { ...next, kept: none, end: { size: 2, root: fill(5) } };
    const less = { ...was, kept: { size: kept.size - 1, root: fill(6) } };
    const ending = (one: object) =>
      again({ log: third3 }, [one, endsToo], third3, next, anna, bert);
    bad["less is kept, and no log ends"] = await again({}, [less], next, anna, bert);
    bad["more is kept than was"] = await ending({
      ...was,
      kept: { size: kept.size + 1, root: fill(6) },
      end: { size: end.size + 1, root: fill(7) },
    });
    bad["another root is kept"] = await ending({ ...was, kept: { ...kept, root: fill(6) } });
    return {
      good: { whole, "the log key is lost": lost, "less is kept": await ending(less) },
      bad,
    };
  }

  test("follows a chain of notes, and refuses one that does not hold", async () => {
    const all = await chainOf({ size: 999, root: fill(8) }, { size: 1000, root: fill(7) });
    const args = [at("submission"), at("receipt")] as const;
    for (const [what, file] of Object.entries(all.good)) {
      await verifyAuthority(core, file);
      const path = save("chain", { bytes: encodeAuthority(file) });
      expect(await check("receipt", path, ...args), what).toMatchObject({ status: 0 });
    }
    for (const [what, file] of Object.entries(all.bad)) {
      await expect(verifyAuthority(core, file), what).rejects.toEqual(NOT_VERIFIED);
      const path = save("chain", { bytes: encodeAuthority(file) });
      await refused(/lacks signatures|does not|not signed|not the one/, "receipt", path, ...args);
    }
  });

  test("takes what is kept of a log that ended, confirmed or not, and nothing that is lost", async () => {
    const { checkpoint, index } = parseProof(receipt.proof);
    const { size, root } = parseCheckpoint(checkpoint);
    expect(index).toBe(size - 2);
    const point = (leaves: number, hash: Uint8Array = fill(7)) => ({ size: leaves, root: hash });
    const cases: [string, LogPoint, LogPoint, RegExp | undefined][] = [
      ["it leads to what is kept", point(size, root), point(size, root), undefined],
      ["the same, and more was known", point(size, root), point(size + 5), undefined],
      ["it leads beyond what is kept", point(size - 1), point(size, root), /unconfirmed/],
      ["beyond the end, too", point(size - 1), point(size - 1), /unconfirmed/],
      ["before what is kept", point(size + 1), point(size + 2), /unconfirmed/],
      ["the leaf is not kept", point(index), point(size, root), /refused: the leaf is lost/],
      [
        "nor was it there at the end",
        point(index),
        point(index),
        /refused: .* ended before this leaf/,
      ],
      ["what is kept is otherwise", point(size), point(size + 1), /refused: .* ended otherwise/],
      ["the end is otherwise", point(size - 1), point(size), /refused: .* ended otherwise/],
    ];
    for (const [what, kept, end, reason] of cases) {
      const { good } = await chainOf(kept, end);
      const authority = await verifyAuthority(core, good.whole);
      const path = save("chain", { bytes: encodeAuthority(good.whole) });
      const { status, stdout } = await check("receipt", path, at("submission"), at("receipt"));
      const checked = checkReceipt(core, submission, receipt, authority);
      if (String(reason).includes("refused")) {
        await expect(checked, what).rejects.toEqual(NOT_VERIFIED);
        expect(stdout, what).toMatch(reason!);
        expect(status).toBe(1);
      } else {
        expect((await checked).worth, what).toBe(reason === undefined ? "full" : "unconfirmed");
        expect([what, status, stdout.includes("unconfirmed")]).toEqual([
          what,
          0,
          reason !== undefined,
        ]);
      }
    }
  });

  test("refuses receipts of others", async () => {
    const theirs = files[1]!;
    await refusedReceipt(/another record/, await log.receipt(theirs.records[0]!));
    const other = save("other", { submission: theirs.submissions[0]! });
    await refused(/another record/, "receipt", at("authority"), other, at("receipt"));
    const proof = await log.proof(log.leaves[0]!);
    await refusedReceipt(/not in the log/, { proof });
    for (const name of [ORIGIN, "elsewhere.example"]) {
      const signer = newSigner(name);
      await refusedReceipt(/not signed by a log key/, {
        proof: await log.proof(receipt.leaf, { signer }),
      });
    }
    await refusedReceipt(/not a proof/, {
      proof: receipt.proof.replace("\nindex", "\nextra AAAA\nindex"),
    });
    await refusedReceipt(/three lines/, { proof: receipt.proof.replace("\n\n—", "\nmore\n\n—") });
    const stranger = await makeAuthority(core, newSigner(ORIGIN), [alice.publicKey]);
    const made = (await sealFor(core, alice.publicKey, [stranger])).submissions[0]!;
    const wrapped = save("wrapped", { submission: { ...submission, wrap: made.wrap } });
    await refused(/not the authority's/, "receipt", at("authority"), wrapped, at("receipt"));
  });

  test("refuses authorities that lack a signature", async () => {
    await refused(
      /not signed by the officers/,
      "receipt",
      at("alone"),
      at("submission"),
      at("receipt"),
    );
    const unsigned = (note: string, name: string) =>
      note.replace(new RegExp(`— ${name} .*\n`), () => "");
    const [policy] = notes.policies;
    const [identity] = notes.identities;
    for (const name of ["anna", ORIGIN]) {
      const changed = { identities: [identity!], policies: [unsigned(policy!, name)] };
      const path = save("changed", { bytes: encodeAuthority(changed) });
      await refused(/policy 1 lacks/, "receipt", path, at("submission"), at("receipt"));
    }
    const [text] = identity!.split("\n\n");
    const forged = await signNote(core, `${text}\n`, newSigner(ORIGIN));
    const path = save("changed", {
      bytes: encodeAuthority({ identities: [forged], policies: notes.policies }),
    });
    await refused(/identity 1 is not signed/, "receipt", path, at("submission"), at("receipt"));
  });

  test("refuses a signature line twice, and Ed25519 keys that are not of prime order", async () => {
    const [leafText, proof] = [receipt.leaf, receipt.proof];
    const line = proof.slice(proof.lastIndexOf("—"));
    const json = { leaf: leafText, proof: proof + line, type: "twinwrap/receipt/v1" };
    const twice = save("twice", { bytes: Buffer.from(JSON.stringify(json)) });
    await refused(/two signatures/, "receipt", at("authority"), at("submission"), twice);
    // The log key with a point of order 8 added, and the neutral element.
    const torsion = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    const mixed = Point.fromBytes(log.signer.publicKey).add(Point.fromHex(torsion)).toBytes();
    const right = Buffer.from(log.signer.publicKey).toString("base64");
    for (const key of [mixed, fill(0).fill(1, 0, 1)]) {
      const identity = notes.identities[0]!.replace(right, Buffer.from(key).toString("base64"));
      const file = {
        identities: [identity],
        policies: notes.policies,
        type: "twinwrap/authority/v1",
      };
      const path = save("changed", { bytes: Buffer.from(JSON.stringify(file)) });
      await refused(/no Ed25519 public key/, "receipt", path, at("submission"), at("receipt"));
    }
  });

  test("refuses releases to others", async () => {
    const [a, b] = release.releases as [Release["releases"][0], Release["releases"][0]];
    await refusedRelease(/another request/, { request: { ...request, requester: "Somebody" } });
    const { nonce: _, ...asked } = request;
    const thief = makeRequest({ ...asked, recipient: alice.publicKey });
    await refusedRelease(/another request/, { request: thief });
    const { wrapKey: recipient } = await verifyAuthority(core, notes);
    const own = makeRequest({ ...asked, recipient });
    await refusedRelease(/authority's own key/, { request: own, releases: [] });
    const wrap = await wrapOf(files[0]!.file, alice, alice);
    await refusedRelease(/another key/, { releases: [{ ...a, wrap }] });
    const padding = "pkcs1-v1_5" as const;
    await refusedRelease(/padded/, { releases: [{ ...a, wrap: { ...a.wrap, padding } }] });
    await refusedRelease(/not in the log/, { releases: [{ ...a, proof: b.proof }] });
    log.add({ type: "policy", time: TIME, number: log.leaves.length, policy: fill(4) });
    const newer = await log.proof(a.leaf);
    await refusedRelease(/another checkpoint/, { releases: [{ ...a, proof: newer }] });
    await refusedRelease(/another record/, { releases: [{ ...a, leaf: b.leaf, proof: b.proof }] });
    await refusedRelease(/not a proof/, {
      releases: [{ ...a, proof: a.proof.replace("tlog-proof@v1", "tlog-proof@v2") }],
    });
    await refusedRelease(/not in order/, { releases: [b, a] });
    await refusedRelease(/not in order/, { releases: [a, a] });
    const third = save("third", { submission: files[2]!.submissions[0]! });
    await refused(/nothing for its record/, "release", at("authority"), at("release"), third);
    const { proof: _proof, ...key } = a;
    const changed = (from: RegExp, to: string) =>
      proveRelease(log, request, requested, [{ ...key, leaf: log.add(a.leaf.replace(from, to)) }]);
    const elsewhere = await changed(/recipient .*/, `recipient ${hex(fill(1))}`);
    const path = save("changed", { release: elsewhere });
    expect((await check("release", at("authority"), path)).status).toBe(0);
    await refused(/to another key/, "release", at("authority"), path, at("submission"));
    await refusedRelease(/its policy/, await changed(/policy .*/, `policy ${hex(fill(1))}`));
  });

  test("refuses a release whose request was not taken in, or too late or too early for it", async () => {
    const authority = await verifyAuthority(core, notes);
    const [{ proof: _, ...key }] = release.releases as [Release["releases"][0]];
    const hour = (count: number) => new Date(TIME.getTime() + count * 3_600_000);
    let serial = 0;
    /** A release of its own request. The leaves say what is changed. */
    const made = async (
      asked: Partial<RequestLeaf>,
      given: { time?: Date; basis?: "emergency" } = {},
      order: "first" | "last" = "first",
    ) => {
      const own = { ...request, nonce: fill(++serial, 16) };
      const addRequest = () => log.add(entryOf(own, asked));
      const before = order === "first" ? addRequest() : undefined;
      const leaf = decodeLeaf(key.leaf) as ReleaseLeaf;
      const said = { ...leaf, request: requestHash(core, own), ...given };
      const text = log.add(encodeLeaf(said));
      return proveRelease(log, own, before ?? addRequest(), [{ ...key, leaf: text }]);
    };
    const cases: [string, RegExp, Release][] = [
      ["another's leaf", /of another request/, await made({ request: fill(1) })],
      ["another end", /of another request/, await made({ expires: hour(9) })],
      ["a shorter wait", /does not wait/, await made({ notbefore: hour(-0.5) })],
      ["a longer wait", /does not wait/, await made({ notbefore: hour(1) })],
      ["no policy of the authority", /does not wait/, await made({ policy: fill(1) })],
      ["behind the release", /not released between/, await made({}, {}, "last")],
      ["later than it", /not released between/, await made({}, { time: hour(-2) })],
      ["expired", /not released between/, await made({}, { time: request.expires })],
      ["before its time", /before its time/, await made({}, { time: hour(-0.5) })],
    ];
    for (const [what, reason, odd] of cases) {
      const checked = checkRelease(core, odd, authority, { request: odd.request });
      await expect(checked, what).rejects.toEqual(NOT_VERIFIED);
      await refused(reason, "release", at("authority"), save("odd", { release: odd }));
    }
    const early = await made({}, { time: hour(-0.5), basis: "emergency" });
    await checkRelease(core, early, authority, { request: early.request });
    const told = await check("release", at("authority"), save("early", { release: early }));
    expect(told.stdout).toContain("released by the emergency at");
    expect(told.status).toBe(0);
    const [text, proof] = [key.leaf, await log.proof(key.leaf)];
    await refusedRelease(/not one of/, { requested: { leaf: text, proof } });
  });

  test("goes by the policy of the release, too: not an older one, and waits as long as it says", async () => {
    const { rules, officers, first, policy } = parts;
    const next = formatPolicy({
      ...rules,
      number: 2,
      previous: parseIdentity(core, first).hash,
      waiting: 7200,
    });
    const second = await signNote(core, next, log.signer, ...officers);
    const both = { identities: [first], policies: [policy, second] };
    const authority = await verifyAuthority(core, both);
    const later = parsePolicy(core, second).hash;
    const path = save("both", { bytes: encodeAuthority(both) });
    const [{ proof: _, ...key }] = release.releases as [Release["releases"][0]];
    const hour = (count: number) => new Date(TIME.getTime() + count * 3_600_000);
    const leafOf = decodeLeaf(key.leaf) as ReleaseLeaf;
    const newer = { policy: later, notbefore: hour(1) };
    // The request came an hour before TIME.
    const cases: [string, Partial<RequestLeaf>, Partial<ReleaseLeaf>, RegExp | undefined][] = [
      ["before and after the change", {}, { policy: later, time: hour(1) }, undefined],
      ["too early for the later policy", {}, { policy: later, time: hour(0.5) }, /before its time/],
      ["in an emergency", {}, { policy: later, time: TIME, basis: "emergency" }, undefined],
      ["the later policy alone", newer, { policy: later, time: hour(1) }, undefined],
      ["back to the one before", newer, { time: hour(1) }, /is older than its request's/],
      ["in an emergency, too", newer, { time: TIME, basis: "emergency" }, /is older than/],
    ];
    for (const [i, [what, asked, given, reason]] of cases.entries()) {
      const own = { ...request, nonce: fill(100 + i, 16) };
      const said = { ...leafOf, request: requestHash(core, own), ...given };
      const before = log.add(entryOf(own, asked));
      const leaf = log.add(encodeLeaf(said));
      const odd = await proveRelease(log, own, before, [{ ...key, leaf }]);
      const checked = checkRelease(core, odd, authority, { request: own });
      const args = ["release", path, save("odd", { release: odd })] as const;
      if (reason === undefined) {
        await checked;
        expect(await check(...args), what).toMatchObject({ status: 0 });
      } else {
        await expect(checked, what).rejects.toEqual(NOT_VERIFIED);
        await refused(reason, ...args);
      }
    }
  });

  test("refuses an officer whose share key is the authority's own", async () => {
    const path = save("changed", { bytes: encodeAuthority(sharing) });
    await refused(
      /identity 2: an officer has a key of it/,
      "receipt",
      path,
      at("submission"),
      at("receipt"),
    );
    await expect(verifyAuthority(core, sharing)).rejects.toThrow(/share key of officer anna/);
  });

  test("refuses what it cannot read", async () => {
    await refused(/No such file/, "receipt", at("authority"), at("submission"), at("nothing"));
    await refused(
      /not an object|not one of/,
      "receipt",
      at("authority"),
      at("receipt"),
      at("receipt"),
    );
    const text = Buffer.from(encodeSubmission(submission)).toString();
    const broken: [RegExp, string][] = [
      [/canonical/, `${text}\n`],
      [/canonical/, text.replace('"v":1', '"v": 1')],
      [/canonical/, text.replace('"v":1', '"v":1,"v":1')],
      [/whole/, text.replace('"v":1', '"v":1.5')],
      [/not one of/, text.replace('"v":1', '"v":true')],
      [/whole/, text.replace('"v":1', '"v":1e0')],
      [/not an object/, text.replace('"v":1}', '"v":1,"w":1}')],
      [/not a time/, text.replace(/"created":"[^"]*"/, '"created":"2026-02-30T00:00:00Z"')],
      [/years 2000/, text.replace(/"created":"[^"]*"/, '"created":"2200-01-01T00:00:00Z"')],
      [/not a text/, text.replace("ärger-17", "a b")],
      [/canonical/, text.replace("ärger-17", "\\ud800")],
      [/deep/, text.replace('"v":1', `"v":${"[".repeat(8)}${"]".repeat(8)}`)],
      [/more than 16384/, text.replace('"v":1', `"v":"${"x".repeat(17000)}"`)],
    ];
    for (const [reason, changed] of broken) {
      expect(changed).not.toBe(text);
      const path = save("changed", { bytes: Buffer.from(changed) });
      await refused(reason, "receipt", at("authority"), path, at("receipt"));
    }
    for (const args of [[], ["verify"], ["receipt", at("authority")]]) {
      expect(await check(...args)).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/check\.py/),
      });
    }
  });
});
