import { TwinwrapError } from "../errors.js";

// Keys that people have at hand and that cannot be used as they are: what each is, and what turns
// it into one that can.

const RSA_NEEDED = "only an RSA key can unwrap session keys: make one with `twinwrap keygen`";
const RELOCK = "openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE -out NEW.pem";

/** By OID, and by a JWK's `kty` (RFC 7518, section 6.1; RFC 8037, section 2). */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.1.1.10", "an RSA-PSS key, which may only sign"],
  ["1.2.840.113549.1.1.7", "an RSAES-OAEP key, which is bound to one set of OAEP parameters"],
  ["1.2.840.10045.2.1", "an elliptic-curve (EC) key"],
  ["1.3.101.110", "an X25519 key"],
  ["1.3.101.111", "an X448 key"],
  ["1.3.101.112", "an Ed25519 key"],
  ["1.3.101.113", "an Ed448 key"],
  ["1.2.840.10040.4.1", "a DSA key"],
  ["1.2.840.113549.1.3.1", "a Diffie-Hellman key"],
  ["EC", "an elliptic-curve (EC) key"],
  ["OKP", "an Ed25519, X25519, Ed448 or X448 key"],
  ["oct", "a symmetric key"],
]);

/** The key is for another algorithm than RSA encryption. */
export function foreignAlgorithm(name: string): TwinwrapError {
  const what = ALGORITHMS.get(name) ?? `a key for the algorithm ${name}`;
  return new TwinwrapError("BAD_KEY", `this is ${what}; ${RSA_NEEDED}`);
}

/** The key is locked in a way that is not opened here. */
export function foreignLock(what: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", `the key is locked with ${what}; lock it anew: ${RELOCK}`);
}

const SSH =
  "an OpenSSH private key; convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY (this rewrites COPY)";
const SSH_PUBLIC =
  "an OpenSSH public key; convert it: ssh-keygen -e -m PKCS8 -f FILE > NEW.pub.pem";
const PKCS12 = "a PKCS#12 file; take its key out: openssl pkcs12 -in FILE -nocerts -out NEW.pem";
const CERTIFICATE =
  "a certificate; take its public key out: openssl x509 -in FILE -noout -pubkey > NEW.pub.pem";
const REQUEST =
  "a certificate request; take its public key out: openssl req -in FILE -noout -pubkey > NEW.pub.pem";

/** The file is something else than a key as read here. */
function foreignFile(what: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", `this is ${what}`);
}

/** By the label of a PEM block that is no key as read here. */
export function foreignPem(label: string): TwinwrapError {
  if (label === "OPENSSH PRIVATE KEY") return foreignFile(SSH);
  if (label.startsWith("EC ")) return foreignAlgorithm("1.2.840.10045.2.1");
  if (label.startsWith("DSA ")) return foreignAlgorithm("1.2.840.10040.4.1");
  if (label.startsWith("RSA-PSS ")) return foreignAlgorithm("1.2.840.113549.1.1.10");
  if (/^(X509 |TRUSTED )?CERTIFICATE$/.test(label)) return foreignFile(CERTIFICATE);
  if (/^(NEW )?CERTIFICATE REQUEST$/.test(label)) return foreignFile(REQUEST);
  return foreignFile(`a PEM file with "${label}", which is no key`);
}

/** By the outline of a DER structure that is no key as read here. */
export const foreignDer = {
  certificate: () => foreignFile(`${CERTIFICATE} (with -inform DER)`),
  pkcs12: () => foreignFile(PKCS12),
  ec: () => foreignAlgorithm("1.2.840.10045.2.1"),
  dsa: () => foreignAlgorithm("1.2.840.10040.4.1"),
  unknown: () => foreignFile("DER, but no key"),
};

const STARTS: readonly [start: string, what: string][] = [
  ["ssh-", SSH_PUBLIC],
  ["ecdsa-", SSH_PUBLIC],
  ["---- BEGIN SSH2", SSH_PUBLIC],
  ["PuTTY-User-Key-File", "a PuTTY key; export it from PuTTYgen in OpenSSH's format first"],
  ["\xff\xfe", "text in UTF-16, as Windows writes it; save it as ASCII or UTF-8"],
  ["\xfe\xff", "text in UTF-16; save it as ASCII or UTF-8"],
  ["\x01\x02", "a SIMPLEBLOB: a wrapped session key, not an RSA key"],
  ["\x08\x02", "a PLAINTEXTKEYBLOB: a session key, not an RSA key"],
];

/** By the first bytes of a file in which no key was recognised. */
export function foreignStart(bytes: Uint8Array): TwinwrapError {
  const known = STARTS.find(([start]) =>
    [...start].every((character, i) => bytes[i] === character.charCodeAt(0)),
  );
  return foreignFile(
    known?.[1] ??
      "no key in a form read here (PEM, DER, JWK, PUBLICKEYBLOB, PRIVATEKEYBLOB, PVK, a strong name, CNG, XML)",
  );
}
