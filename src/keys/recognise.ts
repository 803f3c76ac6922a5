import {
  type CngBlobType,
  cngBlobType,
  decodeBlobText,
  isPvk,
  isStrongName,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  type TextEncoding,
} from "../blob/index.js";
import { copyBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { certificateOrRequest } from "./certificate.js";
import {
  BIT_STRING,
  DerReader,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
} from "./der.js";
import { foreignDer, foreignLock, foreignPem, foreignStart } from "./foreign.js";
import { decodePemBody, hasHeaders, looksLikePem, pemBlocks } from "./pem.js";

/** The forms in which keys are written; all are read. */
export const KEY_FORMS = ["pem", "der", "jwk", "msblob", "pvk"] as const;
export type KeyForm = (typeof KEY_FORMS)[number];

/** The forms in which keys are read: also CNG's blobs, public halves of strong names and .NET's XML. */
export type ReadableKeyForm = KeyForm | "cng" | "strongname" | "xml";

/** What stands inside. */
export type KeyStructure =
  | "SubjectPublicKeyInfo"
  | "RSAPublicKey"
  | "Certificate"
  | "PrivateKeyInfo"
  | "EncryptedPrivateKeyInfo"
  | "RSAPrivateKey"
  | "JWK"
  | "PUBLICKEYBLOB"
  | "PRIVATEKEYBLOB"
  | "PVK"
  | CngBlobType
  | "PublicKeyBlob"
  | "RSAKeyValue";

/** A key file as recognised by its content, not yet parsed. */
export interface KeyFile {
  form: ReadableKeyForm;
  structure: KeyStructure;
  /** Set where a binary form was written as text; PEM, JWK and XML are text themselves. */
  text?: TextEncoding;
  /** The structure's bytes, without PEM around them: a copy, which the caller wipes. */
  bytes: Uint8Array;
}

/** More than a locked key of 16384 bits takes in any form. */
export const MAX_KEY_FILE = 65536;

/** Labels under which keys stand; the bytes themselves say which structure it is. */
const KEY_LABELS = new Set([
  "PUBLIC KEY",
  "RSA PUBLIC KEY",
  "PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "RSA PRIVATE KEY",
]);

/** Labels of certificates. A key in the same file counts before them. */
const CERTIFICATE_LABELS = new Set(["CERTIFICATE", "X509 CERTIFICATE"]);

/**
 * Finds out in which form a key is. The first key of a PEM file counts, or if it has none, the first certificate.
 * @throws TwinwrapError LIMIT_EXCEEDED over 65,536 bytes; BAD_FORMAT or BAD_KEY, with what it is
 *   instead, if it is no RSA key in a form read here
 */
export function recognise(file: Uint8Array): KeyFile {
  if (file.length > MAX_KEY_FILE) {
    throw new TwinwrapError("LIMIT_EXCEEDED", `a key file is at most ${MAX_KEY_FILE} bytes long`);
  }
  if (file.length === 0) throw new TwinwrapError("BAD_FORMAT", "the key file is empty");
  const binary = recogniseBinary(file);
  if (binary !== undefined) return binary;
  const text = withoutByteOrderMark(file);
  if (looksLikePem(text)) return recognisePem(text);
  const first = text.find((byte) => !isSpace(byte));
  if (first === 0x7b) return { form: "jwk", structure: "JWK", bytes: copyBytes(text) };
  if (first === 0x3c) return { form: "xml", structure: "RSAKeyValue", bytes: copyBytes(text) };
  return recogniseEncoded(file);
}

/** Recognises the binary forms. */
function recogniseBinary(file: Uint8Array): KeyFile | undefined {
  const [first, second] = file;
  if (first === SEQUENCE && (second! >= 0x80 || second === file.length - 2)) {
    return { form: "der", structure: outline(file), bytes: copyBytes(file) };
  }
  const bytes = () => copyBytes(file);
  if (first === PUBLICKEYBLOB) {
    return { form: "msblob", structure: "PUBLICKEYBLOB", bytes: bytes() };
  }
  if (first === PRIVATEKEYBLOB) {
    return { form: "msblob", structure: "PRIVATEKEYBLOB", bytes: bytes() };
  }
  if (isPvk(file)) return { form: "pvk", structure: "PVK", bytes: bytes() };
  if (isStrongName(file)) {
    return { form: "strongname", structure: "PublicKeyBlob", bytes: bytes() };
  }
  const cng = cngBlobType(file);
  return cng === undefined ? undefined : { form: "cng", structure: cng, bytes: bytes() };
}

/** A binary form as text, in hexadecimal or base64. */
function recogniseEncoded(file: Uint8Array): KeyFile {
  const decoded = decodeBlobText(file);
  if (decoded === undefined) throw foreignStart(file);
  try {
    const key = recogniseBinary(decoded.bytes);
    if (key === undefined) throw foreignStart(decoded.bytes);
    return { ...key, text: decoded.encoding };
  } finally {
    wipe(decoded.bytes);
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function withoutByteOrderMark(file: Uint8Array): Uint8Array {
  return file[0] === 0xef && file[1] === 0xbb && file[2] === 0xbf ? file.subarray(3) : file;
}

function recognisePem(text: Uint8Array): KeyFile {
  const blocks = pemBlocks(text);
  const block =
    blocks.find(({ label }) => KEY_LABELS.has(label)) ??
    blocks.find(({ label }) => CERTIFICATE_LABELS.has(label));
  if (block === undefined) throw foreignPem(blocks[0]!.label);
  if (hasHeaders(block.body))
    throw foreignLock("OpenSSL's old PEM encryption (or has PEM headers)");
  const bytes = decodePemBody(block.body);
  try {
    return { form: "pem", structure: outline(bytes), bytes };
  } catch (error) {
    wipe(bytes);
    throw error;
  }
}

/** Tells DER structures apart by their first elements: PEM labels are often wrong. */
export function outline(der: Uint8Array): KeyStructure {
  const outer = new DerReader(der);
  const whole = outer.sequence();
  outer.end();
  if (whole.peek() === SEQUENCE) {
    const algorithm = whole.sequence();
    if (algorithm.peek() !== OBJECT_IDENTIFIER) {
      const what = certificateOrRequest(algorithm);
      if (what === "certificate") return "Certificate";
      throw what === "request" ? foreignDer.request() : foreignDer.unknown();
    }
    if (whole.peek() === BIT_STRING) return "SubjectPublicKeyInfo";
    if (whole.peek() === OCTET_STRING) return "EncryptedPrivateKeyInfo";
    throw foreignDer.unknown();
  }
  if (whole.peek() !== INTEGER) throw foreignDer.unknown();
  const version = whole.integer();
  if (whole.peek() === OCTET_STRING) throw foreignDer.ec();
  if (whole.peek() === SEQUENCE) {
    if (version.length === 1 && version[0] === 3) throw foreignDer.pkcs12();
    return "PrivateKeyInfo";
  }
  // Integers only: an RSA public key has two, an old DSA key six, an RSA private key nine.
  let integers = 1;
  for (; whole.peek() === INTEGER; integers++) whole.integer();
  if (integers === 2) return "RSAPublicKey";
  if (integers === 6) throw foreignDer.dsa();
  return "RSAPrivateKey";
}
