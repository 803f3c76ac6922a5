import { TwinwrapError } from "./errors.js";

// node:crypto, as far as it is used where an engine may lack it.

/** What is used of it (https://nodejs.org/api/crypto.html). */
export interface NodeCrypto {
  createSecretKey(key: Uint8Array): SecretKey;
  createCipheriv(
    name: string,
    key: SecretKey,
    iv: Uint8Array,
    options: CipherOptions,
  ): {
    update(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
    final(): unknown;
    getAuthTag(): Uint8Array;
  };
  createDecipheriv(
    name: string,
    key: SecretKey,
    iv: Uint8Array,
    options: CipherOptions,
  ): {
    setAuthTag(tag: Uint8Array): unknown;
    update(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
    final(): unknown;
  };
  createPrivateKey(given: { key: Uint8Array; format: "der"; type: "pkcs8" }): unknown;
  privateDecrypt(by: { key: unknown; padding: number }, bytes: Uint8Array): Uint8Array;
  constants: { RSA_NO_PADDING: number };
}

/** OpenSSL's copy of a key, cleared when it is collected. */
export type SecretKey = { readonly type: "secret" };

interface CipherOptions {
  authTagLength: number;
}

/** node:crypto, in Node, Deno and Bun; undefined elsewhere. No bundler takes it for something to bring along. */
export function nodeCrypto(): NodeCrypto | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  return process?.getBuiltinModule?.("crypto") as NodeCrypto | undefined;
}

export function noNodeCrypto(): TwinwrapError {
  return new TwinwrapError(
    "UNSUPPORTED",
    "there is no OpenSSL here: native is for Node, Deno and Bun",
  );
}
