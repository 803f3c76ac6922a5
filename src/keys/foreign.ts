import { TwinwrapError } from "../errors.js";

// Names the keys that people have but cannot use as they are. How to convert one depends on the tools at hand, so
// the code that shows the error says that, by the error's kind.

/** What was found in place of a usable key. */
export type ForeignKind =
  /** A key for an algorithm other than RSA encryption. */
  | "algorithm"
  /** Locked in a way that is not opened here. */
  | "lock"
  /** DER with an integer whose leading zero byte was left out, perhaps. */
  | "negative"
  | "openssh"
  | "openssh-public"
  | "putty"
  | "pkcs12"
  | "certificate"
  | "certificate-request"
  | "certificate-request-der"
  | "utf-16"
  | "other";

/** The error of a file that is no key as read here: BAD_KEY for another algorithm, else BAD_FORMAT. */
export class ForeignKeyError extends TwinwrapError {
  readonly kind: ForeignKind;

  constructor(kind: ForeignKind, message: string) {
    super(kind === "algorithm" ? "BAD_KEY" : "BAD_FORMAT", message);
    this.kind = kind;
  }
}

/** Characters of a foreign name that an error shows. */
const MAX_SHOWN = 64;

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

/** The key is for an algorithm other than RSA encryption. */
export function foreignAlgorithm(name: string): TwinwrapError {
  const what = ALGORITHMS.get(name) ?? `a key for the algorithm ${name.slice(0, MAX_SHOWN)}`;
  return new ForeignKeyError(
    "algorithm",
    `this is ${what}; only an RSA key can unwrap session keys`,
  );
}

/** The key is locked in a way that is not opened here. */
export function foreignLock(what: string): TwinwrapError {
  return new ForeignKeyError("lock", `the key is locked with ${what}`);
}

/** What a file is. */
interface Foreign {
  is: string;
  kind?: ForeignKind;
}

const SSH: Foreign = { is: "an OpenSSH private key", kind: "openssh" };
const SSH_PUBLIC: Foreign = { is: "an OpenSSH public key", kind: "openssh-public" };
const PKCS12: Foreign = { is: "a PKCS#12 file", kind: "pkcs12" };
const CERTIFICATE: Foreign = {
  is: "a certificate with OpenSSL's own trust in it",
  kind: "certificate",
};
const REQUEST: Foreign = { is: "a certificate request", kind: "certificate-request" };

/** The file is something other than a key as read here. */
function foreignFile({ is, kind = "other" }: Foreign): TwinwrapError {
  return new ForeignKeyError(kind, `this is ${is}`);
}

/** By the label of a PEM block that is no key as read here. */
export function foreignPem(label: string): TwinwrapError {
  if (label.startsWith("EC ")) return foreignAlgorithm("1.2.840.10045.2.1");
  if (label.startsWith("DSA ")) return foreignAlgorithm("1.2.840.10040.4.1");
  if (label.startsWith("RSA-PSS ")) return foreignAlgorithm("1.2.840.113549.1.1.10");
  return foreignFile(pemKind(label) ?? { is: `a PEM file with "${label}", which is no key` });
}

function pemKind(label: string): Foreign | undefined {
  if (label === "OPENSSH PRIVATE KEY") return SSH;
  if (label === "TRUSTED CERTIFICATE") return CERTIFICATE;
  if (/^(NEW )?CERTIFICATE REQUEST$/.test(label)) return REQUEST;
  if (label.startsWith("PGP ")) return { is: "an OpenPGP file" };
  return undefined;
}

/** By the outline of a DER structure that is no key as read here. */
export const foreignDer = {
  request: () => foreignFile({ ...REQUEST, kind: "certificate-request-der" }),
  pkcs12: () => foreignFile(PKCS12),
  ec: () => foreignAlgorithm("1.2.840.10045.2.1"),
  dsa: () => foreignAlgorithm("1.2.840.10040.4.1"),
  unknown: () => foreignFile({ is: "DER, but no key" }),
};

const STARTS: readonly [start: string, what: Foreign][] = [
  ["ssh-", SSH_PUBLIC],
  ["ecdsa-", SSH_PUBLIC],
  ["---- BEGIN SSH2", SSH_PUBLIC],
  ["PuTTY-User-Key-File", { is: "a PuTTY key", kind: "putty" }],
  ["\xff\xfe", { is: "text in UTF-16, as Windows writes it", kind: "utf-16" }],
  ["\xfe\xff", { is: "text in UTF-16", kind: "utf-16" }],
  ["\x01\x02", { is: "a SIMPLEBLOB: a wrapped session key, not an RSA key" }],
  ["\x08\x02", { is: "a PLAINTEXTKEYBLOB: a session key, not an RSA key" }],
  ["TWIN\r\n\x1a\n", { is: "a sealed file" }],
  ["SQLite format 3", { is: "an SQLite database, as an authority keeps" }],
  ["%PDF-", { is: "a PDF" }],
  ["PK\x03\x04", { is: "a ZIP archive" }],
  ["\x1f\x8b", { is: "a gzip file" }],
];

/** The messages between owners, officers and authorities, by their type: "twinwrap/receipt/v1". */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["submission", "a submission to an authority"],
  ["receipt", "an authority's receipt"],
  ["request", "a recovery request"],
  ["release", "an authority's release"],
  ["authority", "an authority.json"],
  ["approval", "an officer's approval"],
  ["policy", "an authority's policy"],
]);

/** What a message is, by its type; undefined if it is none. */
export function messageOfType(type: unknown): string | undefined {
  const [, name] = (typeof type === "string" && /^twinwrap\/([a-z]{1,10})\/v\d/.exec(type)) || [];
  return name && MESSAGES.get(name);
}

function foreignKind(bytes: Uint8Array): Foreign | undefined {
  const known = STARTS.find(([start]) =>
    [...start].every((character, i) => bytes[i] === character.charCodeAt(0)),
  );
  if (known !== undefined) return known[1];
  const message = messageOfType(String.fromCharCode(...bytes.subarray(0, 32)));
  return message === undefined ? undefined : { is: message };
}

/** By the first bytes of a file in which no key was recognised. */
export function foreignStart(bytes: Uint8Array): TwinwrapError {
  return foreignFile(
    foreignKind(bytes) ?? {
      is: "no key in a form read here (PEM, DER, JWK, PUBLICKEYBLOB, PRIVATEKEYBLOB, PVK, a strong name, CNG, XML)",
    },
  );
}

/**
 * What a file seems to be, in words, for callers that wanted something other than a key.
 * @param start its first bytes: some hundreds are enough
 * @returns such as "a certificate"; undefined if nothing is known of it
 */
export function describeForeign(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 512));
  const [, label] = /-----BEGIN ([A-Z0-9 -]{1,64}?)-----/.exec(text) ?? [];
  if (label !== undefined) {
    if (/^(RSA )?PUBLIC KEY$/.test(label)) return "a public key";
    if (/^(X509 )?CERTIFICATE$/.test(label)) return "a certificate";
    if (/PRIVATE KEY$/.test(label) && label !== "OPENSSH PRIVATE KEY") return "a private key";
    return (pemKind(label) ?? { is: `a PEM file with "${label}"` }).is;
  }
  if (/^\s*\{\s*"(kty|n|e|d|alg|kid|use)"/.test(text)) return "a JWK";
  if (start[0] === 0x30 && start[1]! >= 0x80) return "a DER file: a key or a certificate";
  if (start[0] === 0x06 && start[1] === 0x02) return "a PUBLICKEYBLOB";
  if (start[0] === 0x07 && start[1] === 0x02) return "a PRIVATEKEYBLOB";
  return foreignKind(start)?.is;
}
