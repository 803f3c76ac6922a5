// Makes test/golden/files: one file of each kind of message, and every leaf. Run by hand, and by no test:
//
//   npm run build && node test/golden/make.mjs
//
// The files were made once, by the version that first wrote this edition of docs/format.md, and are never made anew
// for a change of the code: what they are now is what has to be readable for ever. To add one, add it here, run this,
// add its line to SHA256SUMS by hand, and commit what is new. Nothing else may change: test/golden.test.ts says so.
//
// Whatever is random comes from SHA-256 over a counter, the time stands still, Ed25519 keys have the SHA-256 of their
// name as seed, and RSA keys are those of test/prepared-keys.json. So every run makes the same bytes.
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const sha256 = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

let drawn = 0;
crypto.getRandomValues = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < bytes.length; at += 32) {
    const block = sha256(`golden chance ${drawn++}`);
    bytes.set(block.subarray(0, Math.min(32, bytes.length - at)), at);
  }
  return array;
};
const NOW = "2026-01-05T07:59:59Z";
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [NOW] : args));
  }
  static now() {
    return new RealDate(NOW).getTime();
  }
};

const build = (name) => import(new URL(`../../build/${name}`, import.meta.url).href);
const twinwrap = await build("node.js");
const e = await build("escrow/index.js");
const { wrapFor } = await build("envelope/wraps.js");
const { readPrivateKey, readPublicKey, writePrivateKey, writePublicKey } =
  await build("keys/index.js");
const core = await twinwrap.loadCore();

const folder = new URL("files/", import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(new URL("leaves/", folder), { recursive: true });
const save = (name, content) => writeFileSync(new URL(name, folder), content);

// Keys

const seedOf = (name) => sha256(`golden ${name}`);
function signer(name) {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seedOf(name)]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = new Uint8Array(Buffer.from(key.export({ format: "jwk" }).x, "base64url"));
  return { name, publicKey, sign: async (message) => new Uint8Array(sign(null, message, key)) };
}
const prepared = JSON.parse(readFileSync(new URL("../prepared-keys.json", import.meta.url)))[2048];
async function rsa(index) {
  const der = Buffer.from(prepared[index], "base64");
  const spki = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  const publicKey = readPublicKey(spki.export({ format: "der", type: "spki" }));
  return { publicKey, privateKey: await readPrivateKey(der) };
}
const ORIGIN = "golden.example";
const log = signer(ORIGIN);
const nextLog = signer("log-2.golden.example");
const [anna, bert, carla, dora] = ["anna", "bert", "carla", "dora"].map(signer);
const olga = signer("olga-17");
const backup = await rsa(0);
const newBackup = await rsa(1);
const owner = await rsa(2);
const recovery = await rsa(3);
const shares = new Map();
for (const [i, { name }] of [anna, bert, carla, dora].entries()) shares.set(name, await rsa(4 + i));
for (const [name, { privateKey }] of Object.entries({ backup, owner, recovery })) {
  save(`${name}.pem`, await writePrivateKey(privateKey, "pem"));
}
const officerKeys = {
  seed: new Uint8Array(seedOf("anna")),
  shareKey: shares.get("anna").privateKey,
};
save("officer.pem", await e.writeOfficerKeys(officerKeys));
const LOCK = { passphrase: "golden passphrase", iterations: 1000 };
save("officer.locked.pem", await e.writeOfficerKeys(officerKeys, LOCK));
save(
  "officer.pub.pem",
  e.writeOfficerPublicKeys({
    publicKey: anna.publicKey,
    shareKey: shares.get("anna").publicKey,
  }),
);
save("control.pem", await e.writeControlKey(new Uint8Array(seedOf(olga.name))));
save("control.pub.pem", e.writeControlPublicKey(olga.publicKey));
save("owner.pub.pem", writePublicKey(owner.publicKey, "pem"));

// The chain: policy 1, identity 1, identity 2 (which ends the log), policy 2 (weaker: dora joins)

const officersOf = (...who) =>
  who.map(({ name, publicKey }) => ({
    name,
    key: publicKey,
    share: shares.get(name).publicKey,
    self: name === "anna" ? ["anna-1", "änne"] : [],
  }));
const keys = {
  origin: ORIGIN,
  number: 1,
  previous: new Uint8Array(32),
  log,
  wrapKeys: [backup.publicKey],
  paddings: ["oaep"],
  ended: [],
};
const policy1Text = e.formatPolicy({
  authority: ORIGIN,
  number: 1,
  previous: e.keysHash(core, keys),
  release: 2,
  change: 2,
  emergency: 3,
  waiting: 86_400,
  owners: "open",
  unproven: "taken",
  officers: officersOf(anna, bert, carla),
});
const policy1 = await e.signNote(core, policy1Text, log, anna, bert, carla);
const identity1Text = e.formatIdentity({ ...keys, previous: e.policyHash(core, policy1Text) });
const identity1 = await e.signNote(core, identity1Text, log);

// Logs, as RFC 6962, section 2.1 has them

class Tree {
  leaves = [];
  constructor(key) {
    this.key = key;
  }
  add(leaf) {
    const text = typeof leaf === "string" ? leaf : e.encodeLeaf(leaf);
    this.leaves.push(text);
    return text;
  }
  root(start = 0, end = this.leaves.length) {
    if (start === end) return sha256();
    if (end - start === 1) return sha256("\0", this.leaves[start]);
    const middle = start + half(end - start);
    return sha256("\x01", this.root(start, middle), this.root(middle, end));
  }
  path(index, start = 0, end = this.leaves.length) {
    if (end - start === 1) return [];
    const middle = start + half(end - start);
    return index < middle
      ? [...this.path(index, start, middle), this.root(middle, end)]
      : [...this.path(index, middle, end), this.root(start, middle)];
  }
  checkpoint() {
    const head = { origin: this.key.name, size: this.leaves.length, root: this.root() };
    return e.signCheckpoint(core, head, this.key);
  }
  async proof(leaf) {
    const index = this.leaves.indexOf(leaf);
    return e.formatProof({ index, path: this.path(index), checkpoint: await this.checkpoint() });
  }
}
function half(size) {
  let k = 1;
  while (2 * k < size) k *= 2;
  return k;
}

let clock = new Date("2026-01-05T08:00:00Z").getTime();
function tick(seconds = 60) {
  clock += 1000 * seconds;
  return new Date(clock);
}
const secret = new Uint8Array(sha256("golden owner secret"));
const first = new Tree(log);
first.add({
  type: "authority",
  time: tick(),
  number: 1,
  identity: e.identityHash(core, identity1Text),
});
first.add({ type: "policy", time: tick(), number: 1, policy: e.policyHash(core, policy1Text) });
save(
  "leaves/enrol.txt",
  first.add({
    type: "enrol",
    time: tick(),
    owner: e.enrolTag(core, secret),
    control: core.sha256(olga.publicKey),
  }),
);

// A sealed file with its submission, and submissions of two blobs

const authority1 = await e.verifyAuthority(core, { identities: [identity1], policies: [policy1] });
let submission;
const sealed = await twinwrap.seal(Buffer.from("Golden text, öffentlich.\n"), {
  to: [owner.publicKey, { key: recovery.publicKey, padding: "pkcs1-v1_5" }],
  name: "golden.txt",
  description: "Größe: one line\nand another",
  escrow: [ORIGIN],
  escrows: async ({ sessionKey, ...file }) => {
    const about = { sessionKey, authority: authority1, owner: olga.name, file };
    submission = await e.makeSubmission(core, about);
    return [{ submission: e.submissionToJson(submission) }];
  },
});
const file = Buffer.from(await sealed.bytes());
const blobKey = new Uint8Array(sha256("golden key of another program"));
async function blobWrap(aiKeyAlg, length) {
  const to = { key: backup.publicKey, padding: "oaep" };
  const { simpleBlob } = await wrapFor(core, blobKey.slice(0, length), to, { aiKeyAlg });
  return (await e.readBlobWrap(core, simpleBlob, backup.publicKey, "oaep")).wrap;
}
const ownerBlob = await wrapFor(core, blobKey, { key: owner.publicKey, padding: "oaep" });
const said = { authority: ORIGIN, owner: olga.name, created: new Date(NOW) };
const proven = e.makeBlobSubmission(core, {
  ...said,
  label: "№ 4711",
  description: "Ledger",
  wrap: await blobWrap(0x6610, 32),
  proof: { sessionKey: blobKey, ownerBlob: ownerBlob.simpleBlob },
});
const unproven = e.makeBlobSubmission(core, {
  ...said,
  wrap: await blobWrap(0x6801, 5),
  keyLength: 5,
});
save("owner.simpleblob", ownerBlob.simpleBlob);
save("submission.file.json", e.encodeSubmission(submission));
save("submission.proven.json", e.encodeSubmission(proven));
save("submission.unproven.json", e.encodeSubmission(unproven));

const recordLeaf = (type, one) => {
  const record = e.recordHash(core, one.record);
  return first.add({ type, time: tick(), record, owner: e.ownerTag(core, secret, record) });
};
const verified = recordLeaf("verified", submission);
save("leaves/verified.txt", verified);
recordLeaf("verified", proven);
const escrowed = recordLeaf("escrow", unproven);
save("leaves/escrow.txt", escrowed);
const receipt = { leaf: verified, proof: await first.proof(verified) };
save("receipt.json", e.encodeReceipt(receipt));
const unverified = { leaf: escrowed, proof: await first.proof(escrowed) };
save("receipt.unproven.json", e.encodeReceipt(unverified));
const { patch } = await twinwrap.amend(file, ({ header }) => ({
  escrows: header.escrows.map((one) => ({ ...one, receipt: e.receiptToJson(receipt) })),
}));
Buffer.from(patch.bytes).copy(file, patch.offset);
save("sealed.twin", file);

// The log ends: two leaves of it are lost

const kept = { size: first.leaves.length, root: new Uint8Array(first.root()) };
const lost = new Tree(log);
lost.leaves.push(...first.leaves);
for (const byte of [1, 2]) {
  const record = new Uint8Array(32).fill(byte);
  lost.add({ type: "escrow", time: tick(), record, owner: e.ownerTag(core, secret, record) });
}
const end = { size: lost.leaves.length, root: new Uint8Array(lost.root()) };
const identity2Text = e.formatIdentity({
  ...keys,
  number: 2,
  previous: e.identityHash(core, identity1Text),
  log: nextLog,
  wrapKeys: [newBackup.publicKey, backup.publicKey],
  paddings: ["oaep", "pkcs1-v1_5"],
  ended: [{ ...log, kept, end }],
});
const identity2 = await e.signNote(core, identity2Text, nextLog, log, anna, carla);
const policy2Text = e.formatPolicy({
  ...e.parsePolicy(core, policy1),
  number: 2,
  previous: e.identityHash(core, identity2Text),
  owners: "enrolled",
  officers: officersOf(anna, bert, carla, dora),
});
const policy2 = await e.signNote(core, policy2Text, nextLog, anna, bert, dora);
const authorityFile = { identities: [identity1, identity2], policies: [policy1, policy2] };
const authority = await e.verifyAuthority(core, authorityFile);
save("authority.json", e.encodeAuthority(authorityFile));
const { fingerprint: pinned } = authority;
save(
  "owner.json",
  e.encodeOwnerFile({ authority: ORIGIN, fingerprint: pinned, owner: olga.name, secret }),
);
save(
  "connection.json",
  e.encodeConnection({
    url: "https://keys.example.org/",
    authority: authorityFile,
    token: "twinwrap_golden",
    owner: { id: olga.name, secret },
  }),
);

// A draft of the next policy, signed by the log key and one officer

const policy3Text = e.formatPolicy({
  ...e.parsePolicy(core, policy2),
  number: 3,
  previous: e.policyHash(core, policy2Text),
  unproven: "refused",
  officers: officersOf(bert, carla, dora),
});
save("policy.txt", await e.signNote(core, policy3Text, nextLog, carla));
const second = new Tree(nextLog);
const policy2Hash = e.policyHash(core, policy2Text);
save(
  "leaves/authority.txt",
  second.add({
    type: "authority",
    time: tick(),
    number: 2,
    identity: e.identityHash(core, identity2Text),
  }),
);
const announced = tick();
const inForce = new Date(announced.getTime() + 86_400_000);
save(
  "leaves/announce.txt",
  second.add({
    type: "announce",
    time: announced,
    number: 2,
    policy: policy2Hash,
    notbefore: inForce,
  }),
);
tick(86_400);
save(
  "leaves/policy.txt",
  second.add({ type: "policy", time: tick(0), number: 2, policy: policy2Hash }),
);

// A request for all three keys, decisions about it, a veto, and the release

const all = [submission, proven, unproven];
const asking = tick(3600);
const request = e.makeRequest({
  authority: ORIGIN,
  requester: "Olga Größe, on the phone",
  recipient: recovery.publicKey,
  records: all.map(({ record }) => e.recordHash(core, record)),
  created: asking,
});
save("request.json", e.encodeRequest(request));
const requestHash = e.requestHash(core, request);
const asked = tick();
const requested = second.add({
  type: "request",
  time: asked,
  request: requestHash,
  policy: policy2Hash,
  expires: request.expires,
  notbefore: new Date(asked.getTime() + 86_400_000),
  owners: [e.requestTag(core, secret, requestHash)],
});
save("leaves/request.txt", requested);
const decide = (by, decision) =>
  e.signApproval(core, by, request, policy2Hash, {
    decision,
    identity: "passport, in person; sah ihn selbst",
    date: tick(),
  });
const denial = await decide(anna, "deny");
save("denial.txt", denial);
save(
  "leaves/denial.txt",
  second.add({
    type: "denial",
    time: tick(),
    request: requestHash,
    approval: e.approvalHash(core, denial),
  }),
);
const veto = await e.signVeto(core, olga, request, { date: tick() });
save("veto.txt", veto);
save(
  "leaves/veto.txt",
  second.add({ type: "veto", time: tick(), request: requestHash, veto: e.vetoHash(core, veto) }),
);
const approvals = [];
for (const by of [bert, carla, dora]) approvals.push(await decide(by, "approve"));
for (const [i, note] of approvals.entries()) save(`approval.${i + 1}.txt`, note);
const approvalsHash = e.approvalsHash(
  core,
  approvals.map((note) => e.approvalHash(core, note)),
);
const fingerprint = e.recipientFingerprint(core, request);
const { key: fileKey } = await openKey();
const released = [];
for (const hash of request.records) {
  const one = all.find(({ record }) => Buffer.compare(e.recordHash(core, record), hash) === 0);
  const aiKeyAlg = one.record.blob?.aiKeyAlg ?? 0x6610;
  const key = one === submission ? fileKey : blobKey.slice(0, one === unproven ? 5 : 32);
  const wrap = await wrapFor(core, key, { key: recovery.publicKey, padding: "oaep" }, { aiKeyAlg });
  const leaf = second.add({
    type: "release",
    time: tick(0),
    record: hash,
    owner: e.ownerTag(core, secret, hash),
    request: requestHash,
    policy: policy2Hash,
    approvals: approvalsHash,
    recipient: e.recipientTag(core, one.record.blind, fingerprint),
    basis: "emergency",
  });
  released.push({ record: hash, wrap, leaf });
}
save("leaves/release.txt", released[0].leaf);
const releases = [];
for (const one of released) releases.push({ ...one, proof: await second.proof(one.leaf) });
const release = {
  request,
  requested: { leaf: requested, proof: await second.proof(requested) },
  releases,
};
await e.checkRelease(core, release, authority, { request });
save("release.json", e.encodeRelease(release));

// A leaf of a later edition, and a checkpoint with a witness's cosignature (of type 4, which is kept and ignored)

save(
  "leaves/unknown.txt",
  second.add(
    `twinwrap/leaf/v1\ntype drill\ntime ${tick().toISOString().slice(0, 19)}Z\nwhat nobody knows yet\n`,
  ),
);
const cosignature = Buffer.concat([sha256("golden witness").subarray(0, 4), Buffer.alloc(72, 7)]);
const signed = await second.checkpoint();
save("checkpoint.txt", `${signed}— witness.example ${cosignature.toString("base64")}\n`);

// A draft of an identity that ends this log, too, signed by both log keys and by no officer yet

const last = { size: second.leaves.length, root: new Uint8Array(second.root()) };
const identity3Text = e.formatIdentity({
  ...e.parseIdentity(core, identity2),
  number: 3,
  previous: e.policyHash(core, policy2Text),
  log: signer("log-3.golden.example"),
  ended: [
    { ...log, kept, end },
    { ...nextLog, kept: last, end: last },
  ],
});
save(
  "identity.txt",
  await e.signNote(core, identity3Text, signer("log-3.golden.example"), nextLog),
);

/** The file's session key, as its owner opens it. */
async function openKey() {
  const [wrap] = (await twinwrap.inspect(file)).wraps;
  const key = core.rsaPrivateKey(owner.privateKey);
  const block = Uint8Array.from(wrap.simpleBlob.subarray(12)).reverse();
  return { key: key.unwrapKey(block, { padding: "oaep", length: 32 }) };
}
