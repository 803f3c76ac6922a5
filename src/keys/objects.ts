import {
  type Bytes,
  isBytes,
  isObject,
  memberOf,
  needFunction,
  needStableBytes,
  wrongKind,
} from "../arguments.js";
import { toUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { SECRET_NUMBERS } from "./types.js";

// Keys as programs have them beside files: text, JWKs as objects, node:crypto's KeyObjects, WebCrypto's CryptoKeys. Each
// becomes the bytes of a key file, for the one reader of these. The types are the platforms' own, as far as they are
// looked at here: users need not have the declarations of either.

/** A JSON Web Key as an object; JsonWebKey, as the DOM and @types/node declare it, is one. */
export interface JwkObject {
  kty?: string | undefined;
  n?: string | undefined;
  e?: string | undefined;
  d?: string | undefined;
  p?: string | undefined;
  q?: string | undefined;
  dp?: string | undefined;
  dq?: string | undefined;
  qi?: string | undefined;
  /** These and all other members are passed over. */
  alg?: unknown;
  ext?: unknown;
  key_ops?: unknown;
  kid?: unknown;
  oth?: unknown;
  use?: unknown;
}

/** A KeyObject of node:crypto. */
export interface KeyObjectLike {
  readonly type: string;
  export(options: { format: "der"; type: "spki" | "pkcs8" }): Uint8Array;
}

/** A CryptoKey of WebCrypto. A private one has to be extractable: the core works with its numbers. */
export interface CryptoKeyLike {
  readonly type: string;
  readonly extractable: boolean;
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
}

/** What can be read as a key at once: a key file's bytes, its text, or an object that stands for it. */
export type KeyInput = Bytes | string | JwkObject | KeyObjectLike;

const EXPECTED =
  "a key: bytes or text of a key file, a JWK, a KeyObject, a CryptoKey, or what readPublicKey() or readPrivateKey() gives";

export function isCryptoKey(value: unknown, what: string): value is CryptoKeyLike {
  if (!isObject(value) || typeof memberOf(value, "extractable", what) !== "boolean") return false;
  try {
    return Object.prototype.toString.call(value) === "[object CryptoKey]";
  } catch {
    return false; // a proxy that refuses, or a getter that throws
  }
}

function isKeyObject(value: object, what: string): value is KeyObjectLike {
  return (
    typeof memberOf(value, "type", what) === "string" &&
    typeof memberOf(value, "export", what) === "function"
  );
}

/** Whether a key would have to be read from it: it is no object with the numbers of one. */
export function isKeyInput(value: unknown, what: string): value is KeyInput | CryptoKeyLike {
  if (typeof value === "string") return true;
  if (!isObject(value)) return false;
  return (
    isBytes(value) ||
    isCryptoKey(value, what) ||
    memberOf(value, "kty", what) !== undefined ||
    isKeyObject(value, what)
  );
}

/** @throws TwinwrapError BAD_ARGUMENT */
export function noKey(value: unknown, what: string): TwinwrapError {
  return wrongKind(value, what, EXPECTED);
}

/** The bytes of a key file. */
export interface KeyBytes {
  bytes: Uint8Array;
  /** They were made here, so that nobody else wipes them. */
  isMade: boolean;
  /** It was a line of text, so if it is no key it may have been meant as a path. */
  isName?: boolean;
}

/**
 * The bytes of a key file that stands for a key.
 * @throws TwinwrapError BAD_ARGUMENT if it is of no kind that does; BAD_KEY
 */
export function keyBytes(value: unknown, what: string): KeyBytes {
  if (typeof value === "string") {
    return { bytes: toUtf8(value), isMade: true, isName: /^[^\n{<]{1,1024}$/.test(value) };
  }
  if (!isObject(value)) throw noKey(value, what);
  if (isBytes(value)) return { bytes: needStableBytes(value, what), isMade: false };
  if (memberOf(value, "kty", what) !== undefined) {
    return { bytes: jwkBytes(value, what), isMade: true };
  }
  if (isKeyObject(value, what)) return { bytes: exported(value, what), isMade: true };
  throw noKey(value, what);
}

/** A JWK's members that count, as its file. Its reader says what is wrong with one that is no text. */
function jwkBytes(jwk: object, what: string): Uint8Array {
  const text = (name: string) => {
    const member = memberOf(jwk, name, what);
    return typeof member === "string" || member === undefined ? member : null;
  };
  const names = ["kty", "n", "e", ...SECRET_NUMBERS, "oth"];
  return toUtf8(JSON.stringify(Object.fromEntries(names.map((name) => [name, text(name)]))));
}

function needPair(type: string): "spki" | "pkcs8" {
  if (type === "public") return "spki";
  if (type === "private") return "pkcs8";
  throw new TwinwrapError("BAD_KEY", "this is a secret key; a key of an RSA pair is needed");
}

function exported(key: KeyObjectLike, what: string): Uint8Array {
  const type = needPair(key.type);
  let der: unknown;
  try {
    der = key.export({ format: "der", type });
  } catch (cause) {
    throw new TwinwrapError("BAD_KEY", `${what}: this key object can't be exported`, { cause });
  }
  return needStableBytes(der, "what the key object exports");
}

/**
 * A CryptoKey, exported.
 * @throws TwinwrapError BAD_KEY if it can't be; UNSUPPORTED
 */
export async function cryptoKeyBytes(key: CryptoKeyLike): Promise<KeyBytes> {
  const format = needPair(key.type);
  if (!key.extractable) {
    const enough = format === "pkcs8" ? "; to seal, the public key of the pair is enough" : "";
    throw new TwinwrapError(
      "BAD_KEY",
      `this ${key.type} CryptoKey is not extractable, and the core needs its numbers: generate or import it with extractable: true${enough}`,
    );
  }
  const { subtle } = globalThis.crypto ?? {};
  if (subtle === undefined) {
    throw new TwinwrapError("UNSUPPORTED", "without WebCrypto (https) no CryptoKey can be read");
  }
  needFunction(subtle.exportKey, "crypto.subtle.exportKey");
  try {
    const bytes = new Uint8Array(await subtle.exportKey(format, key as CryptoKey));
    return { bytes, isMade: true };
  } catch (cause) {
    throw new TwinwrapError("BAD_KEY", "this CryptoKey can't be exported", { cause });
  }
}
