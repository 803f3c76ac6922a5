// Golden files: one of each kind of message and of leaf, as this edition of docs/format.md first wrote them. They stay
// readable for ever. What they say is written down here, and verified with node:crypto alone; test/golden/make.mjs made
// them.
import { spawnSync } from "node:child_process";
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  constants as crypto,
  type KeyObject,
  privateDecrypt,
  verify,
} from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspectHead, open } from "twinwrap";
import { loadCore } from "twinwrap/core";
import * as escrow from "twinwrap/escrow";
import { readPrivateKey, readPublicKey, writePrivateKey, writePublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { FIELDS } from "#build/escrow/leaf.js";
import { deriveBody, openIndependently } from "./envelope/independent.js";

const core = await loadCore();
const FOLDER = new URL("golden/files/", import.meta.url);
const bytesOf = (name: string) => readFileSync(new URL(name, FOLDER));
const textOf = (name: string) => bytesOf(name).toString("utf8");
const jsonOf = (name: string) => JSON.parse(textOf(name));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const sha256 = (...parts: (Uint8Array | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** By kind of message: the files that hold one. A kind without a file fails the types, or a test. */
const FILES: Record<escrow.MessageKind, string[]> = {
  submission: ["submission.file.json", "submission.proven.json", "submission.unproven.json"],
  receipt: ["receipt.json", "receipt.unproven.json"],
  request: ["request.json"],
  release: ["release.json"],
  authority: ["authority.json"],
  owner: ["owner.json"],
  connection: ["connection.json"],
  approval: ["approval.1.txt", "approval.2.txt", "approval.3.txt", "denial.txt"],
  veto: ["veto.txt"],
  policy: ["policy.txt"],
  identity: ["identity.txt"],
  checkpoint: ["checkpoint.txt"],
};
const KEY_FILES = [
  ...["backup.pem", "owner.pem", "owner.pub.pem", "recovery.pem"],
  ...["officer.pem", "officer.locked.pem", "officer.pub.pem", "control.pem", "control.pub.pem"],
];
const LEAVES = [...Object.keys(FIELDS), "unknown"].map((type) => `leaves/${type}.txt`);

test("every kind has a file, every file a kind, and none has changed since it was written", () => {
  expect(Object.values(FILES).every((names) => names.length > 0)).toBe(true);
  const messages = Object.values(FILES).flat();
  const known = [...messages, ...KEY_FILES, ...LEAVES, "sealed.twin", "owner.simpleblob"].sort();
  const names = readdirSync(FOLDER, { recursive: true })
    .map((name) => String(name).replaceAll("\\", "/"))
    .filter((name) => name !== "leaves");
  expect(names.sort()).toEqual(known);
  const sums = known.map((name) => `${hex(sha256(bytesOf(name)))}  files/${name}\n`);
  const written = readFileSync(new URL("golden/SHA256SUMS", import.meta.url), "utf8");
  expect(sums.join("")).toBe(written);
});

/** A message's own bytes, from what was decoded. */
function again(message: escrow.Message): string {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  switch (message.kind) {
    case "submission":
      return text(escrow.encodeSubmission(message.submission));
    case "receipt":
      return text(escrow.encodeReceipt(message.receipt));
    case "request":
      return text(escrow.encodeRequest(message.request));
    case "release":
      return text(escrow.encodeRelease(message.release));
    case "authority":
      return text(escrow.encodeAuthority(message.authority));
    case "owner":
      return text(escrow.encodeOwnerFile(message.owner));
    case "connection":
      return text(escrow.encodeConnection(message.connection));
    default:
      return escrow.formatNote(escrow.parseNote(message.note));
  }
}

describe("are read, and written again as they are", () => {
  const each = Object.entries(FILES).flatMap(([kind, names]) => names.map((name) => [name, kind]));
  test.each(each)("%s, a %s", (name, kind) => {
    const message = escrow.decodeMessage(core, bytesOf(name));
    expect(message.kind).toBe(kind);
    expect(again(message)).toBe(textOf(name));
  });

  // What notes say, written anew.
  const TEXTS: [string, (note: string) => string][] = [
    ["approval.1.txt", (note) => escrow.formatApproval(escrow.parseApproval(note))],
    ["denial.txt", (note) => escrow.formatApproval(escrow.parseApproval(note))],
    ["veto.txt", (note) => escrow.formatVeto(escrow.parseVeto(note))],
    ["policy.txt", (note) => escrow.formatPolicy(escrow.parsePolicy(core, note))],
    ["identity.txt", (note) => escrow.formatIdentity(escrow.parseIdentity(core, note))],
  ];
  test.each(TEXTS)("the text of %s", (name, write) => {
    const note = textOf(name);
    expect(write(note)).toBe(escrow.parseNote(note).text);
  });

  test.each(LEAVES)("%s", (name) => {
    const leaf = escrow.decodeLeaf(textOf(name));
    const type = name.slice("leaves/".length, -".txt".length);
    expect(leaf.type).toBe(type);
    if (leaf.type === "unknown") expect(leaf.name).toBe("drill");
    else expect(escrow.encodeLeaf(leaf)).toBe(textOf(name));
  });

  test("key files", async () => {
    for (const name of ["backup", "owner", "recovery"]) {
      const key = await readPrivateKey(bytesOf(`${name}.pem`));
      expect(Buffer.from(await writePrivateKey(key, "pem")).toString()).toBe(textOf(`${name}.pem`));
    }
    const owner = readPublicKey(bytesOf("owner.pub.pem"));
    expect(Buffer.from(writePublicKey(owner, "pem")).toString()).toBe(textOf("owner.pub.pem"));
    const officer = escrow.readOfficerPublicKeys(bytesOf("officer.pub.pem"));
    const written = escrow.writeOfficerPublicKeys(officer);
    expect(Buffer.from(written).toString()).toBe(textOf("officer.pub.pem"));
    for (const [name, options] of [
      ["officer.pem", {}],
      ["officer.locked.pem", { passphrase: "golden passphrase" }],
    ] as const) {
      const key = await escrow.readOfficerKey(bytesOf(name), options);
      expect(hex(key.signer("anna").publicKey)).toBe(hex(officer.publicKey));
      const { n } = await escrow.readOfficerShareKey(bytesOf(name), options);
      expect(hex(n)).toBe(hex(officer.shareKey.n));
    }
    const control = rawKey(createPublicKey(bytesOf("control.pub.pem")));
    expect(hex(escrow.readControlPublicKey(bytesOf("control.pub.pem")))).toBe(hex(control));
    const again = escrow.writeControlPublicKey(control);
    expect(Buffer.from(again).toString()).toBe(textOf("control.pub.pem"));
    const key = await escrow.readControlKey(bytesOf("control.pem"));
    expect(hex(key.signer("olga-17").publicKey)).toBe(hex(control));
    const pem = await escrow.writeControlKey(new Uint8Array(sha256("golden olga-17")));
    expect(Buffer.from(pem).toString()).toBe(textOf("control.pem"));
  });
});

// Hashes, over the bytes in the files

const authorityFile = jsonOf("authority.json") as { identities: string[]; policies: string[] };
const [identity1, identity2] = authorityFile.identities as [string, string];
const [policy1, policy2] = authorityFile.policies as [string, string];
/** What is signed of a note. */
const textIn = (note: string) => note.slice(0, note.lastIndexOf("\n\n") + 1);
/** A submission's record: it stands in canonical JSON as it is by itself. */
const recordIn = (name: string) =>
  /^\{"record":(\{.*?\}),(?:"tag":"[^"]*",)?"type":"twinwrap\/submission\/v1",/s.exec(
    textOf(name),
  )![1]!;
const wrapIn = (name: string) => /"wrap":(\{"alg".*\})\}$/s.exec(textOf(name))![1]!;
const linesOf = (text: string, ...keys: string[]) =>
  text.split(/(?<=\n)/).filter((line) => keys.includes(line.split(" ")[0]!));
const labelled = (label: string, ...content: string[]) =>
  hex(sha256(`twinwrap/v1/${label}\n`, ...content));

const RECORDS = {
  "submission.file.json": "579e8114515c5059cf7fcbdc7449c4ea2f7450eba5524f4216dbebc8d4c0ffab",
  "submission.proven.json": "5fe58c571a1548688a172121baebb5e0c7f565f2d95a198b51b8895191731976",
  "submission.unproven.json": "561127c32aeef111705a43949b85bc4c1e05eb16c743053466112bbc4b78d24d",
};
const KEYS_HASH = "7c182c491396f32170568a70a4c137cff8bd480c6daf28d2913e9f1fdfbb8cc8";
const POLICIES = [
  "20f906f166464f640bc1844a4e92a6cff74d58310661670fbf922b2c53939385",
  "4ec7a18345e9c60a6ea9c2b677e433ddfe6c192c08584adb48278cb40e7239c0",
] as const;
const IDENTITIES = [
  "dd49ee3b775c43f7944792cc65d57038fe129064c0ab3556798c74218d5626ff",
  "6b2c1374e75487ab95d8d5fbf6c8b3c2fe741f55270fb683fba9c546efd98544",
] as const;
const REQUEST = "5421b77635c05abf47f553bbcb40e73a6f5d858863b5895d6d5613fc31578ff3";
const ID = "kqq3o5rvybnl6r7vko54wqhhhj";
const DENIAL = "68675e8cb7f0f5641ceca45184e2c2ef6bf32477e96cbc7b82c2a8a9c85c828c";
const VETO = "ecd3615025531200b27f1a1cd956d8820756a8e0d5cb64690e59d6d8bb17d72e";
const APPROVALS = "c390aef359fd7a28e01d95c277dcd318460fd6075c01e741fe3c734c277fb480";

describe("have the hashes that they had", () => {
  test("of notes", () => {
    const policies = [policy1, policy2].map((note) => labelled("policy", textIn(note)));
    expect(policies).toEqual(POLICIES);
    expect([policy1, policy2].map((note) => hex(escrow.parsePolicy(core, note).hash))).toEqual(
      POLICIES,
    );
    const identities = [identity1, identity2].map((note) => labelled("authority", textIn(note)));
    expect(identities).toEqual(IDENTITIES);
    const parsed = [identity1, identity2].map((note) => escrow.parseIdentity(core, note));
    expect(parsed.map(({ hash }) => hex(hash))).toEqual(IDENTITIES);
    const keys = linesOf(textIn(identity1), "origin", "log", "wrap", "alg");
    expect(labelled("keys", ...keys)).toBe(KEYS_HASH);
    expect(hex(escrow.keysHash(core, parsed[0]!))).toBe(KEYS_HASH);
    expect(labelled("approval", textOf("denial.txt"))).toBe(DENIAL);
    expect(hex(escrow.approvalHash(core, textOf("denial.txt")))).toBe(DENIAL);
    expect(labelled("veto", textOf("veto.txt"))).toBe(VETO);
    expect(hex(escrow.vetoHash(core, textOf("veto.txt")))).toBe(VETO);
  });

  test("one behind the other", () => {
    const previous = (note: string) => /^previous (.*)$/m.exec(note)![1];
    expect([policy1, identity1, identity2, policy2].map(previous)).toEqual([
      KEYS_HASH,
      POLICIES[0],
      IDENTITIES[0],
      IDENTITIES[1],
    ]);
    for (const draft of ["policy.txt", "identity.txt"]) {
      expect(previous(textOf(draft))).toBe(POLICIES[1]);
    }
  });

  test("of records, wraps and the request", () => {
    for (const [name, hash] of Object.entries(RECORDS)) {
      expect(labelled("record", recordIn(name))).toBe(hash);
      const { record } = escrow.decodeSubmission(bytesOf(name));
      expect(hex(escrow.recordHash(core, record))).toBe(hash);
    }
    const bound = jsonOf("submission.unproven.json").record.wrap;
    const wrapHash = labelled("wrap", wrapIn("submission.unproven.json"));
    expect(Buffer.from(bound, "base64url").toString("hex")).toBe(wrapHash);
    expect(labelled("request", textOf("request.json"))).toBe(REQUEST);
    const request = escrow.decodeRequest(bytesOf("request.json"));
    expect(hex(escrow.requestHash(core, request))).toBe(REQUEST);
    expect(escrow.requestId(escrow.requestHash(core, request))).toBe(ID);
    const records = jsonOf("request.json").records as string[];
    const asked = records.map((record) => Buffer.from(record, "base64url").toString("hex"));
    expect(asked).toEqual(Object.values(RECORDS).sort());
  });

  test("of the approvals that counted", () => {
    const hashes = [1, 2, 3].map((i) => labelled("approval", textOf(`approval.${i}.txt`)));
    expect(labelled("approvals", ...hashes.sort().map((hash) => `${hash}\n`))).toBe(APPROVALS);
    const bytes = hashes.map((hash) => Buffer.from(hash, "hex"));
    expect(hex(escrow.approvalsHash(core, bytes))).toBe(APPROVALS);
  });
});

// Tags, and what leaves say

const SECRET = sha256("golden owner secret");
const hmac = (key: Uint8Array, ...parts: (Uint8Array | string)[]) => {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest("hex");
};
const ownerTag = (record: string) =>
  hmac(SECRET, "twinwrap/v1/owner-tag\0", Buffer.from(record, "hex"));
const linesIn = (leaf: string) => {
  const lines = leaf.slice(0, -1).split("\n");
  expect(leaf.endsWith("\n") && lines.shift()).toBe("twinwrap/leaf/v1");
  return lines.map((line) => line.split(" "));
};
const recipientSpki = Buffer.from(jsonOf("request.json").recipient, "base64url");
const recipientTag = (name: string) => {
  const blind = Buffer.from(jsonOf(name).record.blind, "base64url");
  return hmac(blind, "twinwrap/v1/recipient-tag\0", sha256(recipientSpki));
};
const REQUEST_TAG = hmac(SECRET, "twinwrap/v1/request-tag\0", Buffer.from(REQUEST, "hex"));
const rawKey = (key: KeyObject) => Buffer.from(key.export({ format: "jwk" }).x!, "base64url");
const nameOf = (record: string) => Object.entries(RECORDS).find(([, hash]) => hash === record)![0];

/** What each leaf says after its type and time. */
const SAYS: Record<string, () => string[][]> = {
  escrow: () => [
    ["record", RECORDS["submission.unproven.json"]],
    ["owner", ownerTag(RECORDS["submission.unproven.json"])],
  ],
  verified: () => [
    ["record", RECORDS["submission.file.json"]],
    ["owner", ownerTag(RECORDS["submission.file.json"])],
  ],
  request: () => [
    ["request", REQUEST],
    ["policy", POLICIES[1]],
    ["expires", jsonOf("request.json").expires],
    ["notbefore", "2026-01-07T09:11:00Z"],
    ["owner", REQUEST_TAG],
  ],
  denial: () => [
    ["request", REQUEST],
    ["approval", DENIAL],
  ],
  veto: () => [
    ["request", REQUEST],
    ["veto", VETO],
  ],
  enrol: () => [
    ["owner", hmac(SECRET, "twinwrap/v1/enrol")],
    ["control", hex(sha256(rawKey(createPublicKey(bytesOf("control.pub.pem")))))],
  ],
  announce: () => [
    ["number", "2"],
    ["policy", POLICIES[1]],
    ["notbefore", "2026-01-06T08:10:00Z"],
  ],
  policy: () => [
    ["number", "2"],
    ["policy", POLICIES[1]],
  ],
  authority: () => [
    ["number", "2"],
    ["identity", IDENTITIES[1]],
  ],
};

const releaseLines = (record: string) => [
  ["record", record],
  ["owner", ownerTag(record)],
  ["request", REQUEST],
  ["policy", POLICIES[1]],
  ["approvals", APPROVALS],
  ["recipient", recipientTag(nameOf(record))],
  ["basis", "emergency"],
];

test("the owner's file has the secret of these tags, and the authority's fingerprint", () => {
  const base64 = (hash: string | Uint8Array) =>
    Buffer.from(hash as string, "hex").toString("base64url");
  expect(jsonOf("owner.json")).toEqual({
    authority: "golden.example",
    fingerprint: base64(IDENTITIES[0]),
    owner: "olga-17",
    secret: base64(hex(SECRET)),
    type: "twinwrap/owner/v1",
  });
});

describe("leaves", () => {
  test.each(Object.keys(FIELDS).filter((type) => type !== "release"))("%s", (type) => {
    const [typeLine, time, ...rest] = linesIn(textOf(`leaves/${type}.txt`));
    expect(typeLine).toEqual(["type", type]);
    expect(time![0]).toBe("time");
    expect(rest).toEqual(SAYS[type]!());
  });

  test("release", () => {
    const release = jsonOf("release.json");
    expect(release.releases[0].leaf).toBe(textOf("leaves/release.txt"));
    expect(release.requested.leaf).toBe(textOf("leaves/request.txt"));
    for (const { leaf, record } of release.releases) {
      const lines = linesIn(leaf);
      expect(lines[0]).toEqual(["type", "release"]);
      expect(lines.slice(2)).toEqual(
        releaseLines(Buffer.from(record, "base64url").toString("hex")),
      );
    }
    expect(release.releases).toHaveLength(3);
  });
});

// Signatures and proofs

/** The public key of which the seed is the SHA-256 of its name. */
const seedKey = (name: string) =>
  createPublicKey(
    createPrivateKey({
      key: Buffer.concat([
        Buffer.from("302e020100300506032b657004220420", "hex"),
        sha256(`golden ${name}`),
      ]),
      format: "der",
      type: "pkcs8",
    }),
  );

/** Verifies each signature of a note. @returns who signed, in their order */
function signersOf(note: string, ignored: string[] = []): string[] {
  const text = textIn(note);
  const lines = note.slice(text.length + 1, -1).split("\n");
  return lines.flatMap((line) => {
    const [, name, base64] = /^\u2014 (\S+) (\S+)$/.exec(line)!;
    if (ignored.includes(name!)) return [];
    const bytes = Buffer.from(base64!, "base64");
    const key = seedKey(name!);
    expect(hex(bytes.subarray(0, 4))).toBe(
      hex(sha256(`${name}\n\x01`, rawKey(key)).subarray(0, 4)),
    );
    expect(verify(null, Buffer.from(text), key, bytes.subarray(4))).toBe(true);
    return [name!];
  });
}

/** Verifies a proof by RFC 6962, section 2.1.1, and its checkpoint. @returns index and size */
function checkProof(leaf: string, proof: string, origin: string): [number, number] {
  const at = proof.indexOf("\n\n");
  const [kind, index, ...path] = proof.slice(0, at).split("\n");
  expect(kind).toBe("c2sp.org/tlog-proof@v1");
  const note = proof.slice(at + 2);
  const [name, size, root, ...rest] = textIn(note).slice(0, -1).split("\n");
  expect([name, rest]).toEqual([origin, []]);
  expect(signersOf(note)).toEqual([origin]);
  const number = Number(index!.replace("index ", ""));
  const hashes = path.map((hash) => Buffer.from(hash, "base64"));
  const climb = (start: number, end: number): Buffer => {
    if (end - start === 1) return sha256("\0", leaf);
    let half = 1;
    while (2 * half < end - start) half *= 2;
    const beside = hashes.pop()!;
    return number < start + half
      ? sha256("\x01", climb(start, start + half), beside)
      : sha256("\x01", beside, climb(start + half, end));
  };
  expect(climb(0, Number(size)).toString("base64")).toBe(root);
  expect(hashes).toEqual([]);
  return [number, Number(size)];
}

describe("are signed, and proven", () => {
  const [log, nextLog] = ["golden.example", "log-2.golden.example"];

  test("the chain, by node:crypto and by the library", async () => {
    expect(signersOf(policy1)).toEqual([log, "anna", "bert", "carla"]);
    expect(signersOf(identity1)).toEqual([log]);
    expect(signersOf(identity2)).toEqual([nextLog, log, "anna", "carla"]);
    expect(signersOf(policy2)).toEqual([nextLog, "anna", "bert", "dora"]);
    for (const [note, name, key] of [
      [identity1, log, log],
      [identity2, nextLog, nextLog],
    ] as const) {
      expect(note).toContain(`\nlog ${name} ${rawKey(seedKey(key)).toString("base64")}\n`);
    }
    const pinned = Buffer.from(IDENTITIES[0], "hex");
    const authority = await escrow.verifyAuthority(core, authorityFile, { pinned });
    expect(authority.logKeys.map(({ name }) => name)).toEqual([nextLog, log]);
    expect(authority.identities[1]!.ended).toMatchObject([{ kept: { size: 6 }, end: { size: 8 } }]);
    const [before, after] = authority.policies as [escrow.Policy, escrow.Policy];
    expect(escrow.weakenings(before, after)).toEqual(["dora joins"]);
  });

  test("drafts and decisions", () => {
    expect(signersOf(textOf("policy.txt"))).toEqual([nextLog, "carla"]);
    expect(signersOf(textOf("identity.txt"))).toEqual(["log-3.golden.example", nextLog]);
    expect(signersOf(textOf("denial.txt"))).toEqual(["anna"]);
    const approvals = [1, 2, 3].map((i) => textOf(`approval.${i}.txt`));
    expect(approvals.flatMap((note) => signersOf(note))).toEqual(["bert", "carla", "dora"]);
    expect(signersOf(textOf("veto.txt"))).toEqual(["olga-17"]);
    expect(hex(rawKey(seedKey("olga-17")))).toBe(
      hex(rawKey(createPublicKey(bytesOf("control.pub.pem")))),
    );
    expect(signersOf(textOf("checkpoint.txt"), ["witness.example"])).toEqual([nextLog]);
    const officer = createPrivateKey(textOf("officer.pem").split(/(?<=-----END.*\n)/)[0]!);
    expect(hex(rawKey(createPublicKey(officer)))).toBe(hex(rawKey(seedKey("anna"))));
  });

  test("the officers' decision about the request, as it was", async () => {
    const { policies } = await escrow.verifyAuthority(core, authorityFile);
    const policy = policies[1]!;
    const request = escrow.decodeRequest(bytesOf("request.json"));
    const asked = escrow.decodeLeaf(textOf("leaves/request.txt")) as escrow.RequestLeaf;
    const released = escrow.decodeLeaf(textOf("leaves/release.txt"));
    const notes = ["approval.1.txt", "approval.2.txt", "approval.3.txt", "denial.txt"].map(textOf);
    const decide = (approvals: string[], vetoed: boolean, now: Date) =>
      escrow.quorumPolicy(policy).decide(core, {
        ...{ request, approvals, vetoed, now, owners: ["olga-17"] },
        ...{ received: asked.time, notBefore: asked.notbefore },
      });
    const decision = await decide(notes, true, released.time);
    expect(decision).toMatchObject({ approved: true, basis: "emergency" });
    expect(hex(decision.approvals)).toBe(APPROVALS);
    expect(await decide(notes.slice(1), true, asked.notbefore)).toMatchObject({ approved: false });
    expect(await decide(notes.slice(1), false, asked.notbefore)).toMatchObject({ basis: "quorum" });
  });

  test("receipts and the release", async () => {
    for (const name of ["receipt.json", "receipt.unproven.json"]) {
      const { leaf, proof } = jsonOf(name);
      const [index, size] = checkProof(leaf, proof, log);
      expect([index, size]).toEqual(name === "receipt.json" ? [3, 6] : [5, 6]);
    }
    expect(jsonOf("receipt.json").leaf).toBe(textOf("leaves/verified.txt"));
    expect(jsonOf("receipt.unproven.json").leaf).toBe(textOf("leaves/escrow.txt"));
    const { requested, releases } = jsonOf("release.json");
    const all = [requested, ...releases] as { leaf: string; proof: string }[];
    const places = all.map(({ leaf, proof }) => checkProof(leaf, proof, nextLog));
    expect(places).toEqual([3, 6, 7, 8].map((index) => [index, 9]));
    const checkpoints = all.map(({ proof }) => proof.slice(proof.indexOf("\n\n")));
    expect(new Set(checkpoints).size).toBe(1);
    const authority = await escrow.verifyAuthority(core, authorityFile);
    const release = escrow.decodeRelease(bytesOf("release.json"));
    const request = escrow.decodeRequest(bytesOf("request.json"));
    const checked = await escrow.checkRelease(core, release, authority, { request });
    expect(checked).toMatchObject({ basis: "emergency", keys: expect.any(Map) });
    for (const [submission, receipt] of [
      ["submission.file.json", "receipt.json"],
      ["submission.unproven.json", "receipt.unproven.json"],
    ] as const) {
      const about = escrow.decodeSubmission(bytesOf(submission));
      const given = escrow.decodeReceipt(bytesOf(receipt));
      await escrow.checkReceipt(core, about, given, authority);
    }
    const note = textOf("checkpoint.txt");
    const head = await escrow.verifyCheckpoint(core, note, authority.logKeys);
    expect(head).toMatchObject({ origin: nextLog, size: 10 });
  });
});

// What is wrapped

/** What a wrap of OAEP holds, by node:crypto. */
function unwrap(wrap: { alg: string; simpleblob: string }, pem: string, algId: number): Buffer {
  expect(wrap.alg).toBe("rsa-oaep-sha1");
  const blob = Buffer.from(wrap.simpleblob, "base64url");
  const head = Buffer.from("010200000000000000a40000", "hex");
  head.writeUInt32LE(algId, 4);
  expect(hex(blob.subarray(0, 12))).toBe(hex(head));
  const block = Buffer.from(blob.subarray(12)).reverse();
  const padding = crypto.RSA_PKCS1_OAEP_PADDING;
  return privateDecrypt({ key: bytesOf(pem), padding, oaepHash: "sha1" }, block);
}

describe("are opened", () => {
  const TEXT = "Golden text, öffentlich.\n";
  const OTHER_KEY = sha256("golden key of another program");
  const privateKey = (name: string) => createPrivateKey(bytesOf(name));

  test("the sealed file, with both keys, in both paddings, with its submission and receipt", async () => {
    const file = bytesOf("sealed.twin");
    const byOwner = openIndependently(file, privateKey("owner.pem"));
    const byRecovery = openIndependently(file, privateKey("recovery.pem"));
    expect(byOwner.plaintext.toString()).toBe(TEXT);
    expect(byRecovery.plaintext.toString()).toBe(TEXT);
    expect(hex(byOwner.key)).toBe(hex(byRecovery.key));
    const [slot] = byOwner.slots;
    expect(slot.generation).toBe(2n);
    expect(slot.wraps.map(({ alg }: { alg: string }) => alg)).toEqual([
      "rsa-oaep-sha1",
      "rsa-pkcs1-v1_5",
    ]);
    expect(slot.escrows).toEqual([
      { receipt: jsonOf("receipt.json"), submission: jsonOf("submission.file.json") },
    ]);
    expect(byOwner.fixed).toMatchObject({
      name: "golden.txt",
      description: "Größe: one line\nand another",
      escrow: ["golden.example"],
    });
    for (const name of ["owner.pem", "recovery.pem"]) {
      const opened = await open(file, { key: await readPrivateKey(bytesOf(name)) });
      expect(Buffer.from(await opened.bytes()).toString()).toBe(TEXT);
    }
    const authority = await escrow.verifyAuthority(core, authorityFile);
    const reports = await escrow.checkFile(core, await inspectHead(file), authority);
    expect(reports).toMatchObject([{ status: "verified", origin: "golden.example" }]);
  });

  test("the submissions, to the keys of their commitments and tags", () => {
    const fileKey = openIndependently(bytesOf("sealed.twin"), privateKey("owner.pem")).key;
    for (const [name, label, key] of [
      ["submission.file.json", "twinwrap/v1", fileKey],
      ["submission.proven.json", "twinwrap/v1/blob", OTHER_KEY],
    ] as const) {
      const { record, tag, wrap } = jsonOf(name);
      const opened = unwrap(wrap, "backup.pem", 0x6610);
      expect(hex(opened)).toBe(hex(key));
      const bytes = (member: string) => Buffer.from(record[member], "base64url");
      const context = Buffer.concat([Buffer.from(`${label}\0`), bytes("serial"), bytes("header")]);
      const { commitment } = deriveBody(opened, bytes("salt"), context);
      expect(hex(commitment)).toBe(hex(bytes("commitment")));
      // HKDF-Expand of one block (RFC 5869, section 2.3): HMAC-SHA-512 over info and 1.
      const info = Buffer.concat([
        Buffer.from("twinwrap/v1/record-tag\0"),
        Buffer.from(RECORDS[name], "hex"),
      ]);
      const block = createHmac("sha512", opened).update(info).update(Uint8Array.of(1)).digest();
      expect(hex(Buffer.from(tag, "base64url"))).toBe(hex(block.subarray(0, 32)));
    }
    const { header } = jsonOf("submission.proven.json").record;
    expect(Buffer.from(header, "base64url")).toEqual(sha256(bytesOf("owner.simpleblob")));
    const unproven = unwrap(jsonOf("submission.unproven.json").wrap, "backup.pem", 0x6801);
    expect(hex(unproven)).toBe(hex(OTHER_KEY.subarray(0, 5)));
  });

  test("the release, with the new key", () => {
    const fileKey = openIndependently(bytesOf("sealed.twin"), privateKey("owner.pem")).key;
    const expected: Record<string, [number, Buffer]> = {
      "submission.file.json": [0x6610, fileKey],
      "submission.proven.json": [0x6610, OTHER_KEY],
      "submission.unproven.json": [0x6801, OTHER_KEY.subarray(0, 5)],
    };
    for (const { record, wrap } of jsonOf("release.json").releases) {
      const [algId, key] = expected[nameOf(Buffer.from(record, "base64url").toString("hex"))]!;
      expect(hex(unwrap(wrap, "recovery.pem", algId))).toBe(hex(key));
    }
  });
});

const havePython = spawnSync("python3", ["-c", "import cryptography"]).status === 0;

test.skipIf(!havePython)("are verified by check.py, which shares nothing with the library", () => {
  const script = fileURLToPath(new URL("independent/check.py", import.meta.url));
  const check = (kind: string, ...names: string[]) => {
    const paths = names.map((name) => fileURLToPath(new URL(name, FOLDER)));
    return spawnSync("python3", [script, kind, ...paths], { encoding: "utf8" });
  };
  const submissions = Object.keys(RECORDS);
  for (const [kind, ...names] of [
    ["receipt", "authority.json", "submission.file.json", "receipt.json"],
    ["receipt", "authority.json", "submission.unproven.json", "receipt.unproven.json"],
    ["release", "authority.json", "release.json", ...submissions],
  ] as [string, ...string[]][]) {
    const { status, stdout } = check(kind, ...names);
    expect(stdout).toContain(`fingerprint ${IDENTITIES[0]}`);
    expect([status, stdout.endsWith("good\n")]).toEqual([0, true]);
  }
});
