import { randomBytes, randomInt } from "node:crypto";
import { CALG_AES_256, CALG_RC2, CALG_RSA_KEYX, CALG_RSA_SIGN, CALG_SHA1 } from "twinwrap/blob";

// Malformed blobs, made by altering good ones, with our answer and Wine's.

/** The good ones: one AES-256 key, wrapped (v1.5) and in the clear, and the RSA key, of 1024 bits. */
export interface Good {
  simple: Buffer;
  plaintext: Buffer;
  public: Buffer;
  private: Buffer;
}

export interface Odd {
  kind: keyof Good;
  name: string;
  make: (good: Good) => Buffer;
  /**
   * What we answer: the documented error, or where the documents are silent the one of
   * docs/format.md, which gives the reasons.
   */
  answer: string;
  /** What Wine 8 answers, where that is something else: it is laxer, or names another error. */
  wine: string | undefined;
}

/** Bytes of the modulus, and offsets in the PRIVATEKEYBLOB. */
const FULL = 128;
const PRIME1 = 20 + FULL;
const PRIME2 = PRIME1 + FULL / 2;
const D = PRIME1 + (5 * FULL) / 2;

/** A copy with another byte at an offset. */
function byte(blob: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(blob);
  copy.writeUInt8(value, at);
  return copy;
}

/** A copy with another DWORD at an offset. */
function dword(blob: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(blob);
  copy.writeUInt32LE(value, at);
  return copy;
}

function flipABit(blob: Buffer, from: number, end = blob.length): Buffer {
  const at = randomInt(from, end);
  return byte(blob, at, blob[at]! ^ (1 << randomInt(8)));
}

const block = (blob: Buffer, content: Buffer) => Buffer.concat([blob.subarray(0, 12), content]);
const cut = (blob: Buffer, by: number) => blob.subarray(0, blob.length - by);
const longer = (blob: Buffer, by: number) => Buffer.concat([blob, randomBytes(by)]);

const ACCEPTED = "accepted";
const DATA = "NTE_BAD_DATA";
const VERSION = "NTE_BAD_VER";
const TYPE = "NTE_BAD_TYPE";
const ALGID = "NTE_BAD_ALGID";
const KEY = "NTE_BAD_KEY";
const FLAGS = "NTE_BAD_FLAGS";
const PARAMETER = "ERROR_INVALID_PARAMETER";

/** Name, how it is made of the good one, our answer, and Wine's if that is another. */
type Row = [string, (blob: Buffer, good: Good) => Buffer, string, string?];

const ROWS: Record<keyof Good, Row[]> = {
  simple: [
    ["good", (b) => b, ACCEPTED],
    ["bVersion 1", (b) => byte(b, 1, 1), VERSION, DATA],
    ["bVersion 3", (b) => byte(b, 1, 3), VERSION, DATA],
    ["reserved not 0", (b) => byte(b, 2, 1), DATA],
    ["bType 2", (b) => byte(b, 0, 2), TYPE],
    ["bType OPAQUEKEYBLOB", (b) => byte(b, 0, 9), TYPE],
    ["bType SYMMETRICWRAPKEYBLOB", (b) => byte(b, 0, 11), TYPE],
    ["aiKeyAlg AES-128, 32-byte key", (b) => dword(b, 4, 0x660e), DATA],
    ["aiKeyAlg AES-192, 32-byte key", (b) => dword(b, 4, 0x660f), DATA],
    ["aiKeyAlg 3DES, 32-byte key", (b) => dword(b, 4, 0x6603), DATA, FLAGS],
    ["aiKeyAlg DES, 32-byte key", (b) => dword(b, 4, 0x6601), DATA, FLAGS],
    ["aiKeyAlg RC4, 32-byte key", (b) => dword(b, 4, 0x6801), DATA],
    ["aiKeyAlg RC2, 32-byte key", (b) => dword(b, 4, CALG_RC2), ACCEPTED],
    ["aiKeyAlg unknown", (b) => dword(b, 4, 0x66ff), ALGID],
    ["aiKeyAlg RSA_KEYX", (b) => dword(b, 4, CALG_RSA_KEYX), ALGID, DATA],
    ["aiKeyAlg SHA-1", (b) => dword(b, 4, CALG_SHA1), ALGID, DATA],
    ["algid RSA_SIGN", (b) => dword(b, 8, CALG_RSA_SIGN), ALGID, ACCEPTED],
    ["algid 0", (b) => dword(b, 8, 0), ALGID, ACCEPTED],
    ["short by one", (b) => cut(b, 1), DATA],
    ["12 bytes", (b) => b.subarray(0, 12), DATA],
    ["7 bytes", (b) => b.subarray(0, 7), DATA],
    ["no bytes", (b) => b.subarray(0, 0), DATA, PARAMETER],
    ["1 byte too long", (b) => longer(b, 1), ACCEPTED],
    ["8 bytes too long", (b) => longer(b, 8), ACCEPTED],
    ["65 bytes too long", (b) => longer(b, 65), DATA, ACCEPTED],
    ["bit flipped", (b) => flipABit(b, 12), DATA],
    ["the modulus", (b, good) => block(b, good.public.subarray(20)), DATA],
    ["above the modulus", (b) => block(b, Buffer.alloc(FULL, 255)), DATA],
    ["zero", (b) => block(b, Buffer.alloc(FULL)), DATA],
  ],
  plaintext: [
    ["good", (b) => b, ACCEPTED],
    ["size 31", (b) => dword(b, 8, 31), DATA],
    ["size ffffffff", (b) => dword(b, 8, 0xffffffff), DATA],
    ["short by one", (b) => cut(b, 1), DATA],
    ["1 byte too long", (b) => longer(b, 1), ACCEPTED],
    ["bVersion 3", (b) => byte(b, 1, 3), VERSION, DATA],
    ["aiKeyAlg RSA_KEYX", (b) => dword(b, 4, CALG_RSA_KEYX), ALGID, DATA],
  ],
  public: [
    ["good", (b) => b, ACCEPTED],
    ["RSA_SIGN", (b) => dword(b, 4, CALG_RSA_SIGN), ACCEPTED],
    ["aiKeyAlg AES-256", (b) => dword(b, 4, CALG_AES_256), ALGID, DATA],
    ["bVersion 3", (b) => byte(b, 1, 3), VERSION, DATA],
    ["bType PRIVATEKEYBLOB", (b) => byte(b, 0, 7), DATA],
    ["magic RSA2", (b) => byte(b, 11, 0x32), DATA],
    ["bitlen 0", (b) => dword(b, 12, 0), DATA, ACCEPTED],
    ["bitlen too big", (b) => dword(b, 12, 0x4000), DATA],
    ["bitlen 2^32 - 8", (b) => dword(b, 12, 0xfffffff8), DATA],
    ["short by one", (b) => cut(b, 1), DATA],
    ["1 byte too long", (b) => longer(b, 1), ACCEPTED],
    ["exponent 1", (b) => dword(b, 16, 1), KEY, ACCEPTED],
    ["exponent 65536", (b) => dword(b, 16, 65536), KEY, ACCEPTED],
    ["even modulus", (b) => byte(b, 20, b[20]! & 0xfe), KEY, ACCEPTED],
  ],
  private: [
    ["good", (b) => b, ACCEPTED],
    ["bVersion 1", (b) => byte(b, 1, 1), VERSION, DATA],
    ["magic RSA1", (b) => byte(b, 11, 0x31), DATA],
    ["without d", (b) => b.subarray(0, D), ACCEPTED],
    ["without d, one byte less", (b) => b.subarray(0, D - 1), DATA],
    ["cut inside d", (b) => b.subarray(0, randomInt(D + 1, b.length)), DATA, ACCEPTED],
    ["1 byte too long", (b) => longer(b, 1), ACCEPTED],
    ["p altered", (b) => flipABit(b, PRIME1, PRIME2), KEY, ACCEPTED],
    ["d altered", (b) => flipABit(b, D), KEY, ACCEPTED],
  ],
};

export const ODD: Odd[] = Object.entries(ROWS).flatMap(([text, rows]) => {
  const kind = text as keyof Good;
  return rows.map(([name, make, answer, wine]) => ({
    kind,
    name,
    make: (good) => make(good[kind], good),
    answer,
    wine,
  }));
});
