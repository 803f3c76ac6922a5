import { TwinwrapError } from "../errors.js";
import {
  bitString,
  type DerNode,
  DerReader,
  encodeDer,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  smallInteger,
} from "./der.js";
import { foreignAlgorithm } from "./foreign.js";
import type { PrivateParts, RsaPrivateKey, RsaPublicKey } from "./types.js";

// The DER structures of RSA keys: RFC 8017 appendix A.1 (PKCS#1), RFC 5958 (PKCS#8), RFC 5280
// (SubjectPublicKeyInfo). What they give are views of the bytes that were read.

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";

const ATTRIBUTES = 0xa0;
const PUBLIC_KEY = 0x81;

/** @throws TwinwrapError BAD_FORMAT; BAD_KEY if it is a key of another kind */
export function parseSpki(der: Uint8Array): RsaPublicKey {
  const outer = new DerReader(der);
  const info = outer.sequence();
  outer.end();
  return readSpki(info);
}

/** The same inside another structure. @param info the elements of the SubjectPublicKeyInfo */
export function readSpki(info: DerReader): RsaPublicKey {
  readAlgorithm(info.sequence());
  const key = info.bitString();
  info.end();
  return parsePkcs1Public(key);
}

/** @throws TwinwrapError BAD_FORMAT */
export function parsePkcs1Public(der: Uint8Array): RsaPublicKey {
  const outer = new DerReader(der);
  const key = outer.sequence();
  outer.end();
  const [n, e] = [key.integer(), key.integer()];
  key.end();
  return { n, e };
}

/** @throws TwinwrapError BAD_FORMAT; BAD_KEY if it is a key of another kind */
export function parsePkcs8(der: Uint8Array): PrivateParts {
  const outer = new DerReader(der);
  const info = outer.sequence();
  outer.end();
  const version = info.smallInteger(1, "the PKCS#8 version");
  readAlgorithm(info.sequence());
  const key = info.octetString();
  // Nothing in the attributes, or in version 1's copy of the public key, is needed.
  if (info.peek() === ATTRIBUTES) info.take(ATTRIBUTES);
  if (version === 1) info.take(PUBLIC_KEY);
  info.end();
  return parsePkcs1Private(key);
}

/** @throws TwinwrapError BAD_FORMAT; BAD_KEY if the key has more than two primes */
export function parsePkcs1Private(der: Uint8Array): PrivateParts {
  const outer = new DerReader(der);
  const key = outer.sequence();
  outer.end();
  if (key.smallInteger(1, "the PKCS#1 version") === 1) {
    throw new TwinwrapError("BAD_KEY", "an RSA key with more than two primes cannot be used");
  }
  const next = () => key.integer();
  const [n, e, d, p, q] = [next(), next(), next(), next(), next()];
  const [dp, dq, qi] = [next(), next(), next()];
  key.end();
  return { n, e, d, p, q, dp, dq, qi };
}

function readAlgorithm(algorithm: DerReader): void {
  const name = algorithm.oid();
  if (name !== RSA_ENCRYPTION) throw foreignAlgorithm(name);
  algorithm.optionalNull();
  algorithm.end();
}

function rsaEncryption(): DerNode {
  return sequence(oid(RSA_ENCRYPTION), nullValue());
}

/** SubjectPublicKeyInfo: rsaEncryption with NULL parameters, minimal integers. */
export function encodeSpki(key: RsaPublicKey): Uint8Array<ArrayBuffer> {
  return encodeDer(sequence(rsaEncryption(), bitString(sequence(integer(key.n), integer(key.e)))));
}

/** PKCS#8, version 0, without attributes (the caller wipes it). */
export function encodePkcs8(key: RsaPrivateKey): Uint8Array<ArrayBuffer> {
  const { n, e, d, p, q, dp, dq, qi } = key;
  const pkcs1 = sequence(smallInteger(0), ...[n, e, d, p, q, dp, dq, qi].map(integer));
  return encodeDer(sequence(smallInteger(0), rsaEncryption(), octetString(pkcs1)));
}
