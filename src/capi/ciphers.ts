import type { PlaintextKeyBlob } from "../blob/index.js";
import { concatBytes, copyBytes, newBytes, wipe } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { algorithmOf } from "./algorithms.js";
import type { Platform } from "./platform.js";
import type { Rc2 } from "./rc2.js";
import type { CipherSettings, Mode } from "./settings.js";

// What CryptDecrypt does. The core has AES, and the platform has Triple DES. OpenSSL and Node have switched RC2 and
// RC4 off: those are written here.

/** Turns ciphertext into plaintext, piece by piece. */
export interface Decryptor {
  /**
   * @param data whole blocks; with CFB and RC4, any number of bytes
   * @returns as many bytes, in a new array
   */
  update(data: Uint8Array): Uint8Array;
  /** Wipes the key, as far as that can be done. */
  dispose(): void;
}

/** How each mode goes on: the IV of the next piece. */
function nextChain(chain: Uint8Array, data: Uint8Array): Uint8Array {
  const { length } = chain;
  return data.length >= length
    ? copyBytes(data.subarray(-length))
    : concatBytes(chain, data).slice(-length);
}

/** Removes what CBC added to each block. The rest is ECB. */
function unchain(plain: Uint8Array, iv: Uint8Array, data: Uint8Array): void {
  const { length } = iv;
  for (let i = 0; i < plain.length; i++) plain[i]! ^= i < length ? iv[i]! : data[i - length]!;
}

async function aes(key: Uint8Array, mode: Mode, iv: Uint8Array): Promise<Decryptor> {
  const core = await sharedCore();
  const cipher = mode === "cfb" ? core.aesCfb8(key) : core.aesCbc(key);
  let chain = iv;
  return {
    update: (data) => {
      const plain =
        "decryptBlocks" in cipher ? cipher.decryptBlocks(chain, data) : cipher.decrypt(chain, data);
      if (mode === "ecb") unchain(plain, chain, data);
      else chain = nextChain(chain, data);
      return plain;
    },
    dispose: () => cipher.dispose(),
  };
}

/** The three keys of Triple DES. DES has the same key three times; two-key 3DES has the first one again. */
function tripleKey(key: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 24 }, (_, i) => key[i % key.length]!);
}

function des(platform: Platform, key: Uint8Array, mode: Mode, iv: Uint8Array): Decryptor {
  const triple = tripleKey(key);
  try {
    return { update: platform.tripleDes(triple, mode, iv), dispose: () => {} };
  } finally {
    wipe(triple);
  }
}

/** RC2 in a mode, from its blocks. */
function rc2Mode(cipher: Rc2, mode: Mode, iv: Uint8Array): Decryptor["update"] {
  let chain = iv;
  if (mode === "cfb") {
    const register = copyBytes(iv);
    const stream = newBytes(register.length);
    return (data) =>
      data.map((byte) => {
        cipher.encryptBlock(register, 0, stream, 0);
        register.copyWithin(0, 1);
        register[register.length - 1] = byte;
        return byte ^ stream[0]!;
      });
  }
  return (data) => {
    const plain = newBytes(data.length);
    for (let at = 0; at < data.length; at += iv.length) cipher.decryptBlock(data, at, plain, at);
    if (mode === "ecb") return plain;
    unchain(plain, chain, data); // CBC needs the same addition
    chain = nextChain(chain, data);
    return plain;
  };
}

async function rc2(key: Uint8Array, bits: number, mode: Mode, iv: Uint8Array): Promise<Decryptor> {
  const { Rc2 } = await import("./rc2.js");
  const cipher = new Rc2(key, bits);
  return { update: rc2Mode(cipher, mode, iv), dispose: () => cipher.dispose() };
}

async function rc4(key: Uint8Array): Promise<Decryptor> {
  const { Rc4 } = await import("../keys/rc4.js");
  const cipher = new Rc4(key);
  return { update: (data) => cipher.update(data), dispose: () => cipher.dispose() };
}

/**
 * Prepares a session key.
 * @param session the caller wipes it
 * @param iv as long as a block; ignored by stream ciphers and ECB
 * @throws TwinwrapError UNSUPPORTED
 */
export async function makeDecryptor(
  platform: Platform,
  { aiKeyAlg, key }: PlaintextKeyBlob,
  { mode, salt, effectiveBits }: CipherSettings,
  iv: Uint8Array,
): Promise<Decryptor> {
  const { cipher } = algorithmOf(aiKeyAlg);
  if (cipher === "aes") return aes(key, mode, iv);
  if (cipher === "des") return des(platform, key, mode, iv);
  const salted = concatBytes(key, salt);
  try {
    return cipher === "rc4" ? await rc4(salted) : await rc2(salted, effectiveBits, mode, iv);
  } finally {
    wipe(salted);
  }
}
