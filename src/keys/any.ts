import { isObject, type Kind, memberOf } from "../arguments.js";
import { loadReaders } from "./loaded.js";
import { wipePrivateKey } from "./numbers.js";
import { type CryptoKeyLike, isKeyInput, type KeyInput, noKey } from "./objects.js";
import { needPrivateKey, needPublicKey, type RsaPrivateKey, type RsaPublicKey } from "./types.js";

// Keys in whatever form a caller has them, where a call takes a key. The readers are loaded where they are needed: a
// page that has keys already does without.

/** A public key: one that was read, or what `readPublicKey` reads. */
export type AnyPublicKey = RsaPublicKey | KeyInput | CryptoKeyLike;

/** A private key: one that was read, or what `readPrivateKey` reads, if it is not locked. */
export type AnyPrivateKey = RsaPrivateKey | KeyInput | CryptoKeyLike;

function needAny<T>(needNumbers: (value: unknown, what: string) => T): Kind<T | KeyInput> {
  return (value, what) => {
    if (isKeyInput(value, what)) return value as KeyInput;
    if (!isObject(value) || memberOf(value, "n", what) === undefined) throw noKey(value, what);
    return needNumbers(value, what);
  };
}

/** @throws TwinwrapError BAD_ARGUMENT unless it can be a public key; {@link publicKeyFrom} reads it */
export const needAnyPublicKey: Kind<AnyPublicKey> = /* @__PURE__ */ needAny(needPublicKey);

/** @throws TwinwrapError BAD_ARGUMENT unless it can be a private key; {@link withPrivateKeys} reads it */
export const needAnyPrivateKey: Kind<AnyPrivateKey> = /* @__PURE__ */ needAny(needPrivateKey);

/** The key's numbers. @throws TwinwrapError as readPublicKey */
export async function publicKeyFrom(key: AnyPublicKey): Promise<RsaPublicKey> {
  if (!isKeyInput(key, "the key")) return needPublicKey(key);
  const { readPublicKey } = await loadReaders();
  return readPublicKey(key as KeyInput);
}

/**
 * Works with the numbers of private keys. Those that were read for it are wiped afterwards; those that the caller read
 * are the caller's.
 * @throws TwinwrapError as readPrivateKey
 */
export async function withPrivateKeys<T>(
  keys: readonly AnyPrivateKey[],
  work: (keys: readonly RsaPrivateKey[]) => Promise<T>,
): Promise<T> {
  const read: RsaPrivateKey[] = [];
  try {
    const all: RsaPrivateKey[] = [];
    for (const key of keys) {
      if (!isKeyInput(key, "the key")) {
        all.push(needPrivateKey(key));
        continue;
      }
      const { readPrivateKey } = await loadReaders();
      const made = await readPrivateKey(key);
      read.push(made);
      all.push(made);
    }
    return await work(all);
  } finally {
    read.forEach(wipePrivateKey);
  }
}
