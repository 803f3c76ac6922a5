import { rewrap } from "twinwrap";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  checkRelease,
  decodeRelease,
  encodeLeaf,
  encodeRelease,
  makeRequest,
  type RecoveryRequest,
  type Release,
  type ReleasedKey,
  type ReleaseLeaf,
  type RequestLeaf,
  recipientTag,
  releasedFor,
  requestHash,
  requestId,
  type Signer,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair, type Pair } from "../envelope/keys.js";
import {
  makeAuthority,
  proveRelease,
  requestEntry,
  sealFor,
  TestLog,
  wrapOf,
} from "./client-material.js";
import { fill, hex, NOT_VERIFIED, ONE_OFFICER } from "./material.js";
import { newSigner } from "./signers.js";

const core = await loadCore();
const ORIGIN = "authority.example";
const POLICY = fill(0x44);
const NOT_FOUND = expect.objectContaining({ code: "NOT_FOUND" });

type File = Awaited<ReturnType<typeof sealFor>>;
let alice: Pair;
let fresh: Pair;
let thief: Pair;
let log: TestLog;
let authority: Authority;
/** In the order of their records. */
let files: File[];
let request: RecoveryRequest;
/** The leaf of the request. */
let requested: string;
let good: Release;

/** What an authority would release for a file; any field of the leaf can be another one. */
async function releaseKey(
  file: File,
  options: { to?: Pair; request?: RecoveryRequest; leaf?: Partial<ReleaseLeaf> } = {},
): Promise<ReleasedKey> {
  const wrap = await wrapOf(file.file, alice, options.to ?? fresh);
  const record = file.records[0]!;
  const leaf = log.add({
    type: "release",
    time: new Date("2026-03-01T00:00:00Z"),
    record,
    owner: fill(9),
    request: requestHash(core, options.request ?? request),
    policy: POLICY,
    approvals: fill(5),
    recipient: recipientTag(core, file.submissions[0]!.record.blind, wrap.fingerprint),
    basis: "quorum",
    ...options.leaf,
  });
  return { record, wrap, leaf, proof: "" };
}

/** A release with proofs that all lead to the log's newest checkpoint. */
const prove = (keys: ReleasedKey[], about = request, leaf = requested): Promise<Release> =>
  proveRelease(log, about, leaf, keys);

/** The leaf of a request, new in the log. */
const askedFor = (about: RecoveryRequest, change: Partial<RequestLeaf> = {}): string =>
  log.add(requestEntry(core, about, { policy: POLICY, ...change }));

beforeAll(async () => {
  const pairs = await Promise.all([makePair(), makePair(), makePair(), makePair()]);
  [alice, fresh, thief] = pairs as [Pair, Pair, Pair, Pair];
  log = new TestLog(core, ORIGIN);
  authority = await makeAuthority(core, log.signer, [pairs[3]!.publicKey]);
  files = [];
  for (const text of ["one", "two", "three"]) {
    files.push(await sealFor(core, alice.publicKey, [authority], { text }));
  }
  files.sort((a, b) => Buffer.compare(a.records[0]!, b.records[0]!));
  log.add({ type: "authority", time: new Date(0), number: 1, identity: fill(1) });
  request = makeRequest({
    authority: ORIGIN,
    requester: "Alice",
    recipient: fresh.publicKey,
    records: files.map(({ records }) => records[0]!),
  });
  requested = askedFor(request);
  good = await prove([await releaseKey(files[0]!), await releaseKey(files[1]!)]);
});

const check = (release: Release, expected: Parameters<typeof checkRelease>[3] = { request }) =>
  checkRelease(core, release, authority, expected);
const refused = async (release: Release, reason: RegExp) => {
  const error = await check(release).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "NOT_VERIFIED", message: expect.stringMatching(reason) });
};

describe("a release", () => {
  test("is taken for the request that was kept, for its ID, or for who answers for it", async () => {
    const hash = requestHash(core, request);
    const id = requestId(hash);
    for (const expected of [{ request }, { id }, { id: id.toUpperCase() }, undefined]) {
      const checked = await check(decodeRelease(encodeRelease(good)), expected);
      expect(checked.requestHash).toEqual(hash);
      expect([...checked.keys.keys()]).toEqual(files.slice(0, 2).map((f) => hex(f.records[0]!)));
    }
  });

  test("gives every file its wrap, which opens it", async () => {
    const checked = await check(good);
    for (const { file, head, submissions } of files.slice(0, 2)) {
      const wrap = releasedFor(core, checked, head, submissions[0]!.record);
      const done = await rewrap(file, {
        key: fresh.privateKey,
        released: [wrap],
        remove: [head.header.wraps[0]!.fingerprint],
      });
      expect(done.patch).toBeDefined();
    }
  });

  test("has nothing for a record that was not released", async () => {
    const { head, submissions } = files[2]!;
    const checked = await check(good);
    expect(() => releasedFor(core, checked, head, submissions[0]!.record)).toThrow(NOT_FOUND);
    const nothing = await check({ ...good, releases: [] });
    expect(nothing.keys.size).toBe(0);
  });

  test("is asked with the file's own record", async () => {
    const checked = await check(good);
    const [one, two] = files as [File, File];
    expect(() => releasedFor(core, checked, one.head, two.submissions[0]!.record)).toThrow(
      NOT_VERIFIED,
    );
    const record = { ...one.submissions[0]!.record, blind: fill(1) };
    expect(() => releasedFor(core, checked, one.head, record)).toThrow(NOT_FOUND);
  });
});

describe("a release that is refused", () => {
  test("for another request than the one that was made", async () => {
    const { nonce: _, ...wanted } = request;
    const similar = makeRequest({ ...wanted, recipient: thief.publicKey });
    for (const expected of [{ request: similar }, { id: requestId(fill(1)) }, { id: "short" }]) {
      await expect(check(good, expected)).rejects.toEqual(NOT_VERIFIED);
    }
    // The thief's request, with what was released for this one.
    await refused({ ...good, request: similar }, /another request/);
    await expect(check({ ...good, request: similar }, { request: similar })).rejects.toEqual(
      NOT_VERIFIED,
    );
    const earlier = { ...request, nonce: fill(7, 16) };
    const key = await releaseKey(files[0]!, { request: earlier });
    await refused(await prove([key]), /leaf is of another request/);
  });

  test("by another authority", async () => {
    const foreign = { ...request, authority: "second.example" };
    await expect(check({ ...good, request: foreign }, { request: foreign })).rejects.toEqual(
      NOT_VERIFIED,
    );
  });

  test("to another key", async () => {
    const key = await releaseKey(files[0]!, { to: thief });
    await refused(await prove([key]), /wrapped for another key/);
    const padded = await releaseKey(files[0]!);
    padded.wrap = { ...padded.wrap, padding: "pkcs1-v1_5" };
    await refused(await prove([padded]), /padded/);
  });

  test("to a key of the authority itself", async () => {
    const { records, requester } = request;
    const own = makeRequest({
      authority: ORIGIN,
      requester,
      records,
      recipient: authority.wrapKey,
    });
    await expect(check(await prove([], own), { request: own })).rejects.toMatchObject({
      code: "NOT_VERIFIED",
      message: expect.stringMatching(/authority's own key/),
    });
  });

  test("with a wrap that can't be of the key's form", async () => {
    const [a] = good.releases as [ReleasedKey];
    const { simpleBlob } = a.wrap;
    const above = Buffer.concat([simpleBlob.subarray(0, 12), Buffer.alloc(256, 255)]);
    const longer = Buffer.concat([simpleBlob, Buffer.alloc(8)]);
    for (const blob of [above, longer, simpleBlob.subarray(0, 140), Buffer.alloc(268)]) {
      const wrap = { ...a.wrap, simpleBlob: blob };
      await refused({ ...good, releases: [{ ...a, wrap }] }, /not of the form/);
    }
  });

  test("with the wraps of two records swapped", async () => {
    // Each is for the right recipient, so that only the private key can tell.
    const [a, b] = good.releases as [ReleasedKey, ReleasedKey];
    const swapped = {
      ...good,
      releases: [
        { ...a, wrap: b.wrap },
        { ...b, wrap: a.wrap },
      ],
    };
    const { file, head, submissions } = files[0]!;
    const wrap = releasedFor(core, await check(swapped), head, submissions[0]!.record);
    const released = { key: fresh.privateKey, released: [wrap] };
    await expect(rewrap(file, released)).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
    // With their leaves and proofs, it is told here.
    await refused({ ...good, releases: [{ ...b, record: a.record }] }, /leaf is of another record/);
  });

  test("without a proof, or with one of another leaf, log or key", async () => {
    const [a, b] = good.releases as [ReleasedKey, ReleasedKey];
    const with1 = (change: Partial<ReleasedKey>) => ({ ...good, releases: [{ ...a, ...change }] });
    await refused(with1({ proof: "" }), /proof/);
    await refused(with1({ proof: b.proof }), /not in the log/);
    const under = async (signer: Signer) => ({
      request,
      requested: { leaf: requested, proof: await log.proof(requested, { signer }) },
      releases: [{ ...a, proof: await log.proof(a.leaf, { signer }) }],
    });
    await refused(await under(newSigner(ORIGIN)), /signature/);
    await refused(await under(newSigner("second.example")), /another log/);
    const leaf = a.leaf.replace("2026-03-01", "2026-03-02");
    await refused(with1({ leaf }), /not in the log/);
    const index = log.leaves.indexOf(a.leaf);
    const proof = a.proof.replace(`index ${index}\n`, `index ${index + 1}\n`);
    await refused(with1({ proof }), /not in the log/);
  });

  test("with a bad proof beside good ones under the same checkpoint", async () => {
    const [a, b] = good.releases as [ReleasedKey, ReleasedKey];
    const checkpointOf = (proof: string) => proof.slice(proof.indexOf("\n\n"));
    expect(checkpointOf(a.proof)).toBe(checkpointOf(b.proof));
    await refused({ ...good, releases: [a, { ...b, proof: a.proof }] }, /not in the log/);
    // The signature alone is another one: 20 characters before the end it is in the middle of s.
    const at = b.proof.length - 20;
    const by = b.proof[at] === "A" ? "B" : "A";
    const proof = b.proof.slice(0, at) + by + b.proof.slice(at + 1);
    await refused({ ...good, releases: [a, { ...b, proof }] }, /several checkpoints/);
    const all = (text: string) => text.replace(checkpointOf(text), checkpointOf(proof));
    await refused(
      {
        request,
        requested: { ...good.requested, proof: all(good.requested.proof) },
        releases: [{ ...a, proof: all(a.proof) }],
      },
      /signature/,
    );
  });

  test("with a leaf that is not a release's", async () => {
    const record = files[0]!.records[0]!;
    const time = new Date("2026-03-01T00:00:00Z");
    const leaf = log.add(encodeLeaf({ type: "verified", time, record, owner: fill(9) }));
    const { wrap } = good.releases[0]!;
    await refused(await prove([{ record, wrap, leaf, proof: "" }]), /not one of a release/);
  });

  test("for a record that nobody asked for, or twice", async () => {
    const [a] = good.releases as [ReleasedKey];
    await refused({ ...good, releases: [a, a] }, /twice/);
    const fewer = { ...request, records: request.records.slice(1) };
    const leaf = askedFor(fewer);
    const key = await releaseKey(files[0]!, { request: fewer });
    const release = await prove([key], fewer, leaf);
    await expect(check(release, { request: fewer })).rejects.toMatchObject({
      message: expect.stringMatching(/does not ask/),
    });
  });

  test("under a policy that is not the authority's, once its policies are known", async () => {
    const policy = (hash: Uint8Array): Authority["policies"][number] => ({
      authority: authority.origin,
      ...ONE_OFFICER,
      officers: [],
      hash,
    });
    const knows = (hash: Uint8Array) => ({
      ...authority,
      policies: [policy(fill(1)), policy(hash)],
    });
    await expect(checkRelease(core, good, knows(POLICY), { request })).resolves.toBeDefined();
    await expect(checkRelease(core, good, knows(fill(2)), { request })).rejects.toEqual(
      NOT_VERIFIED,
    );
  });

  describe("because of the leaf of its request", () => {
    /** A release of one key for a request of its own, as the log could say it. */
    async function asked(
      change: Partial<RequestLeaf> = {},
      key: Partial<ReleaseLeaf> = {},
    ): Promise<Release> {
      const own = { ...request, nonce: fill(log.leaves.length % 256, 16) };
      const leaf = askedFor(own, change);
      return prove([await releaseKey(files[0]!, { request: own, leaf: key })], own, leaf);
    }
    const at = (day: number) => new Date(Date.UTC(2026, 1, day));
    const checked = (release: Release, by = authority) =>
      checkRelease(core, release, by, { request: release.request });
    const fails = async (release: Release, reason: RegExp, by = authority) =>
      expect(checked(release, by)).rejects.toMatchObject({
        code: "NOT_VERIFIED",
        message: expect.stringMatching(reason),
      });

    test("it is of another request, or says other times", async () => {
      await checked(await asked());
      const notTaken = /does not say that this request was taken in/;
      await fails(await asked({ request: fill(3) }), notTaken);
      await fails(await asked({ expires: at(20) }), notTaken);
      await fails(await asked({ time: at(2), notbefore: at(1) }), notTaken);
      // That of another request, which the log has as well.
      await fails({ ...(await asked()), requested: good.requested }, notTaken);
    });

    test("it is no request's, or not in the log as its proof says", async () => {
      const own = await asked();
      const verified = log.add({
        type: "verified",
        time: at(1),
        record: files[0]!.records[0]!,
        owner: fill(9),
      });
      for (const leaf of [verified, own.releases[0]!.leaf]) {
        const proof = await log.proof(leaf);
        await fails({ ...own, requested: { leaf, proof } }, /not one of a request/);
      }
      const proof = await log.proof(own.requested.leaf);
      await fails(
        { ...own, requested: { leaf: own.requested.leaf, proof } },
        /several checkpoints/,
      );
      const moved = own.requested.proof.replace(/index (\d+)/, (_, i) => `index ${Number(i) + 1}`);
      await fails({ ...own, requested: { ...own.requested, proof: moved } }, /not in the log/);
      const changed = own.requested.leaf.replace(/owner .*/, `owner ${"00".repeat(32)}`);
      await fails({ ...own, requested: { ...own.requested, leaf: changed } }, /not in the log/);
    });

    test("proofs lead to two checkpoints, though each is good", async () => {
      const own = await asked();
      log.add({ type: "policy", time: at(9), number: 7, policy: fill(1) });
      const [key] = own.releases as [ReleasedKey];
      const later = { ...key, proof: await log.proof(key.leaf) };
      await fails({ ...own, releases: [later] }, /several checkpoints/);
      const { leaf } = own.requested;
      const requested = { leaf, proof: await log.proof(leaf) };
      await fails({ ...own, requested }, /several checkpoints/);
      await checked({ ...own, requested, releases: [later] });
    });

    test("the release stands before it, or is older", async () => {
      const early = /before it was allowed, or after/;
      const own = { ...request, nonce: fill(1, 16) };
      const key = await releaseKey(files[0]!, { request: own });
      const leaf = askedFor(own);
      await fails(await prove([key], own, leaf), early);
      await fails(await asked({ time: at(2), notbefore: at(2) }, { time: at(1) }), early);
    });

    test("a quorum does not release before its time, an emergency does and is told", async () => {
      const early = /before it was allowed, or after/;
      const waits = { time: at(1), notbefore: at(3) };
      const just = new Date(at(3).getTime() - 1000);
      await fails(await asked(waits, { time: just }), early);
      expect((await checked(await asked(waits, { time: at(3) }))).basis).toBe("quorum");
      const emergency = await asked(waits, { time: just, basis: "emergency" });
      expect((await checked(emergency)).basis).toBe("emergency");
      // One such key among others is enough to be told.
      const own = { ...request, nonce: fill(2, 16) };
      const leaf = askedFor(own, waits);
      const both = [
        await releaseKey(files[0]!, { request: own, leaf: { time: at(3) } }),
        await releaseKey(files[1]!, { request: own, leaf: { time: at(3), basis: "emergency" } }),
      ];
      expect((await checked(await prove(both, own, leaf))).basis).toBe("emergency");
    });

    test("nobody releases once it has expired, not in an emergency either", async () => {
      const { expires } = request;
      const before = new Date(expires.getTime() - 1000);
      await checked(await asked({}, { time: before }));
      for (const basis of ["quorum", "emergency"] as const) {
        const late = await asked({}, { time: expires, basis });
        await fails(late, /before it was allowed, or after/);
      }
    });

    test("it waits as long as the policy says that it names, which is the authority's", async () => {
      const rules = { ...ONE_OFFICER, authority: ORIGIN, officers: [], waiting: 3600 };
      const knows = { ...authority, policies: [{ ...rules, hash: POLICY }] };
      const after = (seconds: number) => new Date(at(1).getTime() + 1000 * seconds);
      const of = (seconds: number, policy = POLICY) =>
        asked({ time: at(1), notbefore: after(seconds), policy }, { time: at(3) });
      await checked(await of(3600), knows);
      for (const seconds of [0, 3599, 3601]) {
        await fails(await of(seconds), /was taken in/, knows);
        await checked(await of(seconds));
      }
      await fails(await of(3600, fill(1)), /was taken in/, knows);
    });
  });

  test("to another recipient by its leaf's tag", async () => {
    const { head, submissions } = files[0]!;
    const { blind } = submissions[0]!.record;
    const tags = [
      recipientTag(core, blind, fill(3)),
      recipientTag(
        core,
        files[1]!.submissions[0]!.record.blind,
        good.releases[0]!.wrap.fingerprint,
      ),
    ];
    for (const recipient of tags) {
      const key = await releaseKey(files[0]!, { leaf: { recipient } });
      const checked = await check(await prove([key]));
      expect(() => releasedFor(core, checked, head, submissions[0]!.record)).toThrow(NOT_VERIFIED);
    }
  });
});
