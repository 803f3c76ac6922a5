import { type Bytes, needBytes, needStableBytes } from "../arguments.js";
import { withoutLeadingZeros } from "../bytes.js";
import {
  checkLeadingBits,
  type Decoded,
  MAGIC_PRIVATE,
  MAGIC_PUBLIC,
  MAX_MODULUS_BITS,
  MAX_TRAILING,
  MIN_MODULUS_BITS,
  readTrailing,
} from "./blobs.js";
import { BlobReader } from "./reader.js";

// The RSA keys of CNG, CryptoAPI's successor: BCRYPT_RSAKEY_BLOB (bcrypt.h), whose numbers are big-endian.

/** The three kinds, by their names in bcrypt.h: n and e; p and q as well; all numbers. */
export type CngBlobType =
  | "BCRYPT_RSAPUBLIC_BLOB"
  | "BCRYPT_RSAPRIVATE_BLOB"
  | "BCRYPT_RSAFULLPRIVATE_BLOB";

/** "RSA3". */
const MAGIC_FULL_PRIVATE = 0x33415352;
/** BCRYPT_RSAKEY_BLOB.Magic; CryptoAPI has the first two in its RSAPUBKEY. */
const MAGICS: ReadonlyMap<number, CngBlobType> = new Map([
  [MAGIC_PUBLIC, "BCRYPT_RSAPUBLIC_BLOB"],
  [MAGIC_PRIVATE, "BCRYPT_RSAPRIVATE_BLOB"],
  [MAGIC_FULL_PRIVATE, "BCRYPT_RSAFULLPRIVATE_BLOB"],
]);

/** An RSA key as CNG writes it; numbers are big-endian. */
export interface CngRsaKey {
  /** Modulus, ⌈BitLength/8⌉ bytes. */
  n: Uint8Array;
  /** Public exponent, without leading zeros. */
  e: Uint8Array;
  /** Of a private key. */
  p?: Uint8Array;
  q?: Uint8Array;
  /** Of a BCRYPT_RSAFULLPRIVATE_BLOB. */
  dp?: Uint8Array;
  dq?: Uint8Array;
  qi?: Uint8Array;
  d?: Uint8Array;
}

/** Which of the three blobs begins so; undefined if none does. @throws TwinwrapError BAD_ARGUMENT */
export function cngBlobType(blob: Bytes): CngBlobType | undefined {
  const bytes = needBytes(blob, "the blob");
  if (bytes.length < 4) return undefined;
  const magic = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return MAGICS.get(magic);
}

/**
 * Reads a BCRYPT_RSAPUBLIC_BLOB, BCRYPT_RSAPRIVATE_BLOB or BCRYPT_RSAFULLPRIVATE_BLOB.
 * @throws CryptoApiError NTE_BAD_DATA; TwinwrapError BAD_ARGUMENT
 */
export function decodeCngRsaKey(blob: Bytes): Decoded<CngRsaKey> {
  return readCngRsaKey(new BlobReader(needStableBytes(blob, "the blob")));
}

export function readCngRsaKey(reader: BlobReader): Decoded<CngRsaKey> {
  const magic = reader.integer("Magic", 4, (value) => MAGICS.get(value) ?? "no RSA key of CNG");
  if (!MAGICS.has(magic)) reader.stop("NTE_BAD_DATA", 0, "Magic is not that of an RSA key of CNG");
  const isPublic = magic === MAGIC_PUBLIC;
  const bits = reader.integer("BitLength", 4, (value) => `modulus of ${value} bits`);
  if (bits < MIN_MODULUS_BITS || bits > MAX_MODULUS_BITS) {
    const range = `${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS}`;
    reader.stop("NTE_BAD_DATA", 4, `BitLength is ${bits}, not ${range}`);
  }
  const full = Math.ceil(bits / 8);
  // All lengths are checked to be small before they are used.
  const length = (name: string, low: number, high: number) => {
    const at = reader.offset;
    const bytes = reader.integer(name, 4, (value) => `${value} bytes`);
    if (bytes >= low && bytes <= high) return bytes;
    const range = low === high ? `${low}` : `${low} to ${high}`;
    return reader.stop("NTE_BAD_DATA", at, `${name} is ${bytes}, not ${range}`);
  };
  const exponent = length("cbPublicExp", 1, full);
  length("cbModulus", full, full);
  const prime1 = length("cbPrime1", isPublic ? 0 : 1, isPublic ? 0 : full);
  const prime2 = length("cbPrime2", isPublic ? 0 : 1, isPublic ? 0 : full);
  const rest = magic === MAGIC_FULL_PRIVATE ? 2 * prime1 + prime2 + full : 0;
  // If the lengths do not add up, primes may stand where they put the first two numbers.
  const extra = reader.left - (exponent + full + prime1 + prime2 + rest);
  const secret = !isPublic && (extra < 0 || extra > MAX_TRAILING);
  const e = reader.bytes("PublicExponent", exponent, "e, big-endian", secret);
  const n = reader.bytes("Modulus", full, "n, big-endian", secret);
  checkLeadingBits(reader, n, bits, 4, "BitLength");
  const key: CngRsaKey = { n, e: withoutLeadingZeros(e) };
  const number = (name: string, bytes: number, meaning: string) =>
    reader.bytes(name, bytes, `${meaning}, big-endian`, true);
  if (!isPublic) {
    key.p = number("Prime1", prime1, "p");
    key.q = number("Prime2", prime2, "q");
  }
  if (magic === MAGIC_FULL_PRIVATE) {
    key.dp = number("Exponent1", prime1, "d mod (p - 1)");
    key.dq = number("Exponent2", prime2, "d mod (q - 1)");
    key.qi = number("Coefficient", prime1, "q^-1 mod p");
    key.d = number("PrivateExponent", full, "d");
  }
  return { ...key, trailing: readTrailing(reader, !isPublic) };
}
