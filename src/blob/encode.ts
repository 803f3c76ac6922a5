import { needStableBytes, objectOf, optional, type Shape, whole } from "../arguments.js";
import { concatBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
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
import { algorithmName, PLAINTEXTKEYBLOB, PRIVATEKEYBLOB, PUBLICKEYBLOB } from "./wincrypt.js";
import { header, littleEndian, reversed, writeSimpleBlob } from "./write.js";

const algId = /* @__PURE__ */ whole(0, 0xffffffff);
const trailing = /* @__PURE__ */ optional(needStableBytes) as typeof needStableBytes;
const PUBLIC: Shape<PublicKeyBlob> = {
  aiKeyAlg: algId,
  n: needStableBytes,
  e: needStableBytes,
  trailing,
};
const needSimple = /* @__PURE__ */ objectOf<SimpleBlob>({
  aiKeyAlg: algId,
  encryptedKey: needStableBytes,
  trailing,
});
const needPublic = /* @__PURE__ */ objectOf(PUBLIC);
const needPrivate = /* @__PURE__ */ objectOf<PrivateKeyBlob>({
  ...PUBLIC,
  p: needStableBytes,
  q: needStableBytes,
  dp: needStableBytes,
  dq: needStableBytes,
  qi: needStableBytes,
  d: /* @__PURE__ */ optional(needStableBytes),
});
const needPlaintext = /* @__PURE__ */ objectOf<PlaintextKeyBlob>({
  aiKeyAlg: algId,
  key: needStableBytes,
  trailing,
});

/** @throws TwinwrapError BAD_ARGUMENT if the values have no place in a SIMPLEBLOB */
export function encodeSimpleBlob(values: SimpleBlob): Uint8Array<ArrayBuffer> {
  const blob = needSimple(values, "the blob");
  need(isSession(blob.aiKeyAlg), "aiKeyAlg is not a session key's algorithm");
  checkModulusLength(blob.encryptedKey, "encryptedKey");
  return writeSimpleBlob(blob.aiKeyAlg, blob.encryptedKey, trailingOf(blob));
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

function trailingOf(blob: { trailing?: Uint8Array }) {
  const trailing = blob.trailing ?? newBytes(0);
  need(trailing.length <= MAX_TRAILING, `at most ${MAX_TRAILING} trailing bytes`);
  return trailing;
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
