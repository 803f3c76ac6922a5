import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";

// A second reader and writer of sealed files, made from docs/format.md with node:crypto alone. It
// shares no line with src/, so that what it opens was really written as the document says.

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** HKDF-Expand with SHA-512 (RFC 5869 section 2.3). */
function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Buffer {
  let block = Buffer.alloc(0);
  let output = Buffer.alloc(0);
  for (let counter = 1; output.length < length; counter++) {
    block = createHmac("sha512", prk)
      .update(block)
      .update(info)
      .update(Uint8Array.of(counter))
      .digest();
    output = Buffer.concat([output, block]);
  }
  return output.subarray(0, length);
}

/** A body's AES key, base nonce and commitment. */
export function deriveBody(key: Uint8Array, salt: Uint8Array, context: Uint8Array) {
  const info = Buffer.concat([
    Buffer.from("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"),
    salt,
    context,
  ]);
  const derived = hkdfExpand(key, info, 76);
  return {
    key: derived.subarray(0, 32),
    nonce: derived.subarray(32, 44),
    commitment: derived.subarray(44),
  };
}

/** The nonce of a chunk: its number, 40 bits of it, added to the base nonce. */
export function chunkNonce(base: Uint8Array, index: number): Buffer {
  const counter = Buffer.alloc(12);
  counter.writeUIntBE(index, 7, 5);
  return Buffer.from(base.map((byte, i) => byte ^ counter[i]!));
}

const fingerprintOf = (key: KeyObject) =>
  sha256(
    createPublicKey(key.export({ type: "pkcs1", format: "pem" })).export({
      type: "spki",
      format: "der",
    }),
  );

/** Reads a sealed file with a private key, strictly in the order of docs/format.md. */
export function openIndependently(file: Buffer, privateKey: KeyObject) {
  if (file.subarray(0, 8).toString("latin1") !== "TWIN\r\n\x1a\n") throw new Error("magic");
  if (file.readUInt32BE(8) !== 0x00010000) throw new Error("version");
  const fixedLength = file.readUInt32BE(12);
  const slotLength = file.readUInt32BE(16);
  const hash = sha256(file.subarray(0, 20 + fixedLength));
  const fixed = JSON.parse(file.toString("utf8", 20, 20 + fixedLength));
  const slotsOffset = Math.ceil((20 + fixedLength) / 4096) * 4096;
  const slots = [0, 1].flatMap((index) => {
    const slot = file.subarray(
      slotsOffset + index * slotLength,
      slotsOffset + (index + 1) * slotLength,
    );
    const length = slot.readUInt32BE(8);
    const json = slot.subarray(44, 44 + length);
    const whole = sha256(hash, slot.subarray(0, 12), json).equals(slot.subarray(12, 44));
    return whole
      ? [{ generation: slot.readBigUInt64BE(0), index, ...JSON.parse(json.toString("utf8")) }]
      : [];
  });
  slots.sort((a, b) => Number(b.generation - a.generation));
  const mine = fingerprintOf(createPublicKey(privateKey)).toString("base64url");
  const wrap = slots[0].wraps.find(
    (candidate: { fingerprint: string }) => candidate.fingerprint === mine,
  );
  const blob = Buffer.from(wrap.simpleblob, "base64url");
  if (!blob.subarray(0, 12).equals(Buffer.from("010200001066000000a40000", "hex")))
    throw new Error("SIMPLEBLOB");
  const block = Buffer.from(blob.subarray(12)).reverse();
  const key = unpad(block, wrap.alg, privateKey);
  const body = file.subarray(slotsOffset + 2 * slotLength);
  const context = Buffer.concat([
    Buffer.from("twinwrap/v1\0"),
    Buffer.from(fixed.serial, "base64url"),
    hash,
  ]);
  const derived = deriveBody(key, body.subarray(0, 24), context);
  if (!derived.commitment.equals(body.subarray(24, 56))) throw new Error("commitment");
  const chunks: Buffer[] = [];
  for (let at = 56, index = 0; ; at += 16400, index++) {
    const sealed = body.subarray(at, at + 16400);
    const decipher = createDecipheriv("aes-256-gcm", derived.key, chunkNonce(derived.nonce, index));
    decipher.setAuthTag(sealed.subarray(-16));
    chunks.push(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]));
    if (sealed.length < 16400) break;
  }
  return { plaintext: Buffer.concat(chunks), fixed, slots, key };
}

function unpad(block: Buffer, alg: string, key: KeyObject): Buffer {
  if (alg === "rsa-oaep-sha1") {
    return privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" },
      block,
    );
  }
  const encoded = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, block);
  return encoded.subarray(encoded.indexOf(0, 2) + 1);
}

/** RFC 8785 for what is needed here: objects of texts, integers, lists. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`).join()}}`;
}

/** What a test may do differently from a well-behaved writer. */
export interface Odd {
  fixed?: Record<string, unknown>;
  fixedText?: string;
  mutable?: Record<string, unknown>;
  mutableText?: string;
  generations?: [bigint, bigint];
  version?: number;
  reserved?: number;
  slotLength?: number;
  padding?: "oaep" | "pkcs1-v1_5";
}

/** Writes a sealed file for one public key. */
export function sealIndependently(plaintext: Buffer, publicKey: KeyObject, odd: Odd = {}): Buffer {
  const key = randomBytes(32);
  const serial = randomBytes(16);
  const slotLength = odd.slotLength ?? 8192;
  const fixed = Buffer.from(
    odd.fixedText ??
      canonical({
        alg: { body: "Cobblestone-256", key: "CALG_AES_256", wrap: "SIMPLEBLOB" },
        created: "2026-01-31T23:59:59Z",
        escrow: [],
        layout: "slots-body",
        serial: serial.toString("base64url"),
        v: 1,
        ...odd.fixed,
      }),
  );
  const start = Buffer.alloc(Math.ceil((20 + fixed.length) / 4096) * 4096);
  start.write("TWIN\r\n\x1a\n", "latin1");
  start.writeUInt16BE(odd.version ?? 1, 8);
  start.writeUInt16BE(odd.reserved ?? 0, 10);
  start.writeUInt32BE(fixed.length, 12);
  start.writeUInt32BE(slotLength, 16);
  fixed.copy(start, 20);
  const hash = sha256(start.subarray(0, 20 + fixed.length));

  const padding = odd.padding ?? "oaep";
  const block = publicEncrypt(
    padding === "oaep"
      ? { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }
      : { key: publicKey, padding: constants.RSA_PKCS1_PADDING },
    key,
  );
  const simpleblob = Buffer.concat([
    Buffer.from("010200001066000000a40000", "hex"),
    Buffer.from(block).reverse(),
  ]);
  const mutable = Buffer.from(
    odd.mutableText ??
      canonical({
        escrows: [],
        wraps: [
          {
            fingerprint: fingerprintOf(publicKey).toString("base64url"),
            alg: padding === "oaep" ? "rsa-oaep-sha1" : "rsa-pkcs1-v1_5",
            simpleblob: simpleblob.toString("base64url"),
          },
        ],
        ...odd.mutable,
      }),
  );
  const slots = (odd.generations ?? [1n, 0n]).map((generation) => {
    const slot = Buffer.alloc(slotLength);
    if (generation === 0n) return slot;
    slot.writeBigUInt64BE(generation);
    slot.writeUInt32BE(mutable.length, 8);
    sha256(hash, slot.subarray(0, 12), mutable).copy(slot, 12);
    mutable.copy(slot, 44);
    return slot;
  });

  const context = Buffer.concat([Buffer.from("twinwrap/v1\0"), serial, hash]);
  return Buffer.concat([start, ...slots, sealBody(key, randomBytes(24), context, plaintext)]);
}

/** A sealed file's body: salt, commitment, chunks. */
export function sealBody(
  key: Uint8Array,
  salt: Uint8Array,
  context: Uint8Array,
  plaintext: Buffer,
): Buffer {
  const derived = deriveBody(key, salt, context);
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; ; at += 16384, index++) {
    const chunk = plaintext.subarray(at, at + 16384);
    const cipher = createCipheriv("aes-256-gcm", derived.key, chunkNonce(derived.nonce, index));
    chunks.push(cipher.update(chunk), cipher.final(), cipher.getAuthTag());
    if (chunk.length < 16384) break;
  }
  return Buffer.concat([salt, derived.commitment, ...chunks]);
}
