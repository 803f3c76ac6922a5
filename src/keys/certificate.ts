import { BIT_STRING, DerReader, INTEGER, OBJECT_IDENTIFIER, SEQUENCE } from "./der.js";
import { readSpki } from "./pkcs.js";
import type { RsaPublicKey } from "./types.js";

// X.509 certificates (RFC 5280, section 4.1), as a form in which people keep public keys. Nothing else in one is read:
// neither its signature nor its dates or what it allows. Whoever seals for a key has to know already whose it is.

/** Tags of what a TBSCertificate may leave out. */
const VERSION = 0xa0;
const AFTER_KEY = [0x81, 0x82, 0xa1, 0xa2, 0xa3];

/**
 * What a structure is that begins with two sequences, the second of which begins with no algorithm.
 * @param inner the second sequence
 */
export function certificateOrRequest(inner: DerReader): "certificate" | "request" | undefined {
  if (inner.peek() === VERSION) return "certificate";
  if (inner.peek() !== INTEGER) return undefined;
  inner.take(INTEGER);
  if (inner.peek() !== SEQUENCE) return undefined;
  // After the number stands an algorithm, or, in a request, a name.
  return inner.sequence().peek() === OBJECT_IDENTIFIER ? "certificate" : "request";
}

/** The key in a certificate. @throws TwinwrapError BAD_FORMAT; BAD_KEY if it is a key of another kind */
export function parseCertificate(der: Uint8Array): RsaPublicKey {
  const outer = new DerReader(der);
  const certificate = outer.sequence();
  outer.end();
  const body = certificate.sequence();
  if (body.peek() === VERSION) body.take(VERSION);
  body.take(INTEGER); // the serial number, which old ones have negative
  for (const _ of ["algorithm", "issuer", "dates", "subject"]) body.take(SEQUENCE);
  const key = readSpki(body.sequence());
  for (const tag of AFTER_KEY) if (body.peek() === tag) body.take(tag);
  body.end();
  certificate.take(SEQUENCE);
  certificate.take(BIT_STRING);
  certificate.end();
  return key;
}
