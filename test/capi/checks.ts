import {
  constants,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
} from "node:crypto";
import {
  CryptoApiError,
  decodePlaintextKeyBlob,
  decodePrivateKeyBlob,
  decodePublicKeyBlob,
  decodeSimpleBlob,
  encodePlaintextKeyBlob,
  encodePrivateKeyBlob,
  encodePublicKeyBlob,
  encodeSimpleBlob,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { readPrivateKey, readPublicKey, writePrivateKey, writePublicKey } from "twinwrap/keys";
import { expect } from "vitest";
import { importKeyBlob, importSimpleBlob } from "#build/capi/index.js";
import { type CipherOptions, encryptAs } from "./ciphers.js";
import type { Good } from "./odd.js";

// What must be true of anything that went through a CryptoAPI program. The live tests ask it of what
// the program has just done, captured.test.ts of what one run of them has kept.

export type Padding = "oaep" | "pkcs1-v1_5";
export const PADDINGS: readonly Padding[] = ["oaep", "pkcs1-v1_5"];

/** Who wrote a blob first; whatever we wrote, the program has read and used. */
export type Maker = "CryptoAPI" | "Twinwrap";

/** An RSA key that the program has exported, be it that it was given to it before. */
export interface KeyCase {
  by: Maker;
  bits: number;
  privatekeyblob: Buffer;
  publickeyblob: Buffer;
}

/** A session key in a SIMPLEBLOB, and what the program encrypted with it. */
export interface WrapCase {
  by: Maker;
  /** CALG_…, and how its key is used. */
  algorithm: string;
  cipher?: CipherOptions;
  simpleblob: Buffer;
  /** The session key in the clear: as the program exports it, or as it was given to us. */
  plaintextkeyblob: Buffer;
  plain: Buffer;
  encrypted: Buffer;
}

/** Session keys under one RSA key. */
export interface WrapGroup {
  padding: Padding;
  /** PRIVATEKEYBLOB of the key that opens them. */
  privatekeyblob: Buffer;
  wraps: WrapCase[];
}

/** A message that a program encrypted buffer by buffer, each with Final = TRUE. */
export interface FinalsCase {
  /** None of RC4. */
  mode?: "cbc" | "ecb" | "cfb";
  /** Bytes of a buffer; the last one has fewer. */
  every: number;
  /** Zeros by default. */
  iv?: Buffer;
  plaintextkeyblob: Buffer;
  plain: Buffer;
  encrypted: Buffer;
}

/** What owner, authority and the new owner had in one run of the procedure. */
export interface ProcedureCase {
  /** Who made the session key, encrypted, and wrapped twice; the other one played the authority. */
  by: Maker;
  padding: Padding;
  /** PRIVATEKEYBLOBs. */
  owner: Buffer;
  authority: Buffer;
  newOwner: Buffer;
  /** SIMPLEBLOBs for the three. */
  ownerBlob: Buffer;
  authorityBlob: Buffer;
  recoveredBlob: Buffer;
  plain: Buffer;
  encrypted: Buffer;
}

const core = await loadCore();

/** A PRIVATEKEYBLOB as node:crypto's key, taken apart by the layout that Microsoft documents. */
export function nodeKey(blob: Buffer): KeyObject {
  expect(blob.toString("hex", 0, 12)).toMatch(/^0702000000(a4|24)000052534132$/);
  const full = blob.readUInt32LE(12) / 8;
  const half = Math.ceil(full / 2);
  let at = 16;
  const number = (length: number) => {
    at += length;
    return Buffer.from(blob.subarray(at - length, at))
      .reverse()
      .toString("base64url");
  };
  const e = number(4);
  const n = number(full);
  const [p, q, dp, dq, qi] = [half, half, half, half, half].map(number);
  const d = number(full);
  expect(at).toBe(blob.length);
  const jwk = { kty: "RSA", e, n, p, q, dp, dq, qi, d };
  return createPrivateKey({ key: jwk, format: "jwk" } as never);
}

/** The session key in a SIMPLEBLOB by node:crypto; v1.5 padding is taken off here, Node refuses to. */
export function openWithNode(blob: Uint8Array, key: KeyObject, padding: Padding): Buffer {
  const block = Buffer.from(blob.subarray(12)).reverse();
  if (padding === "oaep") {
    return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, block);
  }
  const message = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, block);
  const zero = message.indexOf(0, 2);
  expect([message[0], message[1], zero >= 10]).toEqual([0, 2, true]);
  return message.subarray(zero + 1);
}

/** Whether p < q, as in about half of Wine's keys. */
export function isPSmaller(privatekeyblob: Buffer): boolean {
  const { p, q } = decodePrivateKeyBlob(privatekeyblob);
  return Buffer.compare(p, q) < 0;
}

/** Both blobs of a key are the same key to node:crypto and to us, and we write them byte for byte. */
export async function checkKey({ bits, privatekeyblob, publickeyblob }: KeyCase): Promise<void> {
  expect(encodePrivateKeyBlob(decodePrivateKeyBlob(privatekeyblob))).toEqual(bytes(privatekeyblob));
  expect(encodePublicKeyBlob(decodePublicKeyBlob(publickeyblob))).toEqual(bytes(publickeyblob));
  const key = nodeKey(privatekeyblob);
  expect(key.asymmetricKeyDetails?.modulusLength).toBe(bits);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });

  const ours = await readPrivateKey(privatekeyblob);
  expect(Buffer.from(await writePrivateKey(ours, "der"))).toEqual(pkcs8);
  expect(Buffer.from(writePublicKey(readPublicKey(publickeyblob), "der"))).toEqual(spki);
  // And from node:crypto's key, whose numbers lost their zeros, back to the program's bytes.
  const again = await writePrivateKey(await readPrivateKey(pkcs8), "msblob");
  expect(Buffer.from(again)).toEqual(privatekeyblob);
  expect(Buffer.from(writePublicKey(readPublicKey(spki), "msblob"))).toEqual(publickeyblob);
}

/** Every SIMPLEBLOB opens, by us and by node:crypto, to the session key that the program used. */
export async function checkWraps({ padding, privatekeyblob, wraps }: WrapGroup): Promise<void> {
  const key = await readPrivateKey(privatekeyblob);
  const theirKey = nodeKey(privatekeyblob);
  for (const { algorithm, simpleblob, plaintextkeyblob, ...used } of wraps) {
    const { algId } = sessionAlgorithmByName(algorithm);
    const session = decodePlaintextKeyBlob(plaintextkeyblob);
    expect([session.aiKeyAlg, session.trailing.length]).toEqual([algId, 0]);
    expect(encodePlaintextKeyBlob(session)).toEqual(bytes(plaintextkeyblob));
    const sessionKey = plaintextkeyblob.subarray(12);

    const imported = await importSimpleBlob(simpleblob, key, padding, { core });
    expect(imported.aiKeyAlg).toBe(algId);
    expect(Buffer.from(imported.key)).toEqual(sessionKey);
    expect(openWithNode(simpleblob, theirKey, padding)).toEqual(sessionKey);
    expect(encodeSimpleBlob(decodeSimpleBlob(simpleblob))).toEqual(bytes(simpleblob));
    expect(encryptAs(algorithm, sessionKey, used.plain, used.cipher)).toEqual(used.encrypted);
  }
}

/** All three blobs open to one AES-256 key, and that opens the file, with node:crypto and the core. */
export async function checkProcedure(procedure: ProcedureCase): Promise<void> {
  const { padding, plain, encrypted } = procedure;
  const zeros = new Uint8Array(16);
  const blobs = [
    [procedure.ownerBlob, procedure.owner],
    [procedure.authorityBlob, procedure.authority],
    [procedure.recoveredBlob, procedure.newOwner],
  ] as const;
  const keys = new Set<string>();
  for (const [blob, privatekeyblob] of blobs) {
    expect(blob.toString("hex", 0, 12)).toBe("010200001066000000a40000");
    const key = await readPrivateKey(privatekeyblob);
    const { key: ours } = await importSimpleBlob(blob, key, padding, { core });
    const theirs = openWithNode(blob, nodeKey(privatekeyblob), padding);
    expect(Buffer.from(ours)).toEqual(theirs);
    const decipher = createDecipheriv("aes-256-cbc", theirs, zeros);
    expect(Buffer.concat([decipher.update(encrypted), decipher.final()])).toEqual(plain);
    const cbc = core.aesCbc(ours);
    expect(Buffer.from(cbc.decrypt(zeros, encrypted))).toEqual(plain);
    cbc.dispose();
    keys.add(theirs.toString("hex"));
  }
  expect(keys.size).toBe(1);
  expect(new Set(blobs.map(([blob]) => blob.toString("hex"))).size).toBe(3);
}

const bytes = (buffer: Buffer) => new Uint8Array(buffer);

/** A blob that is odd, or the conditions are, and what a CryptoAPI program and we say. */
export interface RefusalCase {
  kind: keyof Good;
  name: string;
  blob: Buffer;
  /** PRIVATEKEYBLOB to open a SIMPLEBLOB with. */
  privatekeyblob?: Buffer | undefined;
  padding: Padding;
  /** "accepted", or the error's name: as documented, or as docs/format.md decides where nothing is. */
  answer: string;
  /** What the program answered. */
  wine: string;
}

/**
 * What we answer to the import of a blob. A program knows the kind by its first byte; here each kind
 * is asked for, as by a command that needs it.
 */
export async function importAnswer({
  kind,
  blob,
  privatekeyblob,
  padding,
}: Pick<RefusalCase, "kind" | "blob" | "privatekeyblob" | "padding">): Promise<string> {
  try {
    if (kind === "public" || kind === "private") importKeyBlob(blob);
    else if (kind === "plaintext") decodePlaintextKeyBlob(blob);
    else {
      const key = privatekeyblob && (await readPrivateKey(privatekeyblob));
      await importSimpleBlob(blob, key, padding, { core });
    }
    return "accepted";
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoApiError);
    return (error as CryptoApiError).nte;
  }
}
