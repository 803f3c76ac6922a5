import { type Bytes, needBytes, needStableBytes, optional, whole } from "../arguments.js";
import { copyBytes, newBytes, wipe, withoutLeadingZeros } from "../bytes.js";
import { BlobReader } from "./reader.js";
import {
  algorithmName,
  BLOB_TYPES,
  CALG_RSA_KEYX,
  CALG_RSA_SIGN,
  CUR_BLOB_VERSION,
  OPAQUEKEYBLOB,
  PLAINTEXTKEYBLOB,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SIMPLEBLOB,
  SYMMETRICWRAPKEYBLOB,
  sessionAlgorithm,
} from "./wincrypt.js";

/**
 * RSA moduli in bits that a blob can hold: what Microsoft documents for the Enhanced Cryptographic
 * Provider (.NET, RSACryptoServiceProvider.KeySize; from Windows 8.1 on it begins at 512). Not checked here
 * is whether such a key is safe.
 */
export const MIN_MODULUS_BITS = 384;
export const MAX_MODULUS_BITS = 16384;

/**
 * Bytes tolerated after the end of a blob. Windows leaves up to 8 zero bytes after blobs that it wrote
 * and ignores whatever follows; more than this is something else.
 */
export const MAX_TRAILING = 64;

/** Magic numbers of RSAPUBKEY, "RSA1" and "RSA2" as little-endian integers. */
export const MAGIC_PUBLIC = 0x31415352;
export const MAGIC_PRIVATE = 0x32415352;

/** Of DSSPUBKEY, to name what is found instead. */
const MAGIC_DSS_PUBLIC = 0x31535344;
const MAGIC_DSS_PRIVATE = 0x32535344;

/** A session key encrypted under an RSA public key (bType 1). */
export interface SimpleBlob {
  /** ALG_ID of the session key. */
  aiKeyAlg: number;
  /** The RSA block, big-endian: what RSA encryption gives and RSA decryption takes. */
  encryptedKey: Uint8Array;
  /** Bytes behind the blob; usually none. */
  trailing?: Uint8Array;
}

/** An RSA public key (bType 6). Numbers are big-endian. */
export interface PublicKeyBlob {
  /** CALG_RSA_KEYX or CALG_RSA_SIGN. */
  aiKeyAlg: number;
  /** Modulus, ⌈bitlen/8⌉ bytes; what is written has a bitlen of 8 times its bytes. */
  n: Uint8Array;
  /** Public exponent, without leading zeros, at most 4 bytes. */
  e: Uint8Array;
  trailing?: Uint8Array;
}

/** An RSA private key (bType 7). Numbers are big-endian, p to qi half as long as n, rounded up. */
export interface PrivateKeyBlob extends PublicKeyBlob {
  p: Uint8Array;
  q: Uint8Array;
  dp: Uint8Array;
  dq: Uint8Array;
  qi: Uint8Array;
  /** Private exponent, as long as n; Windows accepts a blob that ends before it. */
  d: Uint8Array | undefined;
}

/** A session key in the clear (bType 8). */
export interface PlaintextKeyBlob {
  /** ALG_ID of the session key. */
  aiKeyAlg: number;
  /** The key in its natural order. */
  key: Uint8Array;
  trailing?: Uint8Array;
}

/** What decodeBlob gives: the kind and its values. */
export type DecodedBlob =
  | { bType: typeof SIMPLEBLOB; blob: Decoded<SimpleBlob> }
  | { bType: typeof PUBLICKEYBLOB; blob: Decoded<PublicKeyBlob> }
  | { bType: typeof PRIVATEKEYBLOB; blob: Decoded<PrivateKeyBlob> }
  | { bType: typeof PLAINTEXTKEYBLOB; blob: Decoded<PlaintextKeyBlob> };

/** A decoded blob always has `trailing` bytes, possibly none; all arrays are copies. */
export type Decoded<Blob> = Blob & { trailing: Uint8Array };

/** An option or argument `modulusLength`. */
export const modulusLengthOf = optional(whole(1, MAX_MODULUS_BITS / 8));

/** A reader over a blob that a caller has given. */
const readerOf = (blob: unknown) => new BlobReader(needStableBytes(blob, "the blob"));

/**
 * Reads a SIMPLEBLOB. Where the RSA block ends follows only from the key it is for:
 * `modulusLength`, in bytes, separates block and trailing bytes. Without it all that remains is
 * taken for the block.
 * @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; TwinwrapError BAD_ARGUMENT
 */
export function decodeSimpleBlob(bytes: Bytes, modulusLength?: number): Decoded<SimpleBlob> {
  const reader = readerOf(bytes);
  const length = modulusLengthOf(modulusLength, "modulusLength");
  readType(reader, SIMPLEBLOB);
  return readSimpleBlob(reader, length);
}

/** @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; TwinwrapError BAD_ARGUMENT */
export function decodePublicKeyBlob(bytes: Bytes): Decoded<PublicKeyBlob> {
  const reader = readerOf(bytes);
  readType(reader, PUBLICKEYBLOB);
  return readPublicKeyBlob(reader);
}

/** @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; TwinwrapError BAD_ARGUMENT */
export function decodePrivateKeyBlob(bytes: Bytes): Decoded<PrivateKeyBlob> {
  const reader = readerOf(bytes);
  readType(reader, PRIVATEKEYBLOB);
  return readPrivateKeyBlob(reader);
}

/** @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; TwinwrapError BAD_ARGUMENT */
export function decodePlaintextKeyBlob(bytes: Bytes): Decoded<PlaintextKeyBlob> {
  const reader = readerOf(bytes);
  readType(reader, PLAINTEXTKEYBLOB);
  return readPlaintextKeyBlob(reader);
}

/**
 * Reads whichever of the four kinds it is.
 * @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; TwinwrapError BAD_ARGUMENT
 */
export function decodeBlob(bytes: Bytes): DecodedBlob {
  return readBlob(readerOf(bytes), undefined);
}

/** Reads a blob of any kind; for `modulusLength` see decodeSimpleBlob. */
export function readBlob(reader: BlobReader, modulusLength: number | undefined): DecodedBlob {
  const bType = readType(reader);
  if (bType === SIMPLEBLOB) return { bType, blob: readSimpleBlob(reader, modulusLength) };
  if (bType === PUBLICKEYBLOB) return { bType, blob: readPublicKeyBlob(reader) };
  if (bType === PRIVATEKEYBLOB) return { bType, blob: readPrivateKeyBlob(reader) };
  if (bType === PLAINTEXTKEYBLOB) return { bType, blob: readPlaintextKeyBlob(reader) };
  const name = BLOB_TYPES.get(bType);
  if (name === undefined) {
    return reader.stop("NTE_BAD_TYPE", 0, `bType ${bType} is not a kind that is read here`);
  }
  const message = `blobs of the type ${name} are not supported${UNSUPPORTED.get(bType) ?? ""}`;
  reader.refuse("NTE_BAD_TYPE", 0, message);
  readHeader(reader, () => true, "");
  return reader.stop("NTE_BAD_TYPE", 0, message);
}

/** Why only the writer can read blobs of some types. */
const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [OPAQUEKEYBLOB, ": only the provider that wrote one can read it"],
  [SYMMETRICWRAPKEYBLOB, ": their layout was never published"],
]);

function typeName(bType: number): string {
  return BLOB_TYPES.get(bType) ?? String(bType);
}

/** The first byte; must be `wanted`, if given. */
export function readType(reader: BlobReader, wanted?: number): number {
  // The header is one structure: anything shorter is no blob of any type.
  if (reader.left < 8) {
    reader.refuse("NTE_BAD_DATA", reader.left, `${reader.left} bytes are too few for a BLOBHEADER`);
  }
  const bType = reader.integer("bType", 1, typeName);
  if (wanted !== undefined && bType !== wanted) {
    reader.refuse("NTE_BAD_TYPE", 0, `bType is ${typeName(bType)}, not ${typeName(wanted)}`);
  }
  return bType;
}

/** The rest of the BLOBHEADER; gives aiKeyAlg, which must satisfy `allowed`. */
export function readHeader(
  reader: BlobReader,
  allowed: (aiKeyAlg: number) => boolean,
  what: string,
): number {
  const bVersion = reader.integer("bVersion", 1, String);
  if (bVersion !== CUR_BLOB_VERSION) {
    reader.refuse("NTE_BAD_VER", 1, `bVersion is ${bVersion}, not ${CUR_BLOB_VERSION}`);
  }
  const reserved = reader.integer("reserved", 2, String);
  if (reserved !== 0) reader.refuse("NTE_BAD_DATA", 2, `reserved is ${reserved}, not 0`);
  const aiKeyAlg = reader.integer("aiKeyAlg", 4, algorithmName);
  if (!allowed(aiKeyAlg)) {
    reader.refuse("NTE_BAD_ALGID", 4, `aiKeyAlg ${algorithmName(aiKeyAlg)} is not ${what}`);
  }
  return aiKeyAlg;
}

export const isSession = (aiKeyAlg: number) => sessionAlgorithm(aiKeyAlg) !== undefined;
/** Whether a session algorithm has keys of so many bytes. */
export function isKeyLength(aiKeyAlg: number, length: number): boolean {
  const { minKeyLength, maxKeyLength } = sessionAlgorithm(aiKeyAlg)!;
  return length >= minKeyLength && length <= maxKeyLength;
}
export const isRsa = (aiKeyAlg: number) => aiKeyAlg === CALG_RSA_KEYX || aiKeyAlg === CALG_RSA_SIGN;

function readSimpleBlob(
  reader: BlobReader,
  modulusLength: number | undefined,
): Decoded<SimpleBlob> {
  const aiKeyAlg = readHeader(reader, isSession, "a session key's algorithm");
  const algid = reader.integer("algid", 4, algorithmName);
  if (algid !== CALG_RSA_KEYX) {
    reader.refuse("NTE_BAD_ALGID", 8, `algid is ${algorithmName(algid)}, not CALG_RSA_KEYX`);
  }
  const start = reader.offset;
  const length = modulusLength ?? reader.left;
  if (modulusLength === undefined) {
    if (length < MIN_MODULUS_BITS / 8) {
      reader.refuse("NTE_BAD_DATA", start + length, `an encryptedkey cannot be ${length} bytes`);
    } else if (length > MAX_MODULUS_BITS / 8 + MAX_TRAILING) {
      reader.refuse("NTE_BAD_DATA", start, `an encryptedkey cannot be ${length} bytes`);
    }
  }
  const isOpen = isOpenBlock(aiKeyAlg, reader.peek(length));
  const meaning = isOpen
    ? "the session key IN THE CLEAR: wrapped with an exponent of one"
    : `the session key under an RSA key of ${8 * length} bits, little-endian`;
  const encryptedKey = reader.number("encryptedkey", length, meaning, isOpen);
  return { aiKeyAlg, encryptedKey, trailing: readTrailing(reader) };
}

/**
 * The key in a block that RSA has not changed: PKCS#1 v1.5 (RFC 8017, section 7.2.1), as it stands before RSA
 * and, with an exponent of one, after it.
 * @param block big-endian
 * @returns a view; undefined if it is not padded so
 * @throws TwinwrapError BAD_ARGUMENT
 */
export function keyInPlainBlock(rsaBlock: Bytes): Uint8Array | undefined {
  const block = needBytes(rsaBlock, "the block");
  const separator = block.indexOf(0, 2);
  const isPadded = block[0] === 0 && block[1] === 2 && separator >= 10;
  return isPadded ? block.subarray(separator + 1) : undefined;
}

/**
 * Whether an RSA block is no secret: a key of its algorithm in the clear. A block under an exponent other than
 * one looks so less than once in 2^16 times.
 */
function isOpenBlock(aiKeyAlg: number, littleEndian: Uint8Array): boolean {
  const block = copyBytes(littleEndian).reverse();
  const length = keyInPlainBlock(block)?.length ?? 0;
  wipe(block);
  return isSession(aiKeyAlg) && isKeyLength(aiKeyAlg, length);
}

/** RSAPUBKEY and the modulus. */
function readPublicPart(
  reader: BlobReader,
  magic: number,
): { aiKeyAlg: number; e: Uint8Array; n: Uint8Array } {
  const aiKeyAlg = readHeader(reader, isRsa, "CALG_RSA_KEYX or CALG_RSA_SIGN");
  const found = reader.integer("magic", 4, magicName);
  if (found !== magic) {
    const message = `magic is ${magicName(found)}, not ${magicName(magic)}`;
    // With neither magic this is no RSA key, and nothing after it can be told from a secret.
    if (found !== MAGIC_PUBLIC && found !== MAGIC_PRIVATE) reader.stop("NTE_BAD_DATA", 8, message);
    reader.refuse("NTE_BAD_DATA", 8, message);
  }
  const bitlen = reader.integer("bitlen", 4, (bits) => `modulus of ${bits} bits`);
  // Before anything of this size is touched or allocated.
  if (bitlen < MIN_MODULUS_BITS || bitlen > MAX_MODULUS_BITS) {
    const range = `${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS}`;
    reader.stop("NTE_BAD_DATA", 12, `bitlen is ${bitlen}, not ${range}`);
  }
  const pubexp = reader.integer("pubexp", 4, (value) => `public exponent ${value}`);
  // CryptoAPI knows whole bytes only; OpenSSL writes the modulus' bits, and rounds up.
  const full = Math.ceil(bitlen / 8);
  // If the lengths do not add up, bitlen is wrong, and primes may stand where it puts the modulus.
  const secret = found === MAGIC_PRIVATE && !isPrivateLength(full, reader.left);
  const n = reader.number("modulus", full, "n, little-endian", secret);
  checkLeadingBits(reader, n, bitlen, 12, "bitlen");
  return { aiKeyAlg, e: withoutLeadingZeros(bigEndian(pubexp, 4)), n };
}

/** A modulus must not have more bits than the field at `offset` says. */
export function checkLeadingBits(
  reader: BlobReader,
  n: Uint8Array,
  bits: number,
  offset: number,
  name: string,
): void {
  const most = 8 - (8 * n.length - bits);
  if (n[0]! >> most === 0) return;
  reader.refuse("NTE_BAD_DATA", offset, `${name} is ${bits}, and the modulus has more bits`);
}

/** Whether a private key of this modulus, with d or without, can take so many bytes from n on. */
function isPrivateLength(full: number, bytes: number): boolean {
  const withoutD = full + 5 * ((full + 1) >> 1);
  const trailing = bytes - withoutD - full;
  return bytes === withoutD || (trailing >= 0 && trailing <= MAX_TRAILING);
}

function magicName(magic: number): string {
  if (magic === MAGIC_PUBLIC) return '"RSA1", a public key';
  if (magic === MAGIC_PRIVATE) return '"RSA2", a private key';
  if (magic === MAGIC_DSS_PUBLIC) return '"DSS1", a DSA public key';
  if (magic === MAGIC_DSS_PRIVATE) return '"DSS2", a DSA private key';
  return `0x${magic.toString(16).padStart(8, "0")}`;
}

export function readPublicKeyBlob(reader: BlobReader): Decoded<PublicKeyBlob> {
  return { ...readPublicPart(reader, MAGIC_PUBLIC), trailing: readTrailing(reader) };
}

export function readPrivateKeyBlob(reader: BlobReader): Decoded<PrivateKeyBlob> {
  const key = readPublicPart(reader, MAGIC_PRIVATE);
  const full = key.n.length;
  const half = (full + 1) >> 1;
  const p = reader.number("prime1", half, "p, little-endian", true);
  const q = reader.number("prime2", half, "q, little-endian", true);
  const dp = reader.number("exponent1", half, "d mod (p - 1), little-endian", true);
  const dq = reader.number("exponent2", half, "d mod (q - 1), little-endian", true);
  const qi = reader.number("coefficient", half, "q^-1 mod p, little-endian", true);
  const d =
    reader.left === 0
      ? undefined
      : reader.number("privateExponent", full, "d, little-endian", true);
  return { ...key, p, q, dp, dq, qi, d, trailing: readTrailing(reader, true) };
}

function readPlaintextKeyBlob(reader: BlobReader): Decoded<PlaintextKeyBlob> {
  const aiKeyAlg = readHeader(reader, isSession, "a session key's algorithm");
  const size = reader.integer("dwKeySize", 4, (bytes) => `key of ${bytes} bytes`);
  if (isSession(aiKeyAlg) && !isKeyLength(aiKeyAlg, size)) {
    const name = algorithmName(aiKeyAlg);
    reader.refuse("NTE_BAD_DATA", 8, `dwKeySize is ${size}: no length of a ${name} key`);
  }
  const key = reader.bytes("rgbKeyData", size, "the session key", true);
  return { aiKeyAlg, key, trailing: readTrailing(reader, true) };
}

/** Bytes after a key in the clear may be a part of it, if a length in the blob is wrong. */
export function readTrailing(reader: BlobReader, secret = false): Uint8Array {
  const length = reader.left;
  if (length > MAX_TRAILING) {
    const most = `at most ${MAX_TRAILING} are accepted`;
    reader.refuse("NTE_BAD_DATA", reader.offset, `${length} bytes after the blob's end; ${most}`);
  }
  return reader.bytes("(trailing)", length, "ignored, as Windows does", secret);
}

/** `length` bytes, the most significant first. */
export function bigEndian(value: number, length: number): Uint8Array {
  const bytes = newBytes(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) {
    bytes[i] = rest % 256;
  }
  return bytes;
}
