import { fromBase64Url, fromUtf8, toBase64Url, toUtf8, withoutLeadingZeros } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { parseJson } from "../jcs.js";
import { foreignAlgorithm, messageOfType } from "./foreign.js";
import {
  type PrivateParts,
  type RsaPrivateKey,
  type RsaPublicKey,
  SECRET_NUMBERS,
} from "./types.js";

// JSON Web Keys (RFC 7517; RFC 7518, section 6.3). Their text passes through strings.

/** Values in a JWK at most: its members, and what says where its certificates are. */
const MAX_VALUES = 256;

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/**
 * The numbers of a JWK, those of a public key at least. Members that say what the key is for
 * (`use`, `alg`, …) are passed over.
 * @throws TwinwrapError BAD_FORMAT; BAD_KEY if it is a key of another kind
 */
export function parseJwk(bytes: Uint8Array): PrivateParts {
  const json = parseJson<Record<string, unknown>>(
    fromUtf8(bytes),
    MAX_VALUES,
    "this begins like a JWK but is not JSON",
  );
  if (json.kty === undefined && Array.isArray(json.keys)) {
    throw bad("this is a JWK Set; put the one key that is meant into a file of its own");
  }
  if (typeof json.kty !== "string") {
    const message = messageOfType(json.type);
    if (message !== undefined) throw bad(`this is ${message}, not a key`);
    throw bad("this is JSON, but no JWK (kty is missing)");
  }
  if (json.kty !== "RSA") throw foreignAlgorithm(json.kty);
  if (json.oth !== undefined) {
    throw new TwinwrapError("BAD_KEY", "an RSA key with more than two primes cannot be used");
  }
  const [n, e] = [number(json, "n"), number(json, "e")];
  if (n === undefined || e === undefined) throw bad("the JWK has no n or no e");
  const parts: PrivateParts = { n, e };
  for (const name of SECRET_NUMBERS) {
    const value = number(json, name);
    if (value !== undefined) parts[name] = value;
  }
  return parts;
}

function number(json: Record<string, unknown>, name: string): Uint8Array | undefined {
  const text = json[name];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text === "") throw bad(`the JWK's ${name} is not a number`);
  // Some programs pad, against RFC 7515, section 2.
  const unpadded = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  try {
    return fromBase64Url(unpadded);
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw bad(`the JWK's ${name} is not unpadded base64url`);
  }
}

/** A public or private key as a JWK, with a line's end. */
export function encodeJwk(key: RsaPublicKey | RsaPrivateKey): Uint8Array<ArrayBuffer> {
  const names = ["n", "e", ...("d" in key ? SECRET_NUMBERS : [])] as (keyof RsaPrivateKey)[];
  const members = names.map((name) => [
    name,
    toBase64Url(withoutLeadingZeros((key as RsaPrivateKey)[name])),
  ]);
  return toUtf8(`${JSON.stringify({ kty: "RSA", ...Object.fromEntries(members) }, null, 2)}\n`);
}
