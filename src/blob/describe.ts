import { readBlob } from "./blobs.js";
import { isPvk, readPvk } from "./pvk.js";
import { type BlobField, BlobReader } from "./reader.js";
import { BLOB_TYPES, CryptoApiError } from "./wincrypt.js";

/** A blob's fields, and the first thing that is wrong with it. */
export interface BlobDescription {
  /** The blob's type as wincrypt.h calls it, or "PVK file"; undefined if it is neither. */
  kind: string | undefined;
  fields: BlobField[];
  problem?: CryptoApiError;
}

/**
 * Explains any blob or PVK file field by field, also a bad one, as far as it can be read. Key
 * material is left out unless `secrets` asks for it; for `modulusLength` see decodeSimpleBlob. Never
 * throws on bytes.
 */
export function describeBlob(
  bytes: Uint8Array,
  options: { secrets?: boolean; modulusLength?: number } = {},
): BlobDescription {
  const reader = new BlobReader(bytes, { secrets: options.secrets ?? false });
  const isFile = isPvk(bytes);
  try {
    if (isFile) readPvk(reader);
    else readBlob(reader, options.modulusLength);
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    reader.problem ??= error;
    reader.rest();
  } finally {
    reader.wipeSecrets();
  }
  const kind = isFile ? "PVK file" : BLOB_TYPES.get(bytes[0] ?? 0);
  const { fields, problem } = reader;
  return problem === undefined ? { kind, fields } : { kind, fields, problem };
}
