import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { algorithmName } from "../blob/index.js";
import { toHex, wipe } from "../bytes.js";
import { isFolderStats, present } from "../calls.node.js";
import { importSimpleBlob } from "../capi/index.js";
import { needConfirmed, type Recovery, releasedBlobs } from "../client/recover.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Wrap } from "../envelope/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type BlobRecord,
  commitmentOf,
  isProven,
  recordHash,
  releasedBlob,
} from "../escrow/index.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { type Cell, outside } from "../text.js";
import { type OutputOptions, UsageError } from "./command.js";
import { checkOutput, outputText, type ReadOptions, STANDARD, writeFiles } from "./io.js";

// Released keys of other programs. They are written as SIMPLEBLOBs for the new key, which those programs import.

/** A SIMPLEBLOB that was written. */
export interface FetchedBlob {
  file: string;
  record: BlobRecord;
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
  wrap: Wrap;
  /** It was opened with the new key. */
  opened: boolean;
}

/** Options of the command whose files are read. */
interface FetchBlobsOptions extends OutputOptions, ReadOptions {
  release?: string;
  request?: string;
  submission?: string[];
}

/**
 * Opens a released blob. It is the owner's own, so errors may say what is wrong.
 * @throws TwinwrapError NOT_VERIFIED if the key in it can't be the one that was sent
 */
async function checkOpens(
  core: Core,
  record: BlobRecord,
  wrap: Wrap,
  privateKey: RsaPrivateKey,
): Promise<void> {
  const { key } = await importSimpleBlob(wrap.simpleBlob, privateKey, wrap.padding, { core });
  try {
    if (key.length !== record.blob.keyLength) {
      throw notVerified(`the key has ${key.length} bytes, and not ${record.blob.keyLength}`);
    }
    if (isProven(record) && !core.equal(commitmentOf(core, record, key), record.commitment)) {
      throw notVerified("the key is not the one that was proven");
    }
  } finally {
    wipe(key);
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "NOT_FOUND") return error;
  return new TwinwrapError("NOT_FOUND", `${error.message}: give its --submission`);
}

/** The file for each blob. One goes to the output itself; several go into that folder, named by their serials. */
function pathsFor(output: string, records: readonly BlobRecord[]): string[] {
  const there = output === STANDARD ? undefined : present(output);
  if (records.length === 1 && !isFolderStats(there)) return [output];
  if (output === STANDARD) throw new UsageError(`${records.length} blobs need a folder: -o DIR`);
  if (there !== undefined && !isFolderStats(there)) {
    throw new UsageError(`${records.length} blobs need a folder, and ${output} is none`);
  }
  const names = records.map(({ serial }) => formatSerial(serial));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UsageError(`two blobs have the serial ${twice}: fetch them one by one`);
  }
  return names.map((name) => join(output, `${name}.simpleblob`));
}

/**
 * Writes the SIMPLEBLOBs in a release, all or none.
 * @param key the new private key: each blob is opened with it first
 * @throws TwinwrapError NOT_VERIFIED, REFUSED
 */
export async function fetchBlobs(
  recovery: Recovery,
  output: string,
  options: FetchBlobsOptions,
  key: RsaPrivateKey | undefined,
): Promise<FetchedBlob[]> {
  const { party, checked } = recovery;
  const { core } = party;
  const { force = false, release, request, submission = [] } = options;
  const records = await releasedBlobs(recovery).catch((error) => {
    throw withAdvice(error);
  });
  const paths = pathsFor(output, records);
  const read = [release, request, ...submission].filter((path) => path !== undefined);
  for (const path of paths) await checkOutput(read, path, options);
  const fetched: FetchedBlob[] = [];
  for (const [i, record] of records.entries()) {
    const wrap = releasedBlob(core, checked, record);
    if (key === undefined || !isProven(record)) needConfirmed(recovery);
    if (key !== undefined) await checkOpens(core, record, wrap, key);
    const hash = recordHash(core, record);
    fetched.push({ file: paths[i]!, record, hash, wrap, opened: key !== undefined });
  }
  if (paths[0] !== output) await mkdir(output, { recursive: true });
  await writeFiles(
    fetched.map(({ file, wrap }) => ({ path: file, content: [wrap.simpleBlob], force })),
  );
  return fetched;
}

/** For people. */
export function blobRow({ file, record, opened }: FetchedBlob): Cell[] {
  const { aiKeyAlg, label } = record.blob;
  const right = isProven(record) ? "and the proven key" : "key not proven";
  return [
    "recovered",
    outputText(file),
    label === undefined ? formatSerial(record.serial) : outside(`label ${label}`),
    algorithmName(aiKeyAlg),
    opened ? `opened, ${right}` : "not opened: no -k",
  ];
}

/** For machines. */
export function blobFacts({ file, record, hash, wrap, opened }: FetchedBlob) {
  const { aiKeyAlg, keyLength, label } = record.blob;
  return {
    blob: file,
    serial: formatSerial(record.serial),
    label,
    record: toHex(hash),
    fingerprint: toHex(wrap.fingerprint),
    padding: wrap.padding,
    algorithm: algorithmName(aiKeyAlg),
    keyLength,
    opened,
    proven: isProven(record),
  };
}
