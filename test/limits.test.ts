import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { inspect, open, rewrap, seal } from "twinwrap";
import * as blob from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import * as escrow from "twinwrap/escrow";
import {
  identifyKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
} from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { plaintextLength, setChunkNonce } from "#build/envelope/cobblestone.js";
import { formatSpki, parseSpkiText } from "#build/escrow/spki.js";
import { decodeJcs, encodeJcs } from "#build/jcs.js";
import { canonical, type Odd, sealIndependently } from "./envelope/independent.js";
import { makePair } from "./envelope/keys.js";
import {
  fill,
  ONE_OFFICER,
  releaseEntry,
  SPKI,
  signer,
  spareEd25519,
  spareKey,
} from "./escrow/material.js";
import { isQuick } from "./quick.js";

// Every limit in docs/format.md, from both sides: what is at it is written and read again, what is one above is
// refused by the writer before anything is written, and by the reader whoever wrote it. A limit that the
// document names and no row has fails; so does a row whose words are not there any more.

const core = await loadCore();
const alice = await makePair();
const log = signer("o", 1);

type Work = () => unknown;

interface Row {
  /** The words of the document, each from one of its lines. */
  says: string[];
  /** Writes and reads again what is at the limit. */
  at: Work;
  /** Writes one above. */
  write?: Work;
  /** The writer's code: LIMIT_EXCEEDED unless what is written is not a file of ours. */
  writeCode?: string;
  /** Reads one above, made by hand. */
  read?: Work;
  readCode?: string;
  /** Of what is wrong besides: that it is the limit by which it is refused. */
  readSays?: RegExp;
}

const bytesOf = async (options: Partial<Parameters<typeof seal>[1]> = {}) =>
  Buffer.from(await (await seal(Buffer.from("x"), { to: [alice.publicKey], ...options })).bytes());
const byHand = (odd: Odd) => sealIndependently(Buffer.from("x"), alice.node.publicKey, odd);
const opens = async (file: Buffer) =>
  expect(Buffer.from(await (await open(file, { key: alice.privateKey })).bytes()).toString()).toBe(
    "x",
  );
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const json = (value: unknown) => Buffer.from(canonical(value));
const spki = SPKI.toString("base64");

/** A note as anybody could write one: its signature is of a key that nobody knows. */
const noteOf = (text: string, signatures = 1) =>
  `${text}\n${Array.from({ length: signatures }, (_, i) => `— nobody${i} ${b64(Buffer.alloc(68))}\n`).join("")}`;

/** Keys that nobody can open for, of any size. */
const keyOfBits = (bits: number): RsaPublicKey => {
  const n = new Uint8Array(randomBytes(bits / 8));
  n[0]! |= 0x80;
  n[n.length - 1]! |= 1;
  return { n, e: Uint8Array.of(1, 0, 1) };
};

const wraps = (count: number) =>
  many(count, () => ({
    fingerprint: fill(1).toString("base64url"),
    alg: "rsa-oaep-sha1",
    simpleblob: fill(1, 268).toString("base64url"),
  }));

// What passes between people

const identity = (change: Partial<escrow.IdentityText> = {}): escrow.IdentityText => ({
  origin: "o",
  number: 1,
  previous: fill(2),
  log: { name: change.origin ?? "o", publicKey: spareEd25519(1) },
  wrapKeys: [readPublicKey(SPKI)],
  paddings: ["oaep"],
  ended: [],
  ...change,
});
const endedLogs = (count: number): escrow.IdentityText["ended"] =>
  many(count, (index) => {
    const point = { size: 0, root: fill(3) };
    return { name: `e${index}`, publicKey: spareEd25519(index + 2), kept: point, end: point };
  });
const identityText = (lines: {
  origin?: string;
  wraps?: string[];
  number?: number;
  ended?: number;
}) =>
  [
    "twinwrap/authority/v1",
    `origin ${lines.origin ?? "o"}`,
    `number ${lines.number ?? "1"}`,
    `previous ${fill(2).toString("hex")}`,
    `log ${lines.origin ?? "o"} ${b64(spareEd25519(1))}`,
    ...(lines.wraps ?? [spki]).map((key) => `wrap ${key}`),
    "alg rsa-oaep-sha1",
    ...endedLogs(lines.ended ?? 0).flatMap(({ name, publicKey, kept }) => [
      `ended ${name} ${b64(publicKey)}`,
      `kept 0 ${Buffer.from(kept.root).toString("hex")}`,
      `end 0 ${Buffer.from(kept.root).toString("hex")}`,
    ]),
    "",
  ].join("\n");
const identityRow = (
  says: string[],
  at: object,
  above: object,
  text: Parameters<typeof identityText>[0],
): Row => ({
  says,
  at: () => escrow.parseIdentity(core, noteOf(escrow.formatIdentity(identity(at)))),
  write: () => escrow.formatIdentity(identity(above)),
  read: () => escrow.parseIdentity(core, noteOf(identityText(text))),
});

const officer = (index: number, self: string[] = []): escrow.Officer => ({
  name: `n${String(index).padStart(2, "0")}`,
  key: spareEd25519(index + 1),
  share: spareKey(index),
  self,
});
const policy = (change: Partial<escrow.PolicyText> = {}): escrow.PolicyText => ({
  authority: "o",
  ...ONE_OFFICER,
  officers: [officer(0)],
  ...change,
});
const self = (count: number) => many(count, (index) => `s${String(index).padStart(3, "0")}`);
const policyText = (change: {
  number?: number;
  waiting?: number;
  officers?: number;
  self?: number;
}) =>
  [
    "twinwrap/policy/v1",
    "authority o",
    `number ${change.number ?? 1}`,
    `previous ${fill(7).toString("hex")}`,
    "release 1",
    "change 1",
    "emergency 1",
    `waiting ${change.waiting ?? 0}`,
    "owners open",
    "unproven refused",
    ...many(change.officers ?? 1, (index) => {
      const { name, key, share } = officer(index);
      return [
        `officer ${name}`,
        `key ${b64(key)}`,
        `share ${formatSpki(share)}`,
        ...self(change.self ?? 0).map((id) => `self ${id}`),
      ];
    }).flat(),
    "",
  ].join("\n");
const policyRow = (
  says: string[],
  at: object,
  above: object,
  text: Parameters<typeof policyText>[0],
): Row => ({
  says,
  at: () => escrow.parsePolicy(core, noteOf(escrow.formatPolicy(policy(at)))),
  write: () => escrow.formatPolicy(policy(above)),
  read: () => escrow.parsePolicy(core, noteOf(policyText(text))),
});

type Asked = Parameters<typeof escrow.makeRequest>[0];
const CREATED = new Date("2026-02-01T00:00:00Z");
const days = (count: number, seconds = 0) =>
  new Date(CREATED.getTime() + (count * 86_400 + seconds) * 1000);
const ask = (change: Partial<Asked> = {}) =>
  escrow.makeRequest({
    authority: "o",
    requester: "x",
    recipient: readPublicKey(SPKI),
    records: [fill(1)],
    created: CREATED,
    ...change,
  });
const records = (count: number) =>
  many(count, (index) => {
    const record = Buffer.alloc(32);
    record.writeUInt32BE(index);
    return record;
  });
const requestJson = (change: object = {}) => ({
  alg: "rsa-oaep-sha1",
  authority: "o",
  created: "2026-02-01T00:00:00Z",
  expires: "2026-02-15T00:00:00Z",
  nonce: fill(1, 16).toString("base64url"),
  recipient: SPKI.toString("base64url"),
  records: [fill(1).toString("base64url")],
  requester: "x",
  type: "twinwrap/request/v1",
  v: 1,
  ...change,
});
const requestRow = (
  says: string[],
  at: Partial<Asked>,
  above: Partial<Asked>,
  change: object,
  code?: string,
): Row => ({
  says,
  at: () => escrow.decodeRequest(escrow.encodeRequest(ask(at))),
  write: () => ask(above),
  read: () => escrow.decodeRequest(json(requestJson(change))),
  ...(code === undefined ? {} : { writeCode: code, readCode: code }),
});

const approval = (change: object = {}) => ({
  authority: "o",
  policy: fill(1),
  request: fill(2),
  recipient: fill(3),
  records: 1,
  decision: "approve" as const,
  identity: "x",
  date: CREATED,
  expires: CREATED,
  ...change,
});
const approvalText = (records: number | string, who: string) =>
  `twinwrap/approval/v1\nauthority o\npolicy ${fill(1).toString("hex")}\nrequest ${fill(2).toString("hex")}\n` +
  `recipient ${fill(3).toString("hex")}\nrecords ${records}\ndecision approve\nidentity ${who}\ndate 2026-02-01T00:00:00Z\nexpires 2026-02-01T00:00:00Z\n`;
const approvalRow = (says: string[], at: object, above: object, text: string): Row => ({
  says,
  at: () => escrow.parseApproval(noteOf(escrow.formatApproval(approval(at)))),
  write: () => escrow.formatApproval(approval(above)),
  read: () => escrow.parseApproval(noteOf(text)),
});

const RECORD = {
  authority: "o",
  owner: "o-17",
  serial: fill(1, 16),
  created: CREATED,
  blind: fill(5),
  header: fill(2),
  salt: fill(3, 24),
  commitment: fill(4),
};
const coreJson = (change: object = {}) => ({
  alg: { body: "Cobblestone-256", key: "CALG_AES_256", wrap: "SIMPLEBLOB" },
  authority: "o",
  blind: fill(5).toString("base64url"),
  commitment: fill(4).toString("base64url"),
  created: "2026-02-01T00:00:00Z",
  header: fill(2).toString("base64url"),
  owner: "o-17",
  salt: fill(3, 24).toString("base64url"),
  serial: fill(1, 16).toString("base64url"),
  v: 1,
  ...change,
});
const submit = (change: { description?: string; owner?: string; created?: Date } = {}) =>
  escrow.makeSubmission(core, {
    sessionKey: fill(7),
    authority: { origin: "o", wrapKey: readPublicKey(SPKI), padding: "oaep" },
    owner: change.owner ?? "o-17",
    file: { ...RECORD, hash: RECORD.header, description: change.description },
    created: change.created ?? CREATED,
  });
const WRAP = { fingerprint: fill(7), padding: "oaep" as const };
const blobOf = (aiKeyAlg: number) => ({
  ...WRAP,
  simpleBlob: blob.encodeSimpleBlob({ aiKeyAlg, encryptedKey: fill(8, 256) }),
});
const submitBlob = (aiKeyAlg: number, change: { label?: string; keyLength?: number }) =>
  escrow.makeBlobSubmission(core, {
    authority: "o",
    owner: "x",
    wrap: blobOf(aiKeyAlg),
    ...change,
  });
const blobJson = (key: string, change: object) => ({
  alg: { body: "blob", key, wrap: "SIMPLEBLOB" },
  authority: "o",
  blind: fill(5).toString("base64url"),
  created: "2026-02-01T00:00:00Z",
  owner: "x",
  serial: fill(1, 16).toString("base64url"),
  v: 1,
  wrap: fill(9).toString("base64url"),
  ...change,
});

const leaf = escrow.encodeLeaf({
  type: "escrow",
  time: CREATED,
  record: fill(1),
  owner: fill(2),
});
const receipt = (proof: string) => ({ leaf, proof, type: "twinwrap/receipt/v1" });
/** A receipt of so many bytes: a newline takes one byte of a proof, and two of the JSON around it. */
const receiptOf = (bytes: number) => {
  const rest = bytes - json(receipt("")).length;
  const lines = rest - 80 * 1024;
  return { leaf, proof: `${"\n".repeat(lines)}${"x".repeat(80 * 1024 - lines)}` };
};

const releaseLeaf = escrow.encodeLeaf(releaseEntry(CREATED));
const requestLeaf = (owners: number) =>
  escrow.encodeLeaf({
    type: "request",
    time: CREATED,
    request: fill(1),
    policy: fill(2),
    expires: days(14),
    notbefore: CREATED,
    owners: records(owners),
  });
const requested = { leaf: requestLeaf(1), proof: "" };
const policyLeaf = escrow.encodeLeaf({
  type: "policy",
  time: CREATED,
  number: 7,
  policy: fill(1),
});
/** A leaf of a type that nobody knows yet, of so many bytes. */
const laterLeaf = (type: string, bytes: number) => {
  const head = `twinwrap/leaf/v1\ntype ${type}\ntime 2026-02-01T00:00:00Z\n`;
  return `${head}${"x".repeat(bytes - head.length - 1)}\n`;
};
/** A release of exactly so many bytes. */
const releaseOf = (bytes: number): escrow.Release => {
  const all = records(300);
  const request = ask({ records: all });
  const key = (index: number, proof: string) => ({
    record: all[index]!,
    wrap: { ...WRAP, simpleBlob: new Uint8Array(fill(8, 268)) },
    leaf: releaseLeaf,
    proof,
  });
  const sizeOf = (releases: escrow.ReleasedKey[]) =>
    escrow.encodeRelease({ request, requested, releases }).length;
  const none = sizeOf([]);
  const empty = sizeOf([key(0, "")]) - none;
  // A newline takes a byte of a proof and two of JSON; a comma stands before every key but the first.
  const full = "\n".repeat(80 * 1024);
  const each = empty + 2 * full.length + 1;
  const count = Math.floor((bytes - none - empty) / each);
  const releases = many(count, (index) => key(index, full));
  let rest = bytes - none - empty - count * each;
  if (rest > 2 * full.length) {
    releases.push(key(releases.length, ""));
    rest -= empty + 1;
  }
  const last = "\n".repeat(rest >> 1) + "x".repeat(rest & 1);
  return { request, requested, releases: [...releases, key(releases.length, last)] };
};

/** An authority.json of exactly so many bytes, of notes that need not be any. */
const authorityOf = (bytes: number) => {
  const rest = bytes - json({ identities: [""], type: "twinwrap/authority/v1" }).length;
  const whole = 2 * 65536 + 3;
  const count = Math.floor(rest / whole);
  const last = rest - count * whole;
  const identities = many(count, () => "\n".repeat(65536));
  identities.push("\n".repeat(last >> 1) + "x".repeat(last & 1));
  return { identities, policies: [] };
};

const checkpointNote = (size: string) => noteOf(`o\n${size}\n${b64(fill(1))}\n`);
const proofText = (hashes: number) =>
  `c2sp.org/tlog-proof@v1\nindex 0\n${`${b64(fill(1))}\n`.repeat(hashes)}\n${checkpointNote("9")}`;
const path = (hashes: number) => many(hashes, () => fill(1));

const privateBlob = () => writePrivateKey(alice.privateKey, "msblob");
const publicBlob = (bits: number) => {
  const n = keyOfBits(bits).n;
  const head = Buffer.from("0602000000a4000052534131", "hex");
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(bits);
  sizes.writeUInt32LE(65537, 4);
  return Buffer.concat([head, sizes, n]);
};
/** BCRYPT_RSAPUBLIC_BLOB. */
const cngBlob = (bits: number, after = 0) => {
  const head = Buffer.from("RSA1".padEnd(24, "\0"), "latin1");
  const n = keyOfBits(8 * Math.ceil(bits / 8)).n;
  n[0] = bits % 8 === 0 ? n[0]! : 1;
  for (const [i, value] of [bits, 3, n.length].entries()) head.writeUInt32LE(value, 4 + 4 * i);
  return Buffer.concat([head, Uint8Array.of(1, 0, 1), n, fill(1, after)]);
};
const plainBlob = (aiKeyAlg: number, length: number) => {
  const head = Buffer.alloc(12);
  head.set([8, 2, 0, 0]);
  head.writeUInt32LE(aiKeyAlg, 4);
  head.writeUInt32LE(length, 8);
  return Buffer.concat([head, fill(1, length)]);
};
const sessionKeyRow = (says: string[], aiKeyAlg: number, max: number): Row => ({
  says,
  at: () => {
    for (const length of [5, max]) {
      const key = fill(1, length);
      const bytes = blob.encodePlaintextKeyBlob({ aiKeyAlg, key });
      expect(Buffer.from(blob.decodePlaintextKeyBlob(bytes).key)).toEqual(key);
    }
  },
  write: () => blob.encodePlaintextKeyBlob({ aiKeyAlg, key: fill(1, max + 1) }),
  writeCode: "BAD_ARGUMENT",
  read: () => blob.decodePlaintextKeyBlob(plainBlob(aiKeyAlg, max + 1)),
  readCode: "BAD_BLOB",
});

const pem = (der: Uint8Array, label = "PRIVATE KEY") =>
  Buffer.from(`-----BEGIN ${label}-----\n${b64(der)}\n-----END ${label}-----\n`);

const ROWS: Row[] = [
  {
    says: ["from −(2^53 − 1) to 2^53 − 1"],
    at: () => {
      for (const value of [2 ** 53 - 1, 1 - 2 ** 53]) {
        expect(decodeJcs(encodeJcs(value), 99)).toBe(value);
      }
    },
    write: () => encodeJcs(2 ** 53),
    writeCode: "BAD_FORMAT",
    read: () => decodeJcs(Buffer.from(String(2 ** 53)), 99),
  },
  {
    says: ["nothing is deeper than 8"],
    at: () => decodeJcs(encodeJcs([[[[[[[[]]]]]]]]), 99),
    write: () => encodeJcs([[[[[[[[[]]]]]]]]]),
    writeCode: "BAD_FORMAT",
    read: () => decodeJcs(Buffer.from("[[[[[[[[[]]]]]]]]]"), 99),
  },
  {
    // A header of ours never comes near: its texts are shorter.
    says: ["fixedLen, at most 65516"],
    at: async () => {
      const control = "\u0001";
      const origin = (index: number) => `${String(index).padStart(2, "0")}${control.repeat(253)}`;
      const name = control.repeat(255);
      const description = control.repeat(4096);
      await opens(await bytesOf({ name, description, escrow: many(16, origin) }));
    },
    read: () => inspect(byHand({ fixedText: `${" ".repeat(65516)} ` })),
    readSays: /^malformed header$/,
  },
  {
    says: ["slotLen, u32 big-endian: 8 KiB to 1 MiB"],
    at: async () => {
      for (const slotLength of [8192, 1 << 20]) await opens(byHand({ slotLength }));
    },
    write: () => bytesOf({ to: [alice.publicKey, ...many(400, () => keyOfBits(16384))] }),
    read: () => inspect(byHand({ slotLength: (1 << 20) + 4096 })),
  },
  {
    says: ["`name`        | optional, at most 255 bytes"],
    at: async () => opens(await bytesOf({ name: "ü".repeat(127) })),
    write: () => bytesOf({ name: "ü".repeat(128) }),
    read: () => inspect(byHand({ fixed: { name: "ü".repeat(128) } })),
  },
  {
    says: ["`description` | optional, at most 4096 bytes"],
    at: async () => opens(await bytesOf({ description: "€".repeat(1365) })),
    write: () => bytesOf({ description: "€".repeat(1366) }),
    read: () => inspect(byHand({ fixed: { description: "€".repeat(1366) } })),
  },
  {
    says: ["sorted, each once, at most 16, maybe none"],
    at: async () => opens(await bytesOf({ escrow: many(16, (index) => `o${index}`) })),
    write: () => bytesOf({ escrow: many(17, (index) => `o${index}`) }),
    read: () => inspect(byHand({ fixed: { escrow: many(17, (index) => `o${10 + index}`) } })),
  },
  {
    says: ["its generation is from 1 to 2^53 − 1"],
    at: async () => opens(byHand({ generations: [2n ** 53n - 1n, 0n] })),
    read: () => inspect(byHand({ generations: [2n ** 53n, 0n] })),
  },
  {
    says: ['{"alg","fingerprint","simpleblob"}`, at most 1024'],
    at: async () => {
      const others = many(1023, spareKey);
      const file = await bytesOf({ to: [alice.publicKey, ...others] });
      await opens(file);
      expect((await inspect(file)).wraps).toHaveLength(1024);
      const one = { key: alice.privateKey, add: [{ key: spareKey(5000) }] };
      await expect(rewrap(file, one)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    },
    write: () => bytesOf({ to: [alice.publicKey, ...many(1024, spareKey)] }),
    read: () => inspect(byHand({ slotLength: 1 << 20, mutable: { wraps: wraps(1025) } })),
  },
  {
    says: ['{"submission","receipt"}`, `receipt` optional, at most 16'],
    at: async () => opens(await bytesOf({ escrows: () => many(16, () => ({ submission: 1 })) })),
    write: () => bytesOf({ escrows: () => many(17, () => ({ submission: 1 })) }),
    read: () => inspect(byHand({ mutable: { escrows: many(17, () => ({ submission: 1 })) } })),
  },
  {
    says: ["one of more than 4096 bytes is refused"],
    at: () => opens(byHand({ mutable: {} })),
    read: () => {
      const [wrap] = wraps(1);
      const simpleblob = fill(1, 4097).toString("base64url");
      return inspect(byHand({ slotLength: 16384, mutable: { wraps: [{ ...wrap, simpleblob }] } }));
    },
  },
  {
    says: ["At most 2^38 chunks"],
    at: () => {
      setChunkNonce(new Uint8Array(12), new Uint8Array(12), 2 ** 38 - 1);
      expect(plaintextLength(56 + 2 ** 38 * 16400 - 1)).toBe(2 ** 52 - 1);
    },
    write: () => setChunkNonce(new Uint8Array(12), new Uint8Array(12), 2 ** 38),
    read: () => plaintextLength(56 + 2 ** 38 * 16400 + 16),
  },
  {
    says: ["RSA 2048 to 16384 bits; new wraps need"],
    at: async () => {
      const to = [alice.publicKey, keyOfBits(16384)];
      await opens(await bytesOf({ to }));
    },
    write: () => bytesOf({ to: [keyOfBits(16392)] }),
    writeCode: "BAD_KEY",
    read: () => parseSpkiText(formatSpki(keyOfBits(16392)), "key"),
    readCode: "BAD_KEY",
  },
  {
    says: ["([slots](#slots)), 2048 to 16384 bits"],
    at: () => {
      for (const bits of [2048, 16384]) ask({ recipient: keyOfBits(bits) });
    },
    write: () => ask({ recipient: keyOfBits(2040) }),
    writeCode: "WEAK_KEY",
    read: () => parseSpkiText(formatSpki(keyOfBits(2040)), "key"),
    readCode: "WEAK_KEY",
  },
  sessionKeyRow(
    ["CALG_RC2      | 0x6602 | 5 to 128", "RC2 with more than 16 bytes, up to 128"],
    blob.CALG_RC2,
    128,
  ),
  sessionKeyRow(["CALG_RC4     | 0x6801 | 5 to 16"], blob.CALG_RC4, 16),
  {
    says: ["NTE_BAD_DATA, and up to 64"],
    at: async () =>
      identifyKey(Buffer.concat([await writePrivateKey(alice.privateKey, "pvk"), fill(1, 64)])),
    read: async () =>
      identifyKey(Buffer.concat([await writePrivateKey(alice.privateKey, "pvk"), fill(1, 65)])),
    readCode: "BAD_BLOB",
  },
  {
    says: ["| up to 64 bytes after the end", "| more than 64 bytes after the end"],
    at: async () => identifyKey(Buffer.concat([await privateBlob(), fill(1, 64)])),
    read: async () => identifyKey(Buffer.concat([await privateBlob(), fill(1, 65)])),
    readCode: "BAD_BLOB",
  },
  {
    says: ["`bitlen` not 384 to 16384 "],
    at: () => {
      for (const bits of [384, 16384]) blob.decodePublicKeyBlob(publicBlob(bits));
    },
    write: () => blob.encodePublicKeyBlob({ aiKeyAlg: blob.CALG_RSA_KEYX, ...keyOfBits(16392) }),
    writeCode: "BAD_ARGUMENT",
    read: () => blob.decodePublicKeyBlob(publicBlob(16392)),
    readCode: "BAD_BLOB",
  },
  {
    says: ["BitLength, 384 to 16384"],
    at: () => {
      for (const bits of [384, 16384]) blob.decodeCngRsaKey(cngBlob(bits));
    },
    read: () => blob.decodeCngRsaKey(cngBlob(16385)),
    readCode: "BAD_BLOB",
  },
  {
    says: ["NTE_BAD_DATA; up to 64"],
    at: () => void blob.decodeCngRsaKey(cngBlob(2048, 64)),
    read: () => blob.decodeCngRsaKey(cngBlob(2048, 65)),
    readCode: "BAD_BLOB",
  },
  {
    says: ["a program's    | 16 KiB"],
    at: async () => {
      const base = escrow.encodeSubmission(await submit({ description: "" })).length;
      const rest = 16384 - base;
      const controls = Math.ceil((rest - 4096) / 5);
      const description = `${"\u0001".repeat(controls)}${"x".repeat(rest - 6 * controls)}`;
      const bytes = escrow.encodeSubmission(await submit({ description }));
      expect(bytes).toHaveLength(16384);
      escrow.decodeSubmission(bytes);
      await expect(submit({ description: `x${description}` })).rejects.toMatchObject({
        code: "LIMIT_EXCEEDED",
      });
    },
    write: () => submit({ description: "\u0001".repeat(4096) }),
    read: () =>
      escrow.decodeSubmission(
        json({
          record: coreJson({ description: "\u0001".repeat(4096) }),
          tag: fill(6).toString("base64url"),
          type: "twinwrap/submission/v1",
          wrap: wraps(1)[0],
        }),
      ),
  },
  {
    // An owner's file of ours has at most 725 bytes.
    says: ["whom it enrols: a secret | 4 KiB"],
    at: () => {
      const text = "o".repeat(255);
      const file = { authority: text, fingerprint: fill(1), owner: text, secret: fill(2) };
      escrow.decodeOwnerFile(escrow.encodeOwnerFile(file));
    },
    read: () => escrow.decodeOwnerFile(Buffer.alloc(4097, '"')),
    readSays: /longer than 4096 bytes/,
  },
  {
    says: ["and its proof     | 96 KiB"],
    at: () => escrow.decodeReceipt(escrow.encodeReceipt(receiptOf(96 * 1024))),
    write: () => escrow.encodeReceipt(receiptOf(96 * 1024 + 1)),
    read: () => escrow.decodeReceipt(json(receipt(receiptOf(96 * 1024 + 1).proof))),
  },
  {
    says: ["receipts and releases   | 80 KiB"],
    at: () => escrow.decodeReceipt(escrow.encodeReceipt({ leaf, proof: "x".repeat(80 * 1024) })),
    write: () => escrow.encodeReceipt({ leaf, proof: "x".repeat(80 * 1024 + 1) }),
    read: () => escrow.decodeReceipt(json(receipt("x".repeat(80 * 1024 + 1)))),
  },
  {
    // No request of ours is that long: 1000 records are 47 KiB.
    says: ["which key to wrap them | 256 KiB"],
    at: () => escrow.encodeRequest(ask({ records: records(1000), requester: "\u2028".repeat(85) })),
    read: () => escrow.decodeRequest(Buffer.alloc(256 * 1024 + 1, '"')),
    readSays: /longer than 262144 bytes/,
  },
  {
    says: ["leaf and its proof            | 32 MiB"],
    at: () => {
      const bytes = escrow.encodeRelease(releaseOf(1 << 25));
      expect(bytes).toHaveLength(1 << 25);
      escrow.decodeRelease(bytes);
    },
    write: () => escrow.encodeRelease(releaseOf((1 << 25) + 1)),
    read: () => escrow.decodeRelease(Buffer.alloc((1 << 25) + 1, '"')),
    readSays: /longer than 33554432 bytes/,
  },
  {
    says: ["`authority.json`    | 32 MiB"],
    at: () => {
      const bytes = escrow.encodeAuthority(authorityOf(1 << 25));
      expect(bytes).toHaveLength(1 << 25);
      escrow.decodeAuthority(bytes);
    },
    write: () => escrow.encodeAuthority(authorityOf((1 << 25) + 1)),
    read: () =>
      escrow.decodeAuthority(
        json({ ...authorityOf((1 << 25) + 1), policies: undefined, type: "twinwrap/authority/v1" }),
      ),
  },
  {
    says: [
      "on one request, yes or no                 | 64 KiB",
      "against a request for their keys             | 64 KiB",
      "how many it takes                           | 64 KiB",
      "stands in `authority.json`             | 64 KiB",
      "stands in proofs                        | 64 KiB",
      "UTF-8 of at most 65536 bytes",
    ],
    at: async () => {
      const rest = 65536 - (await escrow.signNote(core, "\n", log)).length - 2;
      const note = await escrow.signNote(core, `${"x".repeat(rest)}\n`, log);
      expect(Buffer.byteLength(note)).toBe(65536);
      await escrow.verifyNote(core, note, [log]);
    },
    write: () => escrow.signNote(core, `${"x".repeat(65535)}\n`, log),
    read: () => {
      const end = noteOf("\n").length - 1;
      return escrow.parseNote(noteOf(`${"x".repeat(65536 - end)}\n`));
    },
  },
  {
    says: ["for every signature, 1 to 128 times"],
    at: () => escrow.parseNote(escrow.formatNote(escrow.parseNote(noteOf("x\n", 128)))),
    write: () => {
      const { text, signatures } = escrow.parseNote(noteOf("x\n", 128));
      return escrow.formatNote({
        text,
        signatures: [...signatures, { ...signatures[0]!, name: "n" }],
      });
    },
    read: () => escrow.parseNote(noteOf("x\n", 129)),
  },
  {
    // A leaf of ours has at most 35,292 bytes.
    says: ["A leaf is [lines](#lines), at most 65535"],
    at: () => escrow.decodeLeaf(laterLeaf("t", 65535)),
    read: () => escrow.decodeLeaf(laterLeaf("t", 65536)),
    readSays: /longer than 65535 bytes/,
  },
  {
    says: ["A `request` has 1 to 500 lines"],
    at: () => escrow.decodeLeaf(requestLeaf(500)),
    write: () => requestLeaf(501),
    read: () => escrow.decodeLeaf(`${requestLeaf(500)}owner ${"ff".repeat(32)}\n`),
    readSays: /more than 500/,
  },
  {
    says: ["to `z`, then at most 31 more of these"],
    at: () => escrow.decodeLeaf(laterLeaf("t".repeat(32), 200)),
    read: () => escrow.decodeLeaf(laterLeaf("t".repeat(33), 200)),
  },
  {
    says: ["the note's own, NUMBER from 1 on"],
    at: () => escrow.decodeLeaf(policyLeaf.replace(/number .*/, "number 1")),
    read: () => escrow.decodeLeaf(policyLeaf.replace(/number .*/, "number 0")),
  },
  identityRow(
    ["ORIGIN, NAME: 1 to 255 bytes"],
    { origin: "o".repeat(255) },
    { origin: "o".repeat(256) },
    { origin: "o".repeat(256) },
  ),
  {
    says: ["years 0000 to 9999"],
    at: () => {
      for (const time of ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]) {
        const made = escrow.encodeLeaf({
          type: "policy",
          time: new Date(time),
          number: 1,
          policy: fill(1),
        });
        expect(made).toContain(time);
      }
    },
    write: () =>
      escrow.encodeLeaf({
        type: "policy",
        time: new Date("+010000-01-01T00:00:00Z"),
        number: 1,
        policy: fill(1),
      }),
    writeCode: "BAD_ARGUMENT",
    read: () => escrow.decodeLeaf(leaf.replace(/time .*/, "time +010000-01-01T00:00:00Z")),
  },
  {
    says: ["zeros, below 2^53"],
    at: () => {
      const number = 2 ** 53 - 1;
      const made = escrow.encodeLeaf({ type: "policy", time: CREATED, number, policy: fill(1) });
      expect(escrow.decodeLeaf(made)).toMatchObject({ number });
    },
    write: () =>
      escrow.encodeLeaf({ type: "policy", time: CREATED, number: 2 ** 53, policy: fill(1) }),
    read: () => escrow.parseCheckpoint(checkpointNote(String(2 ** 53))),
  },
  {
    says: ["TIME of the years 2000 to 2199"],
    at: () => {
      for (const created of ["2000-01-01T00:00:00Z", "2199-12-31T23:59:59Z"]) {
        escrow.decodeRecord(json(coreJson({ created })));
      }
    },
    read: () => escrow.decodeRecord(json(coreJson({ created: "2200-01-01T00:00:00Z" }))),
  },
  {
    says: ["`description`    | optional, at most 4096 bytes"],
    at: () => submit({ description: "x".repeat(4096) }),
    write: () => submit({ description: "x".repeat(4097) }),
    read: () => escrow.decodeRecord(json(coreJson({ description: "x".repeat(4097) }))),
  },
  {
    says: ["TIME of the years 2000 to 2199"],
    at: () => {
      for (const created of ["2000-01-01T00:00:00Z", "2199-12-31T23:59:59Z"]) {
        escrow.decodeRecord(json(coreJson({ created })));
        escrow.decodeRecord(escrow.encodeRecord({ ...RECORD, created: new Date(created) }));
      }
    },
    write: () => submit({ created: new Date("2200-01-01T00:00:00Z") }),
    writeCode: "BAD_ARGUMENT",
    read: () => {
      const early = () => escrow.decodeRecord(json(coreJson({ created: "1999-12-31T23:59:59Z" })));
      expect(early).toThrow(expect.objectContaining({ code: "BAD_FORMAT" }));
      return escrow.decodeRecord(json(coreJson({ created: "2200-01-01T00:00:00Z" })));
    },
  },
  {
    says: ["own serial number, LINE of 1 to 255 bytes"],
    at: () => submitBlob(blob.CALG_AES_256, { label: "x".repeat(255) }),
    write: () => submitBlob(blob.CALG_AES_256, { label: "x".repeat(256) }),
    read: () => escrow.decodeRecord(json(blobJson("CALG_AES_256", { label: "x".repeat(256) }))),
  },
  {
    says: ["only for RC2 (5 to 128)", "RC4 (5 to 16), and"],
    at: () => {
      for (const keyLength of [5, 128]) submitBlob(blob.CALG_RC2, { keyLength });
      for (const keyLength of [5, 16]) submitBlob(blob.CALG_RC4, { keyLength });
    },
    write: () => submitBlob(blob.CALG_RC4, { keyLength: 17 }),
    writeCode: "BAD_ARGUMENT",
    read: () => escrow.decodeRecord(json(blobJson("CALG_RC2", { keyLength: 129 }))),
  },
  {
    says: ["once for each, at most 53 times"],
    at: () =>
      escrow.parseProof(
        escrow.formatProof({ index: 0, path: path(53), checkpoint: checkpointNote("9") }),
      ),
    write: () => escrow.formatProof({ index: 0, path: path(54), checkpoint: checkpointNote("9") }),
    read: () => escrow.parseProof(proofText(54)),
  },
  requestRow(
    ["who asks: LINE of 1 to 255 bytes"],
    { requester: "x".repeat(255) },
    { requester: "x".repeat(256) },
    { requester: "x".repeat(256) },
  ),
  requestRow(
    ["1 to 1000 recordHashes"],
    { records: records(1000) },
    { records: records(1001) },
    { records: records(1001).map((record) => record.toString("base64url")) },
  ),
  requestRow(
    ["TIME: after `created`, at most 366 days"],
    { expires: days(366) },
    { expires: days(366, 1) },
    { expires: "2027-02-02T00:00:01Z" },
  ),
  approvalRow(
    ["records it has (1 to 1000)"],
    { records: 1000 },
    { records: 1001 },
    approvalText(1001, "x"),
  ),
  approvalRow(
    ["who asks (1 to 1000 bytes)"],
    { identity: "x".repeat(1000) },
    { identity: "x".repeat(1001) },
    approvalText(1, "x".repeat(1001)),
  ),
  policyRow(
    ["each of 1 to 63 officers"],
    { officers: many(63, (index) => officer(index)) },
    { officers: many(64, (index) => officer(index)) },
    { officers: 64 },
  ),
  policyRow(
    ["`number`                         | NUMBER, 1 to 1024"],
    { number: 1024 },
    { number: 1025 },
    { number: 1025 },
  ),
  policyRow(
    ["0 to 31,622,400 (366 days)"],
    { waiting: 31_622_400 },
    { waiting: 31_622_401 },
    { waiting: 31_622_401 },
  ),
  policyRow(
    ["0 to 64 lines: the owner IDs"],
    { officers: [officer(0, self(64))] },
    { officers: [officer(0, self(65))] },
    { self: 65 },
  ),
  identityRow(
    ["| `number`   | NUMBER, 1 to 1024"],
    { number: 1024 },
    { number: 1025 },
    { number: 1025 },
  ),
  identityRow(
    ["0 to 63 times, none in number 1"],
    { number: 2, ended: endedLogs(63) },
    { number: 2, ended: endedLogs(64) },
    { number: 2, ended: 64 },
  ),
  identityRow(
    ["1 to 64 lines, no key twice: the RSA keys"],
    { wrapKeys: many(64, spareKey) },
    { wrapKeys: many(65, spareKey) },
    { wraps: many(65, (index) => formatSpki(spareKey(index))) },
  ),
  ...(["identities", "policies"] as const).map((name): Row => {
    const file = (count: number) => ({
      identities: ["a\n"],
      policies: ["b\n"],
      [name]: many(count, () => "c\n"),
    });
    return {
      says: [name === "identities" ? "1 to 1024 identity notes" : "1 to 1024 policy notes"],
      at: () => escrow.decodeAuthority(escrow.encodeAuthority(file(1024))),
      write: () => escrow.encodeAuthority(file(1025)),
      read: () => escrow.decodeAuthority(json({ ...file(1025), type: "twinwrap/authority/v1" })),
    };
  }),
  {
    says: ["A file of a key has at most 65536 bytes"],
    at: () => {
      const key = pem(SPKI, "PUBLIC KEY");
      return readPublicKey(Buffer.concat([Buffer.alloc(65536 - key.length, "\n"), key]));
    },
    read: () => {
      const key = pem(SPKI, "PUBLIC KEY");
      return readPublicKey(Buffer.concat([Buffer.alloc(65537 - key.length, "\n"), key]));
    },
    readCode: "LIMIT_EXCEEDED",
  },
  {
    says: ["1 to 10,000,000 iterations"],
    at: () => {
      expect(identifyKey(pem(locked(10_000_000, 16))).kind).toBe("locked");
    },
    write: () =>
      writePrivateKey(alice.privateKey, "pem", { passphrase: "x", iterations: 10_000_001 }),
    writeCode: "BAD_ARGUMENT",
    read: () => readPrivateKey(pem(locked(10_000_001, 16)), { passphrase: "x" }),
    readCode: "LIMIT_EXCEEDED",
  },
  {
    says: ["a salt of 1 to 1024 bytes"],
    at: () => {
      expect(identifyKey(pem(locked(1, 1024))).kind).toBe("locked");
    },
    read: () => readPrivateKey(pem(locked(1, 1025)), { passphrase: "x" }),
    readCode: "LIMIT_EXCEEDED",
  },
];

/** One DER element. */
function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** EncryptedPrivateKeyInfo with PBES2, PBKDF2 and AES-256-CBC, around nothing that opens. */
function locked(iterations: number, saltLength: number): Buffer {
  const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
  const number = Buffer.alloc(4);
  number.writeUInt32BE(iterations);
  const minimal = number.subarray(number.findIndex((byte) => byte !== 0));
  const count = der(
    0x02,
    minimal[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), minimal]) : minimal,
  );
  const derivation = der(
    0x30,
    oid("2a864886f70d01050c"),
    der(0x30, der(0x04, fill(1, saltLength)), count),
  );
  const cipher = der(0x30, oid("60864801650304012a"), der(0x04, fill(2, 16)));
  const scheme = der(0x30, oid("2a864886f70d01050d"), der(0x30, derivation, cipher));
  return der(0x30, scheme, der(0x04, fill(3, 64)));
}

// What the document says of numbers that are no limits of ours.
const NO_LIMITS = [
  "exactly 12 + k bytes", // one size only
  "a type that 1 to 7 bytes suggest", // words about a blob that is cut
  "an even exponent, or one under 3", // CryptoAPI's keys: test/blob
  "The index is the leaf's, from 0",
  "a key of at most 8192 bits", // the authority's own: test/authority
  "of at most 500 different owners", // those of its leaf
  "`created` is at most 5 minutes later", // the authority's own
  "and so are identities, at most 1024 of each", // each kind has its row
  "has 0 to 24 bytes and stands behind", // the command line's own: test/cli/capi.test.ts
  "behind the key, up to 16", // what a hash has left over
];

const LIMIT =
  /at most [\d^]+|up to \d+|[\d^,]+(?: − 1\))? to [\d^,]+|(?:below|deeper than|more than|under) [\d^]+|exactly \d+|\| \d+ [KM]iB +\||from \d/gi;

describe("docs/format.md", () => {
  const lines = readFileSync(new URL("../docs/format.md", import.meta.url), "utf8").split("\n");
  const known = [...ROWS.flatMap(({ says }) => says), ...NO_LIMITS];

  test("names no limit that is not walked here", () => {
    const unknown: string[] = [];
    for (const line of lines) {
      for (const match of line.matchAll(LIMIT)) {
        const [from, to] = [match.index, match.index + match[0].length];
        const isKnown = known.some((words) => {
          const at = line.indexOf(words);
          return at >= 0 && at < to && from < at + words.length;
        });
        if (!isKnown) unknown.push(`${match[0]}: ${line}`);
      }
    }
    expect(unknown).toEqual([]);
  });

  test.each(known)("still says: %s", (words) => {
    expect(lines.filter((line) => line.includes(words))).toHaveLength(1);
  });
});

const errorOf = async (work: Work): Promise<{ code?: string; message?: string }> => {
  try {
    await work();
    return { code: "nothing" };
  } catch (error) {
    return error as Error;
  }
};

describe("every limit, from both sides", () => {
  test.each(ROWS.map((row) => [row.says[0]!, row] as const))("%s", async (_, row) => {
    // What takes a second, and memory: the limit itself. Over it is cheap.
    const isLarge = row.says[0]!.includes("32 MiB");
    if (!(isQuick && isLarge)) await row.at();
    if (row.write) {
      expect(await errorOf(row.write)).toMatchObject({ code: row.writeCode ?? "LIMIT_EXCEEDED" });
    }
    if (row.read) {
      const message = expect.stringMatching(row.readSays ?? /./);
      expect(await errorOf(row.read)).toMatchObject({
        code: row.readCode ?? "BAD_FORMAT",
        message,
      });
    }
  });
});
