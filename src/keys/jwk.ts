import { fromBase64Url, fromUtf8, toBase64Url, toUtf8, withoutLeadingZeros } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { foreignAlgorithm } from "./foreign.js";
import {
  type PrivateParts,
  type RsaPrivateKey,
  type RsaPublicKey,
  SECRET_NUMBERS,
} from "./types.js";

// JSON Web Keys (RFC 7517; RFC 7518, section 6.3). Their text passes through strings.

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/**
 * The numbers of a JWK, those of a public key at least. Members that say what the key is for
 * (`use`, `alg`, …) are passed over.
 * @throws TwinwrapError BAD_FORMAT; BAD_KEY if it is a key of another kind
 */
export function parseJwk(bytes: Uint8Array): PrivateParts {
  const json = parseObject(fromUtf8(bytes));
  if (json.kty === undefined && Array.isArray(json.keys)) {
    throw bad("this is a JWK Set; put the one key that is meant into a file of its own");
  }
  if (typeof json.kty !== "string") throw bad("this is JSON, but no JWK (kty is missing)");
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

function parseObject(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("this begins like a JWK but is not JSON");
  }
  return json as Record<string, unknown>; // an object: the text begins with a brace
}

function number(json: Record<string, unknown>, name: string): Uint8Array | undefined {
  const text = json[name];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text === "") throw bad(`the JWK's ${name} is not a number`);
  try {
    return fromBase64Url(text);
  } catch {
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
