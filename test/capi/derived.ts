import { createHash } from "node:crypto";
import { expect } from "vitest";
import { encryptAs } from "./ciphers.js";

// Keys from passwords as Microsoft documents CryptDeriveKey, by node:crypto.

/** ALG_IDs of the hashes, by their names in OpenSSL. */
export const HASHES = {
  md5: 0x8003,
  sha1: 0x8004,
  sha256: 0x800c,
  sha384: 0x800d,
  sha512: 0x800e,
} as const;
export type Hash = keyof typeof HASHES;

/** A key that a program derived from a password, and what it encrypted with it. */
export interface DerivedCase {
  hash: Hash;
  /** CALG_… */
  algorithm: string;
  password: Buffer;
  /** What follows an RC2 or RC4 key: zeros by default if it has 40 bits, else nothing. */
  salt?: "zeros" | "none" | "hash";
  plaintextkeyblob: Buffer;
  plain: Buffer;
  encrypted: Buffer;
}

/** All that a hash gives for a key of `length` bytes: the key, and what is left over. */
function material(hash: Hash, password: Uint8Array, algorithm: string, length: number): Buffer {
  const base = createHash(hash).update(password).digest();
  const isSha2 = !["md5", "sha1"].includes(hash);
  const isExpanded = base.length < length || (/AES/.test(algorithm) && !isSha2);
  if (!isExpanded) return base;
  const side = (byte: number) =>
    createHash(hash)
      .update(Buffer.alloc(64, byte).map((value, i) => value ^ (base[i] ?? 0)))
      .digest();
  return Buffer.concat([side(0x36), side(0x5c)]);
}

/** The key is the documented one, and encrypts as it should. */
export function checkDerived(one: DerivedCase): void {
  const { hash, algorithm, password, salt, plaintextkeyblob, plain, encrypted } = one;
  const key = plaintextkeyblob.subarray(12);
  const all = material(hash, password, algorithm, key.length);
  expect([algorithm, hash, key.toString("hex")]).toEqual([
    algorithm,
    hash,
    all.toString("hex", 0, key.length),
  ]);
  const left = {
    zeros: Buffer.alloc(11),
    none: Buffer.alloc(0),
    hash: all.subarray(key.length, 16),
  };
  const options = salt === undefined ? {} : { salt: left[salt] };
  expect([one.hash, algorithm, salt, encryptAs(algorithm, key, plain, options)]).toEqual([
    one.hash,
    algorithm,
    salt,
    encrypted,
  ]);
}
