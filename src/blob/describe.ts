import {
  type Bytes,
  isObject,
  type Kind,
  listOf,
  needFlag,
  needStableBytes,
  objectOf,
  optionsOf,
  wrongKind,
} from "../arguments.js";
import { modulusLengthOf, readBlob } from "./blobs.js";
import { cngBlobType, readCngRsaKey } from "./cng.js";
import { isPvk, readPvk } from "./pvk.js";
import { type BlobField, BlobReader } from "./reader.js";
import { isStrongName, readStrongName } from "./strong-name.js";
import { BLOB_TYPES, CryptoApiError, SIMPLEBLOB } from "./wincrypt.js";

/** A blob's fields, and the first thing that is wrong with it. */
export interface BlobDescription {
  /**
   * The blob's type as wincrypt.h and bcrypt.h call it, "PVK file", or "strong name public key"; undefined if
   * it is none of these.
   */
  kind: string | undefined;
  fields: BlobField[];
  problem?: CryptoApiError | undefined;
}

const HEADER = 12;
const ZEROS = 8;

/**
 * Length of a SIMPLEBLOB's RSA block where 8 zero bytes follow it, as Windows leaves them. They
 * cannot be the block's own: its last bytes are its most significant ones.
 */
function guessModulusLength(bytes: Uint8Array): number | undefined {
  const end = bytes.length - ZEROS;
  if (bytes[0] !== SIMPLEBLOB || end <= HEADER) return undefined;
  return bytes.subarray(end).every((byte) => byte === 0) ? end - HEADER : undefined;
}

interface DescribeOptions {
  secrets?: boolean | undefined;
  modulusLength?: number | undefined;
}
const OPTIONS = optionsOf<DescribeOptions>({
  secrets: needFlag,
  modulusLength: modulusLengthOf as Kind<number>,
});

/**
 * Explains any blob, PVK file or strong name key field by field, also a bad one, as far as it can be read. Key
 * material is left out unless `secrets` asks for it; for `modulusLength` see decodeSimpleBlob: by default
 * it is guessed where 8 zero bytes follow a SIMPLEBLOB, as Windows leaves them. Never throws on bytes.
 * @throws TwinwrapError BAD_ARGUMENT
 */
export function describeBlob(blob: Bytes, options: DescribeOptions = {}): BlobDescription {
  const bytes = needStableBytes(blob, "the blob");
  const { secrets = false, modulusLength } = OPTIONS(options, "options");
  const reader = new BlobReader(bytes, { secrets });
  const [kind, read] = readerOf(bytes, modulusLength);
  try {
    read(reader);
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    reader.problem ??= error;
    reader.rest();
  } finally {
    reader.wipeSecrets();
  }
  const { fields, problem } = reader;
  return { kind, fields, problem };
}

/** What the bytes are, and how they are read. */
function readerOf(
  bytes: Uint8Array,
  modulusLength: number | undefined,
): [kind: string | undefined, read: (reader: BlobReader) => unknown] {
  if (isPvk(bytes)) return ["PVK file", readPvk];
  if (isStrongName(bytes)) return ["strong name public key", readStrongName];
  const cng = cngBlobType(bytes);
  if (cng !== undefined) return [cng, readCngRsaKey];
  const kind = BLOB_TYPES.get(bytes[0] ?? 0);
  return [kind, (reader) => readBlob(reader, modulusLength ?? guessModulusLength(bytes))];
}

const needField: Kind<BlobField> = (value, what) => {
  const { offset, length } = (isObject(value) ? value : {}) as BlobField;
  if (Number.isInteger(offset) && Number.isInteger(length)) return value as BlobField;
  throw wrongKind(value, what, "a field of a blob");
};
const needProblem: Kind<CryptoApiError | undefined> = (value, what) => {
  if (value === undefined || value instanceof CryptoApiError) return value;
  throw wrongKind(value, what, "a CryptoApiError");
};
const DESCRIPTION = objectOf<Omit<BlobDescription, "kind">>({
  fields: listOf(needField),
  problem: needProblem,
});

/** The field in which a description's problem stands; the last one if bytes are missing at the end. */
export function problemField(description: BlobDescription): BlobField | undefined {
  const { fields, problem } = DESCRIPTION(description, "the description");
  if (problem === undefined || !problem.hasPlace) return undefined;
  return fields.find(({ offset, length }) => problem.offset < offset + length) ?? fields.at(-1);
}
