import { constants, publicEncrypt, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  encodeRequest,
  type FileRecord,
  formatPolicy,
  makeBlobSubmission,
  readBlobWrap,
  receiptLeaf,
  recordHash,
  requestHash,
  requestId,
  type Submission,
  signNote,
} from "twinwrap/escrow";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Log } from "#build/authority/log.js";
import { SeedKey } from "../escrow/signers.js";
import { backend, type Statement } from "./backend.js";
import { core, failing, newOwner, Office, owner, REFUSED, storeOf, unwrap } from "./office.js";

// Keys of other programs at an authority, and what a thief can try with a blob that he copied.

const made: Office[] = [];
let one: Office;
const ACCEPT = { unproven: "taken" as const };
/** One that takes what is not proven, whose key is open from the beginning unless it is asked for locked. */
const office = async (locked = false) => {
  const office = await Office.make({ pkcs1: true, ...ACCEPT });
  made.push(office);
  if (!locked) await office.unlock();
  return office;
};
beforeEach(async () => {
  one = await office();
});
afterAll(async () => {
  for (const office of made) await office.remove();
});
const FAILED = expect.objectContaining({ code: "DECRYPTION_FAILED" });
const ALGORITHMS = { aes256: 0x6610, "3des": 0x6603, rc4: 0x6801 };

/** A SIMPLEBLOB under a public key, made with node:crypto. */
function simpleBlob(algId: number, key: Uint8Array, to: { n: Uint8Array; e: Uint8Array }): Buffer {
  const url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const jwk = { kty: "RSA", n: url(to.n), e: url(to.e) };
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const block = publicEncrypt({ key: jwk, format: "jwk", padding, oaepHash: "sha1" } as never, key);
  const head = Buffer.from("010200000000000000a40000", "hex");
  head.writeUInt32LE(algId, 4);
  return Buffer.concat([head, block.reverse()]);
}

interface Sent {
  key: Uint8Array;
  blob: Buffer;
  submission: Submission;
  record: Uint8Array;
}

/** What is sent for a key of a program. */
async function sent(
  to: Office,
  {
    alg = "rc4" as keyof typeof ALGORITHMS,
    key = randomBytes({ aes256: 32, "3des": 24, rc4: 16 }[alg]) as Uint8Array,
    proven = false,
    blob = simpleBlob(ALGORITHMS[alg], key, to.service.authority.wrapKey),
    ownerKey = key,
    ...more
  } = {} as {
    alg?: keyof typeof ALGORITHMS;
    key?: Uint8Array;
    proven?: boolean;
    blob?: Buffer;
    /** What the owner's blob holds. */
    ownerKey?: Uint8Array;
    owner?: string;
    padding?: "oaep" | "pkcs1-v1_5";
    label?: string;
  },
): Promise<Sent> {
  const { authority } = to.service;
  const { padding = "oaep", ...about } = more;
  const { wrap } = await readBlobWrap(core, blob, authority.wrapKey, padding);
  const ownerBlob = simpleBlob(ALGORITHMS.aes256, ownerKey, owner.publicKey);
  const submission = makeBlobSubmission(core, {
    authority: authority.origin,
    owner: "olivia",
    description: "a ledger",
    wrap,
    ...about,
    ...(proven ? { proof: { sessionKey: ownerKey, ownerBlob } } : {}),
  });
  return { key, blob, submission, record: recordHash(core, submission.record) };
}

const blockOf = ({ wrap }: Submission) => Buffer.from(wrap.simpleBlob).subarray(12);
const asked = (at: Office, ...of: { record: Uint8Array }[]) => at.asked(of as never);
const statusOf = async (record: Uint8Array, at = one) =>
  (await storeOf(at.service).record(record))?.status;
const alter = (at: Office, change: Statement) => backend.alter(at.folder, change);

describe("keys of other programs", () => {
  test("proven or not, go in, are asked for and come out for the new key", async () => {
    const file = await one.file();
    const all = [
      await sent(one, { alg: "aes256", proven: true, label: "1" }),
      await sent(one, { alg: "3des" }),
      await sent(one, { alg: "rc4", label: "2" }),
      await sent(one, { alg: "rc4", key: randomBytes(16) }),
    ];
    const submissions = [...all.map(({ submission }) => submission), file.submission];
    const taken = await one.take(...submissions);
    const statuses = ["verified", "unproven", "unproven", "unproven", "verified"];
    expect(taken.map(({ status }) => status)).toEqual(statuses);
    expect(taken.map(({ receipt }) => receiptLeaf(receipt).type)).toEqual(
      statuses.map((status) => (status === "verified" ? status : "escrow")),
    );
    const { request, id } = await asked(one, ...all, file);
    await one.approve(request, "ann", "bob");
    const release = await one.service.release(id);
    expect(release.releases).toHaveLength(5);
    for (const { record, key, submission } of all) {
      const { wrap } = release.releases.find((key) => Buffer.compare(key.record, record) === 0)!;
      expect(unwrap(wrap, newOwner.node.privateKey).equals(key)).toBe(true);
      // The program imports it as what it exported.
      expect(Buffer.from(wrap.simpleBlob).subarray(0, 12)).toEqual(
        Buffer.from(submission.wrap.simpleBlob).subarray(0, 12),
      );
      expect(await statusOf(record)).toBe("released");
    }
    expect(await one.count()).toMatchObject({ escrow: 3, verified: 2, release: 5 });
    expect(await one.service.release(id)).toEqual(release);
    await one.service.verifyLog();
    // What came twice is answered with the same receipt.
    const again = await one.elsewhere({}, (other) => other.intake(all[1]!.submission));
    expect(again).toEqual({ ...taken[1], isNew: false });
    const rows = await storeOf(one.service).records({ label: "2" });
    expect(rows.rows.map(({ label }) => label)).toEqual(["2"]);
  });

  test("that nobody proves are taken only where the policy says so, what comes along anyway", async () => {
    const strict = await Office.make({ pkcs1: true });
    made.push(strict);
    const { submission, record } = await sent(strict);
    const file = await strict.file();
    const both = [file.submission, submission];
    expect(await strict.service.intake(both)).toEqual([
      expect.objectContaining({ isNew: true }),
      { error: failing("NOT_PROVEN") },
    ]);
    expect(await statusOf(record, strict)).toBeUndefined();
    expect(await statusOf(file.record, strict)).toBe("unverified");
    // It opens what was closed, so it is weaker. Nothing waits here.
    const text = formatPolicy({
      ...(await strict.policy()),
      number: 2,
      previous: await strict.newest(),
      unproven: "taken",
    });
    for (const name of ["ann", "bob"]) {
      await strict.service.takePolicy(await signNote(core, text, strict.officers.get(name)!));
    }
    await strict.take(...both);
    expect(await statusOf(record, strict)).toBe("unproven");
    await strict.service.verifyLog();
  });

  test("never become verified", async () => {
    const locked = await office(true);
    const [unproven, proven] = [
      await sent(locked),
      await sent(locked, { alg: "aes256", proven: true }),
    ];
    await locked.take(unproven.submission, proven.submission);
    await locked.unlock();
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 1, failed: [] });
    expect(await statusOf(unproven.record, locked)).toBe("unproven");
    expect(await statusOf(proven.record, locked)).toBe("verified");
    await locked.service.intake(unproven.submission);
    expect(await locked.count()).toMatchObject({ escrow: 2, verified: 1 });
    await locked.service.verifyLog();
  });

  test("keep no officer out, unless they are proven", async () => {
    const officer = await Office.make({ self: { ann: ["ann@example"] }, ...ACCEPT });
    made.push(officer);
    await officer.unlock();
    const his = { owner: "ann@example" };
    const unproven = await sent(officer, his);
    const proven = await sent(officer, { ...his, alg: "aes256", proven: true });
    await officer.take(unproven.submission, proven.submission);
    const first = await asked(officer, unproven);
    await officer.approve(first.request, "ann", "bob");
    await officer.service.release(first.id);
    const second = await asked(officer, unproven, proven);
    await expect(officer.approve(second.request, "ann")).rejects.toEqual(failing("NOT_ENTITLED"));
    await officer.approve(second.request, "bob", "cyd");
    await officer.service.release(second.id);
    await officer.service.verifyLog();
  });
});

describe("a proof", () => {
  test("over another key than the authority's blob holds is refused", async () => {
    const about = { alg: "aes256", proven: true, ownerKey: randomBytes(32) } as const;
    const { submission } = await sent(one, about);
    await expect(one.service.intake(submission)).rejects.toEqual(FAILED);
    const locked = await office(true);
    const bad = await sent(locked, about);
    await locked.service.intake(bad.submission);
    await locked.unlock();
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 0, failed: [bad.record] });
  });

  test("of another record, or a blob of another algorithm, is refused", async () => {
    const [mine, his] = [
      (await sent(one, { alg: "aes256", proven: true })).submission,
      (await sent(one, { alg: "aes256", proven: true })).submission,
    ];
    const renamed = Buffer.from(mine.wrap.simpleBlob);
    renamed.writeUInt32LE(ALGORITHMS.rc4, 4);
    for (const [bad, error] of [
      [{ ...mine, record: { ...mine.record, owner: "thief" } }, FAILED],
      [{ ...mine, tag: his.tag }, FAILED],
      [{ ...mine, tag: undefined }, FAILED],
      [{ ...mine, wrap: his.wrap }, FAILED],
      [{ ...mine, record: { ...his.record, owner: "olivia" } }, FAILED],
      [{ ...mine, wrap: { ...mine.wrap, simpleBlob: renamed } }, REFUSED],
    ] as const) {
      await expect(one.service.intake(bad)).rejects.toEqual(error);
    }
    expect(await storeOf(one.service).countRecords()).toMatchObject({ verified: 0, unverified: 0 });
  });
});

describe("an unproven record", () => {
  test("is for its one wrap", async () => {
    const { submission } = await sent(one);
    const other = (await sent(one)).submission;
    const { wrap } = submission;
    for (const swapped of [
      other.wrap,
      { ...wrap, padding: "pkcs1-v1_5" as const },
      { ...wrap, simpleBlob: Buffer.concat([wrap.simpleBlob, Buffer.alloc(1)]) },
    ]) {
      const bad = one.service.intake({ ...submission, wrap: swapped });
      await expect(bad).rejects.toEqual(REFUSED);
    }
    // Nor does it become another by a wrap that comes later.
    const taken = await one.service.intake(submission);
    const later = one.service.intake({ ...submission, wrap: other.wrap });
    await expect(later).rejects.toEqual(REFUSED);
    expect(await storeOf(one.service).candidatesOf([taken!.record])).toEqual([
      [{ tag: undefined, wrap }],
    ]);
  });

  test("whose blob does not open is no oracle: in and out it is like any other", async () => {
    const key = randomBytes(16);
    const good = await sent(one, { key });
    const wrong = [
      await sent(one, { key, padding: "pkcs1-v1_5" }),
      await sent(one, {
        blob: simpleBlob(ALGORITHMS.rc4, randomBytes(15), one.service.authority.wrapKey),
      }),
      await sent(one, {
        blob: simpleBlob(ALGORITHMS.rc4, randomBytes(32), one.service.authority.wrapKey),
      }),
    ];
    const keys = Object.getPrototypeOf(core.rsaPrivateKey(owner.privateKey));
    const unwrapKey = vi.spyOn(keys, "unwrapKey");
    const taken = await one.take(...[good, ...wrong].map(({ submission }) => submission));
    expect(new Set(taken.map(({ status }) => status))).toEqual(new Set(["unproven"]));
    expect(unwrapKey).not.toHaveBeenCalled();
    unwrapKey.mockRestore();
    const { request, id } = await asked(one, good, ...wrong);
    await one.approve(request, "ann", "bob");
    const { releases } = await one.service.release(id);
    expect(releases).toHaveLength(4);
    const opened = releases.map(({ wrap }) => unwrap(wrap, newOwner.node.privateKey));
    expect(opened.map(({ length }) => length)).toEqual([16, 16, 16, 16]);
    expect(opened.filter((one) => one.equals(key))).toHaveLength(1);
  });
});

describe("a thief who copied a wrap that the authority knows", () => {
  /** The wrap of a file as his own key's, in the forms that he can give it. */
  const stolen = async (at: Office, from: Submission) => {
    const { authority } = at.service;
    const forms: Submission[] = [];
    for (const [algId, padding] of [
      [ALGORITHMS.aes256, "oaep"],
      [ALGORITHMS.rc4, "oaep"],
      [ALGORITHMS["3des"], "pkcs1-v1_5"],
    ] as const) {
      const blob = Buffer.from(from.wrap.simpleBlob);
      blob.writeUInt32LE(algId, 4);
      const { wrap } = await readBlobWrap(core, blob, authority.wrapKey, padding);
      forms.push(makeBlobSubmission(core, { authority: authority.origin, owner: "thief", wrap }));
    }
    return forms;
  };

  test("is refused, whatever the record that it is of", async () => {
    const locked = await office(true);
    const waiting = await locked.file();
    await locked.service.intake(waiting.submission);
    const file = await one.file();
    const proven = await sent(one, { alg: "aes256", proven: true });
    const unproven = await sent(one);
    await one.take(...[file, proven, unproven].map(({ submission }) => submission));
    for (const [at, of] of [
      [locked, waiting],
      [one, file],
      [one, proven],
      [one, unproven],
    ] as const) {
      for (const mine of await stolen(at, of.submission)) {
        expect(blockOf(mine).equals(blockOf(of.submission))).toBe(true);
        await expect(at.service.intake(mine)).rejects.toEqual(failing("DUPLICATE"));
      }
    }
    // Nor is it taken together with what it is of.
    const both = await one.file();
    const [mine] = await stolen(one, both.submission);
    expect(await one.service.intake([both.submission, mine!])).toEqual([
      expect.objectContaining({ isNew: true }),
      { error: failing("DUPLICATE") },
    ]);
  });

  test("is refused out of a release, too, at intake and at the next release", async () => {
    const [file] = await one.files(1);
    const theirs = await one.asked([file!]);
    await one.approve(theirs.request, "ann", "bob");
    const [early, late] = [await sent(one), await sent(one)];
    await one.service.intake(early.submission);
    const { request, id } = await asked(one, early);
    await one.approve(request, "ann", "bob");
    await one.service.release(theirs.id);
    // As if the file had been released for a key that is the authority's now.
    for (const [{ submission }, refused] of [
      [late, () => one.service.intake(late.submission)],
      [early, () => one.service.release(id)],
    ] as const) {
      await alter(one, ["UPDATE releases SET simple_blob = ?", submission.wrap.simpleBlob]);
      await expect(refused()).rejects.toMatchObject({
        code: "DUPLICATE",
        message: expect.stringMatching(/not proven, and its blob is that of another record/),
      });
    }
    expect(await one.service.released(id)).toBeUndefined();
  });

  test("is not made by asking for a key for the authority itself", async () => {
    const [file] = await one.files(1);
    const { wrapKey } = one.service.authority;
    const request = one.request([file!], { recipient: wrapKey });
    await expect(one.service.takeRequest(request)).rejects.toEqual(REFUSED);
    // A request that came in before the key was the authority's.
    const hash = requestHash(core, request);
    const signer = (await SeedKey.read(readFileSync(join(one.folder, "log.pem")))).signer(
      request.authority,
    );
    const log = new Log(core, { signer, logs: [signer] });
    const { hash: policy } = await one.policy();
    const { expires } = request;
    await storeOf(one.service).write(async (writes) => {
      const end = await log.end(writes);
      const owners = [new Uint8Array(32)];
      const notbefore = end.time;
      await end.append([{ type: "request", request: hash, policy, expires, notbefore, owners }]);
      await writes.insertRequest({
        hash,
        id: requestId(hash),
        bytes: encodeRequest(request),
        status: "open",
        expires,
        leaf: end.next,
      });
    });
    await one.approve(request, "ann", "bob");
    await expect(one.service.release(requestId(hash))).rejects.toEqual(REFUSED);
    expect((await one.count()).release).toBeUndefined();
  });

  test("who comes first keeps nothing out, and gets nothing once the right one is there", async () => {
    for (const proveLater of [() => one.file(), () => sent(one, { alg: "aes256", proven: true })]) {
      const right = await proveLater();
      const [mine] = await stolen(one, right.submission);
      const taken = await one.service.intake(mine!);
      const { request, id } = await asked(one, { record: taken!.record });
      await one.approve(request, "ann", "bob");
      expect((await one.service.intake(right.submission)).status).toBe("verified");
      await one.elsewhere({ partial: true }, async (partial) => {
        await expect(partial.release(id)).rejects.toMatchObject({
          code: "DUPLICATE",
          message: expect.stringMatching(/not proven, and its blob is that of another record/),
        });
      });
      expect(await one.service.released(id)).toBeUndefined();
      expect(await statusOf(taken!.record)).toBe("unproven");
    }
    expect((await one.count()).release).toBeUndefined();
  });

  test("is found out even between the opening of his blob and the release", async () => {
    const file = await one.file();
    const [mine] = await stolen(one, file.submission);
    const taken = await one.service.intake(mine!);
    const { request, id } = await asked(one, { record: taken!.record });
    await one.approve(request, "ann", "bob");
    const store = storeOf(one.service);
    const look = store.recordsWithBlocks.bind(store);
    const spy = vi.spyOn(store, "recordsWithBlocks").mockImplementation(async (...about) => {
      const found = await look(...about);
      spy.mockRestore();
      await one.service.intake(file.submission);
      return found;
    });
    await expect(one.service.release(id)).rejects.toEqual(failing("DUPLICATE"));
    expect(await statusOf(file.record)).toBe("verified");
    expect((await one.count()).release).toBeUndefined();
    await one.service.verifyLog();
  });

  test("can't keep an unproven record from its owner for longer than until the next look", async () => {
    const locked = await office(true);
    const right = await sent(locked);
    await locked.service.intake(right.submission);
    // The blob as a file's that does not exist: while the key is locked, anything is taken.
    const { submission } = await locked.file({ owner: "thief" });
    const block = Buffer.from(right.submission.wrap.simpleBlob);
    block.writeUInt32LE(ALGORITHMS.aes256, 4);
    const junk = { ...submission, wrap: { ...submission.wrap, simpleBlob: block } };
    await locked.service.intake(junk as Submission<FileRecord>);
    const { request, id } = await asked(locked, right);
    await locked.approve(request, "ann", "bob");
    await locked.unlock();
    await expect(locked.service.release(id)).rejects.toMatchObject({
      code: "DUPLICATE",
      message: expect.stringMatching(/which was not opened yet/),
    });
    expect((await locked.service.verifyWaiting()).failed).toHaveLength(1);
    const { releases } = await locked.service.release(id);
    expect(unwrap(releases[0]!.wrap, newOwner.node.privateKey).equals(right.key)).toBe(true);
  });
});

describe("the log", () => {
  /** What stands for the tag of a wrap that has none. */
  const NO_TAG = new Uint8Array();
  test.each([
    ["status", "UPDATE records SET status = 'unverified' WHERE status = 'unproven'", "status"],
    ["release", "UPDATE records SET status = 'released' WHERE status = 'unproven'", "status"],
    ["label", "UPDATE records SET label = 'other' WHERE status = 'unproven'", "column"],
    [
      "leaf",
      "UPDATE records SET status = 'verified', verified_leaf = leaf WHERE status = 'unproven'",
      "not what the store has",
    ],
    [
      "padding",
      ["UPDATE candidates SET padding = 'pkcs1-v1_5' WHERE tag = ?", NO_TAG],
      "the blob of record",
    ],
    [
      "tag",
      ["UPDATE candidates SET tag = ? WHERE tag = ?", new Uint8Array(32), NO_TAG],
      "the blob of record",
    ],
    [
      "wrap",
      [
        "UPDATE candidates SET simple_blob = (SELECT simple_blob FROM candidates WHERE tag <> ?) WHERE tag = ?",
        NO_TAG,
        NO_TAG,
      ],
      "the blob of record",
    ],
    ["wrap that is gone", ["DELETE FROM candidates WHERE tag = ?", NO_TAG], "the wrap of record"],
  ] as [what: string, change: Statement, problem: string][])(
    "finds an altered %s of an unproven record",
    async (_, change, problem) => {
      const { submission } = await sent(one, { label: "17" });
      await one.take((await one.file()).submission, submission);
      await one.service.verifyLog();
      await alter(one, change);
      await expect(one.service.verifyLog()).rejects.toMatchObject({
        code: "FAULT",
        message: expect.stringContaining(problem),
      });
    },
  );

  test("finds a release of another algorithm than the record's", async () => {
    const right = await sent(one);
    await one.service.intake(right.submission);
    const { request, id, hash } = await asked(one, right);
    await one.approve(request, "ann", "bob");
    await one.service.release(id);
    await one.service.verifyLog();
    const { wrap } = (await storeOf(one.service).releases(hash))[0]!;
    const renamed = Buffer.from(wrap.simpleBlob);
    renamed.writeUInt32LE(ALGORITHMS.aes256, 4);
    await alter(one, ["UPDATE releases SET simple_blob = ?", renamed]);
    await expect(one.service.verifyLog()).rejects.toMatchObject({ code: "FAULT" });
  });
});
