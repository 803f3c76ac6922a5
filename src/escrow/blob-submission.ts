import {
  algorithmName,
  CALG_AES_256,
  decodeSimpleBlob,
  encodeSimpleBlob,
  MAX_TRAILING,
  sessionAlgorithm,
} from "../blob/index.js";
import { equalBytes, randomBytes } from "../bytes.js";
import type { Core, PreparedRsaPrivateKey } from "../core/index.js";
import { KEY, SALT } from "../envelope/cobblestone.js";
import type { Padding, Wrap } from "../envelope/header.js";
import { encryptedKeyOf, isWrapFor } from "../envelope/wraps.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { fingerprint, type RsaPublicKey } from "../keys/index.js";
import {
  type BlobFacts,
  type BlobRecord,
  commitmentOf,
  type ProvenBlobRecord,
  type RecordFacts,
  recordHash,
  type UnprovenRecord,
  wrapHash,
} from "./record.js";
import { checkMade, recordTag, type Submission } from "./submission.js";

// Another program's session key, sent to an authority as that program exported it.

function notForKey(message: string): TwinwrapError {
  return new TwinwrapError("WRONG_AUTHORITY", message);
}

/**
 * Reads a SIMPLEBLOB as the wrap that its sender says it is. Leaves out bytes after its end.
 * @param key the public key that it was exported under; only its form is checked against that
 * @returns the wrap, and the ALG_ID of the key in it
 * @throws CryptoApiError if it is no SIMPLEBLOB; TwinwrapError WRONG_AUTHORITY if it can't be for the key
 */
export async function readBlobWrap(
  core: Core,
  bytes: Uint8Array,
  key: RsaPublicKey,
  padding: Padding,
): Promise<{ wrap: Wrap; aiKeyAlg: number }> {
  const needed = key.n.length;
  const { length } = decodeSimpleBlob(bytes).encryptedKey;
  if (length < needed || length > needed + MAX_TRAILING) {
    throw notForKey(
      `it is not wrapped for the authority's key: its block has ${length} bytes, and that key's have ${needed}`,
    );
  }
  const { aiKeyAlg, encryptedKey } = decodeSimpleBlob(bytes, needed);
  const wrap: Wrap = {
    fingerprint: await fingerprint(key, { core }),
    padding,
    simpleBlob: encodeSimpleBlob({ aiKeyAlg, encryptedKey }),
  };
  if (isWrapFor(wrap, key, [aiKeyAlg])) return { wrap, aiKeyAlg };
  throw notForKey("it is not wrapped for the authority's key: its block is no number below n");
}

/** How the owner shows that they know the key. */
export interface OwnerProof {
  /** 32 bytes; the caller keeps and wipes it. */
  sessionKey: Uint8Array;
  /** The owner's SIMPLEBLOB, exactly as they keep it. */
  ownerBlob: Uint8Array;
}

/**
 * Makes what an authority is sent for the key of another program.
 * @param options.wrap from {@link readBlobWrap}
 * @param options.keyLength bytes of the key, where its algorithm has several: usually 16
 * @param options.proof without it the record says that the key is not proven
 * @throws TwinwrapError BAD_ARGUMENT if something does not fit, above all for a proof of a key that is
 *   not AES-256 with 32 bytes
 */
export function makeBlobSubmission(
  core: Core,
  options: {
    authority: string;
    owner: string;
    wrap: Wrap;
    keyLength?: number | undefined;
    label?: string | undefined;
    description?: string | undefined;
    proof?: OwnerProof | undefined;
    /** By default now. */
    created?: Date;
    /** By default random: 16 bytes, 24, 32. */
    serial?: Uint8Array;
    salt?: Uint8Array;
    blind?: Uint8Array;
  },
): Submission<BlobRecord> {
  const { wrap, label, description, proof } = options;
  const { aiKeyAlg } = decodeSimpleBlob(wrap.simpleBlob);
  const algorithm = sessionAlgorithm(aiKeyAlg)!;
  const { keyLength = algorithm.keyLength } = options;
  if (keyLength < algorithm.minKeyLength || keyLength > algorithm.maxKeyLength) {
    throw new TwinwrapError("BAD_ARGUMENT", `no ${algorithm.name} key has ${keyLength} bytes`);
  }
  const blob: BlobFacts = {
    aiKeyAlg,
    keyLength,
    ...(label === undefined ? {} : { label }),
  };
  const facts: RecordFacts = {
    authority: options.authority,
    owner: options.owner,
    serial: options.serial ?? randomBytes(16),
    ...(description === undefined ? {} : { description }),
    created: options.created ?? new Date(),
    blind: options.blind ?? randomBytes(32),
  };
  if (proof === undefined) {
    const record: UnprovenRecord = { ...facts, blob, wrapHash: wrapHash(core, wrap) };
    return checkMade<BlobRecord>({ record, tag: undefined, wrap });
  }
  const { sessionKey, ownerBlob } = proof;
  if (aiKeyAlg !== CALG_AES_256 || sessionKey.length !== KEY) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `only a CALG_AES_256 key of ${KEY} bytes can be proven, and this is ${algorithmName(aiKeyAlg)} with ${sessionKey.length}`,
    );
  }
  const record: ProvenBlobRecord = {
    ...facts,
    blob,
    header: core.sha256(ownerBlob),
    salt: options.salt ?? randomBytes(SALT),
    commitment: new Uint8Array(KEY),
  };
  record.commitment = commitmentOf(core, record, sessionKey);
  const tag = recordTag(core, sessionKey, recordHash(core, record));
  return checkMade<BlobRecord>({ record, tag, wrap });
}

/** Whether this is the one wrap that the record is for. */
export function isBoundWrap(core: Core, record: UnprovenRecord, wrap: Wrap): boolean {
  return equalBytes(wrapHash(core, wrap), record.wrapHash);
}

/**
 * Opens the wrap of an unproven key. It does not show whether the wrap was padded rightly and for this
 * key: if not, the result is a pseudo-random key.
 * @param key the private key that the wrap's fingerprint names, prepared
 * @returns the session key; the caller wipes it
 * @throws TwinwrapError DECRYPTION_FAILED only for faults that show without the private key
 */
export function openUnproven(
  core: Core,
  record: UnprovenRecord,
  wrap: Wrap,
  key: PreparedRsaPrivateKey,
): Uint8Array<ArrayBuffer> {
  if (!isBoundWrap(core, record, wrap)) throw decryptionFailed();
  const { aiKeyAlg, keyLength } = record.blob;
  const block = encryptedKeyOf(wrap, [aiKeyAlg]);
  return key.unwrapKey(block, { padding: wrap.padding, length: keyLength });
}
