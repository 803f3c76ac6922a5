import { needStableBytes, objectOf, optional, type Shape, whole } from "../arguments.js";
import { concatBytes, copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  bigEndian,
  isKeyLength,
  isRsa,
  isSession,
  MAGIC_PRIVATE,
  MAGIC_PUBLIC,
  MAX_MODULUS_BITS,
  MAX_TRAILING,
  MIN_MODULUS_BITS,
  type PlaintextKeyBlob,
  type PrivateKeyBlob,
  type PublicKeyBlob,
  type SimpleBlob,
} from "./blobs.js";
import {
  algorithmName,
  CALG_RSA_KEYX,
  CUR_BLOB_VERSION,
  PLAINTEXTKEYBLOB,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SIMPLEBLOB,
} from "./wincrypt.js";

const algId = whole(0, 0xffffffff);
const trailing = optional(needStableBytes) as typeof needStableBytes;
const PUBLIC: Shape<PublicKeyBlob> = {
  aiKeyAlg: algId,
  n: needStableBytes,
  e: needStableBytes,
  trailing,
};
const needSimple = objectOf<SimpleBlob>({
  aiKeyAlg: algId,
  encryptedKey: needStableBytes,
  trailing,
});
const needPublic = objectOf(PUBLIC);
const needPrivate = objectOf<PrivateKeyBlob>({
  ...PUBLIC,
  p: needStableBytes,
  q: needStableBytes,
  dp: needStableBytes,
  dq: needStableBytes,
  qi: needStableBytes,
  d: optional(needStableBytes),
});
const needPlaintext = objectOf<PlaintextKeyBlob>({
  aiKeyAlg: algId,
  key: needStableBytes,
  trailing,
});

/** @throws TwinwrapError BAD_ARGUMENT if the values have no place in a SIMPLEBLOB */
export function encodeSimpleBlob(values: SimpleBlob): Uint8Array<ArrayBuffer> {
  const blob = needSimple(values, "the blob");
  need(isSession(blob.aiKeyAlg), "aiKeyAlg is not a session key's algorithm");
  checkModulusLength(blob.encryptedKey, "encryptedKey");
  const block = reversed(blob.encryptedKey);
  const algid = littleEndian(CALG_RSA_KEYX, 4);
  return concatBytes(header(SIMPLEBLOB, blob.aiKeyAlg), algid, block, trailingOf(blob));
}

/** @throws TwinwrapError BAD_ARGUMENT if the values have no place in a PUBLICKEYBLOB */
export function encodePublicKeyBlob(values: PublicKeyBlob): Uint8Array<ArrayBuffer> {
  const blob = needPublic(values, "the blob");
  return concatBytes(publicPart(PUBLICKEYBLOB, MAGIC_PUBLIC, blob), trailingOf(blob));
}

/** @throws TwinwrapError BAD_ARGUMENT if the values have no place in a PRIVATEKEYBLOB */
export function encodePrivateKeyBlob(values: PrivateKeyBlob): Uint8Array<ArrayBuffer> {
  const blob = needPrivate(values, "the blob");
  const head = publicPart(PRIVATEKEYBLOB, MAGIC_PRIVATE, blob);
  const full = blob.n.length;
  const half = (full + 1) >> 1;
  const parts = [head];
  try {
    for (const name of ["p", "q", "dp", "dq", "qi"] as const) {
      parts.push(fitted(blob[name], half, name));
    }
    if (blob.d !== undefined) parts.push(fitted(blob.d, full, "d"));
    return concatBytes(...parts, trailingOf(blob));
  } finally {
    wipe(...parts);
  }
}

/** @throws TwinwrapError BAD_ARGUMENT if the values have no place in a PLAINTEXTKEYBLOB */
export function encodePlaintextKeyBlob(values: PlaintextKeyBlob): Uint8Array<ArrayBuffer> {
  const blob = needPlaintext(values, "the blob");
  need(isSession(blob.aiKeyAlg), "aiKeyAlg is not a session key's algorithm");
  const { length } = blob.key;
  const name = algorithmName(blob.aiKeyAlg);
  need(isKeyLength(blob.aiKeyAlg, length), `${length} bytes are no length of a ${name} key`);
  const size = littleEndian(length, 4);
  return concatBytes(header(PLAINTEXTKEYBLOB, blob.aiKeyAlg), size, blob.key, trailingOf(blob));
}

function need(condition: boolean, message: string): asserts condition {
  if (!condition) throw new TwinwrapError("BAD_ARGUMENT", message);
}

function checkModulusLength(number: Uint8Array, name: string): void {
  const bits = 8 * number.length;
  need(
    bits >= MIN_MODULUS_BITS && bits <= MAX_MODULUS_BITS,
    `${name} of ${bits} bits: a blob holds ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS}`,
  );
}

function trailingOf(blob: { trailing?: Uint8Array }): Uint8Array {
  const trailing = blob.trailing ?? newBytes(0);
  need(trailing.length <= MAX_TRAILING, `at most ${MAX_TRAILING} trailing bytes`);
  return trailing;
}

function header(bType: number, aiKeyAlg: number): Uint8Array {
  const bytes = newBytes(8);
  bytes[0] = bType;
  bytes[1] = CUR_BLOB_VERSION;
  bytes.set(littleEndian(aiKeyAlg, 4), 4);
  return bytes;
}

function publicPart(bType: number, magic: number, key: PublicKeyBlob): Uint8Array {
  need(isRsa(key.aiKeyAlg), "aiKeyAlg is neither CALG_RSA_KEYX nor CALG_RSA_SIGN");
  checkModulusLength(key.n, "modulus");
  return concatBytes(
    header(bType, key.aiKeyAlg),
    littleEndian(magic, 4),
    littleEndian(8 * key.n.length, 4),
    fitted(key.e, 4, "e"),
    reversed(key.n),
  );
}

/** A big-endian number as exactly `length` bytes, little-endian. */
function fitted(number: Uint8Array, length: number, name: string): Uint8Array {
  const bytes = newBytes(length);
  const start = number.length - Math.min(number.length, length);
  for (let i = 0; i < start; i++) need(number[i] === 0, `${name} does not fit ${length} bytes`);
  for (let i = start; i < number.length; i++) bytes[number.length - 1 - i] = number[i]!;
  return bytes;
}

function reversed(bytes: Uint8Array): Uint8Array {
  return copyBytes(bytes).reverse();
}

function littleEndian(value: number, length: number): Uint8Array {
  return bigEndian(value, length).reverse();
}
