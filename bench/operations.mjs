// What is compared: for each operation the inputs, the expected result (by node:crypto), and how a
// peer's offer (bench/peers/) is called. Inputs are the same in every process and every run.
import {
  constants,
  createCipheriv,
  createHash,
  generateKeyPairSync,
  publicEncrypt,
} from "node:crypto";
import { nodeCrypto } from "./peers/node-crypto.mjs";

const KiB = 1024;
const SIZES = [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, KiB * KiB, 16 * KiB * KiB];
const QUICK_SIZES = [64, KiB, 16 * KiB, KiB * KiB];

/** Bytes that look random and are the same for the same name. */
function bytes(name, length) {
  const seed = createHash("sha256").update(name).digest();
  const stream = createCipheriv("aes-256-ctr", seed, Buffer.alloc(16));
  return new Uint8Array(stream.update(Buffer.alloc(length)));
}

const key256 = bytes("key", 32);
const key128 = bytes("key", 16);
const iv = bytes("iv", 12);
const counterBlock = bytes("counter", 16);

/** The peer's method is prepared with `parameters`, then called on the data again and again. */
const onData = (...parameters) => ({
  unit: "MB/s",
  sizes: SIZES,
  async prepare(offer, size) {
    const call = await offer(...parameters, size);
    const data = bytes("data", size);
    return () => call(data);
  },
});

const encryption = (key) => ({
  ...onData(key, iv),
  offer: "gcmEncrypt",
  keyLength: key.length,
  input: (size) => ({ key, iv, data: bytes("data", size) }),
});

const pairs = new Map();

/** A key pair that is made once: making one takes longer than timing it. */
function pairOf(bits) {
  if (!pairs.has(bits)) pairs.set(bits, generateKeyPairSync("rsa", { modulusLength: bits }));
  return pairs.get(bits);
}

const unwrapping = (bits) => ({
  id: `rsa${bits}`,
  title: `RSA-${bits}, unwrapping`,
  about: "a key of 32 bytes, OAEP, prepared private key",
  offer: "rsaUnwrap",
  unit: "keys/s",
  sizes: [32],
  // AES instructions are no matter here.
  local: true,
  async prepare(offer, size) {
    const { privateKey, publicKey } = pairOf(bits);
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const block = new Uint8Array(publicEncrypt({ key: publicKey, padding }, bytes("data", size)));
    const call = await offer(privateKey);
    return () => call(block);
  },
});

/**
 * Each has `offer`, the method of a peer; `prepare(peer's method, size)`, which answers with what is
 * called once for every time taken; and `input`, for peers that verify their result themselves.
 * `context: false` leaves other ciphers out.
 */
export const OPERATIONS = [
  { id: "gcm256", title: "AES-256-GCM encrypt", ...encryption(key256) },
  {
    id: "gcm256-open",
    title: "AES-256-GCM decrypt",
    offer: "gcmDecrypt",
    unit: "MB/s",
    sizes: SIZES,
    async prepare(offer, size) {
      const call = await offer(key256, iv, size);
      const sealed = new Uint8Array(nodeCrypto.gcmEncrypt(key256, iv)(bytes("data", size)));
      return () => call(sealed);
    },
  },
  { id: "gcm128", title: "AES-128-GCM encrypt", context: false, ...encryption(key128) },
  { id: "ctr256", title: "AES-256-CTR", ...onData(key256, counterBlock), offer: "ctr" },
  {
    id: "ghash",
    title: "GHASH",
    about: "AES-256-GCM of no text and so much additional data",
    ...onData(key256, iv),
    offer: "gmac",
  },
  {
    id: "once",
    title: "Key set-up and AES-256-GCM",
    about: "one message under a new key",
    offer: "gcmOnce",
    unit: "µs",
    sizes: [64],
    async prepare(offer, size) {
      const call = await offer();
      const data = bytes("data", size);
      return () => call(key256, iv, data);
    },
  },
  {
    id: "kw256",
    title: "AES-256-KW",
    about: "a key of 32 bytes, prepared key-encryption key",
    ...onData(key256),
    offer: "keyWrap",
    unit: "wraps/s",
    sizes: [32],
  },
  unwrapping(2048),
  unwrapping(3072),
];

export function operation(id) {
  return OPERATIONS.find((operation) => operation.id === id);
}

/** The sizes of an operation: all, those of a quick run, or those that a run was told. */
export function sizesOf({ id, sizes }, { quick, only } = {}) {
  if (only !== undefined) return sizes.filter((size) => only[id]?.includes(size));
  return quick && sizes.length > 1 ? QUICK_SIZES : sizes;
}

/** What every peer must give, from node:crypto. */
export async function expectedResult({ offer, prepare }, size) {
  return Buffer.from((await prepare(nodeCrypto[offer], size))());
}
