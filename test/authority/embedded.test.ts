// A program with an authority in it: one call to escrow, one to ask, one to take in what was released.
import { constants, generateKeyPairSync, privateDecrypt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, open, readPublicKey, seal } from "twinwrap";
import { type EmbeddedAuthority, initAuthority, openAuthority } from "twinwrap/authority";
import {
  asOwner,
  connect,
  handInDecision,
  partyOf,
  recover,
  recoverFile,
  requestRecovery,
  signDecision,
  standingOf,
} from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import { inspectHead } from "twinwrap/envelope";
import { addSignature, checkFile, isRecoverable, SigningKey } from "twinwrap/escrow";
import { afterAll, beforeAll, expect, test } from "vitest";
import { preparedKeys, usePreparedKeys } from "../prepared-keys.cjs";

const prepared = preparedKeys(2048);
usePreparedKeys((bits) => (bits === 2048 ? prepared[0] : undefined));

const core = await loadCore();
const parent = mkdtempSync(join(tmpdir(), "twinwrap-embedded-"));
const folder = join(parent, "backup");
const pair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const [lost, found, stranger] = [pair(), pair(), pair()];
const PASSPHRASE = "nine planets, then eight";
const failing = (code: string) => expect.objectContaining({ name: "TwinwrapError", code });

let ann: SigningKey;
let embedded: EmbeddedAuthority;
beforeAll(async () => {
  ann = await SigningKey.from(new Uint8Array(32).fill(7));
  const shareKey = readPublicKey(stranger.publicKey);
  const officers = [{ name: "ann", publicKey: ann.publicKey, shareKey }];
  await initAuthority(folder, { officers, bits: 2048, passphrase: PASSPHRASE, iterations: 1000 });
  embedded = await openAuthority(folder);
});
afterAll(async () => {
  await embedded.close();
  rmSync(parent, { recursive: true, force: true });
});

/** An officer agrees. */
async function approve(id: string): Promise<void> {
  const party = await connect(core, embedded.client);
  const standing = await standingOf(party, id);
  const words = { decision: "approve", identity: "met in person" } as const;
  await handInDecision(party, id, await signDecision(core, standing, ann.signer("ann"), words));
}

test("nothing is sealed for an authority that takes nothing in", async () => {
  const authority = await connect(core, embedded.client, { owner: "olivia" });
  const sealing = seal(Buffer.from("x"), { to: [lost.publicKey], authorities: [authority] });
  await expect(sealing).rejects.toEqual(failing("NO_POLICY"));
});

test("the first policy counts once its officer has signed it", async () => {
  const [draft] = await embedded.client.policies();
  await embedded.client.takePolicy(await addSignature(core, draft!, ann.signer("ann")));
  const { policies } = (await connect(core, embedded.client)).authority;
  expect(policies.map(({ number }) => number)).toEqual([1]);
});

test("seal, ask, agree, recover: in one call each", async () => {
  expect(embedded.isUnlocked).toBe(false);
  await expect(embedded.unlock("not it")).rejects.toEqual(failing("WRONG_PASSPHRASE"));
  expect(await embedded.unlock(PASSPHRASE)).toBe(true);
  const { fingerprint: pinned } = embedded.authority;
  const authority = await connect(core, embedded.client, { owner: "olivia", pinned });

  const sealed = await seal(Buffer.from("the last copy"), {
    to: [lost.publicKey],
    authorities: [authority],
  });
  expect(sealed.header.escrow).toEqual([authority.origin]);
  const file = await sealed.bytes();
  const reports = await checkFile(core, await inspectHead(file), authority.authority);
  expect(isRecoverable(reports, authority.authority)).toBe(true);

  const { id } = await requestRecovery(file, {
    authority,
    to: found.publicKey,
    requester: "Olivia Owner",
  });
  const taking = { authority, id, key: found.privateKey };
  await expect(recover(file, taking)).rejects.toEqual(failing("NOT_APPROVED"));
  await approve(id);

  const before = Buffer.from(file);
  const again = await (await recover(file, taking)).bytes();
  expect(before.equals(file)).toBe(true);
  expect(again.length).toBe(file.length);
  expect(await (await open(again, { key: found.privateKey })).text()).toBe("the last copy");
  expect(await (await open(again, { key: lost.privateKey })).text()).toBe("the last copy");
  // What stands in the file is what node:crypto opens: both wraps hold one key.
  const { wraps } = await inspect(again);
  const openBy = (key: (typeof lost)["privateKey"], { simpleBlob }: (typeof wraps)[number]) =>
    privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING },
      Buffer.from(simpleBlob.subarray(12)).reverse(),
    );
  const [first, second] = wraps;
  expect(openBy(found.privateKey, second!)).toEqual(openBy(lost.privateKey, first!));

  // From a Blob too, and instead of the lost key's wrap.
  const remove = [first!.fingerprint];
  const blob = await (await recover(new Blob([file]), { ...taking, remove })).blob();
  expect((await inspect(blob)).wraps).toHaveLength(1);
  const byLost = open(blob, { key: lost.privateKey });
  await expect(byLost).rejects.toEqual(failing("NOT_A_RECIPIENT"));
  expect(await (await open(blob, { key: found.privateKey })).text()).toBe("the last copy");

  // And in place.
  const path = join(parent, "report.twin");
  writeFileSync(path, file);
  await recoverFile(path, taking);
  expect(await (await open(readFileSync(path), { key: found.privateKey })).text()).toBe(
    "the last copy",
  );

  // Another key than the one that was asked for opens nothing, and nothing is changed.
  const other = { ...taking, key: stranger.privateKey };
  await expect(recover(file, other)).rejects.toEqual(failing("NOT_VERIFIED"));
  await expect(recoverFile(path, other)).rejects.toEqual(failing("NOT_VERIFIED"));
  const unknown = { ...taking, id: "a".repeat(26) };
  await expect(recover(file, unknown)).rejects.toEqual(failing("NOT_FOUND"));
});

test("large pieces: the new header stands where it belongs in every one", async () => {
  const authority = await connect(core, embedded.client, { owner: "olivia" });
  const data = Buffer.alloc(3_000_000, "secret ");
  const sealed = await seal(data, { to: [lost.publicKey], authorities: [authority] });
  const file = await sealed.bytes();
  const asking = { authority, to: found.publicKey, requester: "Olivia Owner" };
  const { id } = await requestRecovery(new Blob([file]), asking);
  await approve(id);
  // A source that gives a few bytes at a time.
  const source = {
    size: file.length,
    read: async (at: number, length: number) => file.subarray(at, at + Math.min(length, 5000)),
  };
  const again = await (await recover(source, { authority, id, key: found.privateKey })).bytes();
  const opened = await (await open(again, { key: found.privateKey })).bytes();
  expect(Buffer.from(opened).equals(data)).toBe(true);
});

test("whose key it is has to be said, and each authority is given once", async () => {
  const nobody = await connect(core, embedded.client);
  const sealing = (...authorities: (typeof nobody)[]) =>
    seal(Buffer.from("x"), { to: [lost.publicKey], authorities });
  await expect(sealing(nobody)).rejects.toEqual(failing("BAD_ARGUMENT"));
  const olivia = asOwner(nobody, "olivia");
  await expect(sealing(olivia, olivia)).rejects.toEqual(failing("BAD_ARGUMENT"));
  expect(() => asOwner(nobody, "o p")).toThrow(failing("BAD_FORMAT"));
});

test("an authority that is known by its file alone: its key waits in the header", async () => {
  const party = asOwner(partyOf(core, embedded.authority), "olivia");
  const sealed = await seal(Buffer.from("x"), { to: [lost.publicKey], authorities: [party] });
  const [escrow] = sealed.header.escrows;
  expect([escrow!.submission !== undefined, escrow!.receipt]).toEqual([true, undefined]);
  const file = await sealed.bytes();
  const request = await requestRecovery(file, {
    authority: party,
    to: found.publicKey,
    requester: "Olivia Owner",
  });
  expect(request.id).toMatch(/^[a-z2-7]{26}$/);
  const carried = recover(file, { authority: party, id: request.id, key: found.privateKey });
  await expect(carried).rejects.toEqual(failing("UNAVAILABLE"));
});

test("an authority that fails: no file, and no promise of one", async () => {
  const gone = () => Promise.reject(new Error("the wire is cut"));
  const client = { ...embedded.client, submit: gone };
  const authority = await connect(core, client, { owner: "olivia" });
  const sealing = seal(Buffer.from("x"), { to: [lost.publicKey], authorities: [authority] });
  await expect(sealing).rejects.toThrow("the wire is cut");
});
