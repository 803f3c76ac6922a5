import { resolve } from "node:path";
import { equalBytes, toHex } from "../bytes.js";
import { type Core, sharedCore } from "../core/index.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import type { Head, Wrap } from "../envelope/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type CheckedRelease,
  checkRelease,
  decodeRecord,
  findReleased,
  originsOf,
  parseRequestId,
  type Release,
  recipientFingerprint,
  releasedFor,
} from "../escrow/index.js";
import { fingerprint, publicKeyOf, type RsaPrivateKey } from "../keys/index.js";
import { type AuthorityOptions, type Party, requireAuthority, withParty } from "./authority-io.js";
import { stateOf } from "./authority-requests.js";
import { EXIT, type OutputOptions, parseFingerprint, UsageError } from "./command.js";
import { checkInPlace, print, printJson, warn, withPrivateKeyFile } from "./io.js";
import { readMessage } from "./messages.js";
import type { PassphraseOptions } from "./passphrase.js";
import {
  blobFacts,
  blobRows,
  type FetchedBlob,
  fetchBlobs,
  type Recovery,
} from "./recover-blobs.js";
import { readKept, recordsOfFile } from "./recover-records.js";
import { about, forEachFile } from "./report.js";
import { safe, table } from "./text.js";

interface FetchOptions extends AuthorityOptions, PassphraseOptions, OutputOptions {
  release?: string;
  request?: string;
  key?: string;
  submission?: string[];
  drop?: string[];
  rewrite?: boolean;
  json?: boolean;
}

/** What was released, and which request it has to be for; undefined if nothing is there yet. */
async function findRelease(
  party: Party,
  id: string | undefined,
  options: FetchOptions,
): Promise<{ release: Release; expected: Parameters<typeof checkRelease>[3] } | undefined> {
  const kept =
    options.request === undefined
      ? undefined
      : { request: (await readMessage(options.request, "request")).request };
  if (options.release !== undefined) {
    const { release } = await readMessage(options.release, "release");
    return { release, expected: kept };
  }
  const { service } = party;
  if (service === undefined) {
    throw new UsageError("without the authority's folder, give --release FILE");
  }
  const release = await service.released(id!);
  if (release !== undefined) return { release, expected: kept ?? { id: parseRequestId(id!) } };
  const standing = await service.standing(id!);
  const { row } = standing;
  const isOver = row.status === "denied" || row.expires <= new Date();
  const state = stateOf(standing);
  const next = `; the authority has still to run \`authority release ${row.id}\``;
  warn(`nothing was released yet: ${state}${state === "approved" ? next : ""}`);
  process.exitCode = isOver ? EXIT.failed : EXIT.waiting;
  return undefined;
}

/** The wrap that was released for a file. @throws TwinwrapError REFUSED, NOT_VERIFIED */
async function wrapOf({ core, party, checked, kept }: Recovery, head: Head): Promise<Wrap> {
  const { authority, service, view } = party;
  const records = kept.map(({ record }) => record);
  const wrap = await findReleased(core, checked, head, authority, records, view);
  if (wrap !== undefined) return wrap;
  if (service !== undefined) {
    const row = (await recordsOfFile(service, head)).find(({ hash }) =>
      checked.keys.has(toHex(hash)),
    );
    if (row !== undefined) return releasedFor(core, checked, head, decodeRecord(row.core));
  }
  throw new TwinwrapError("REFUSED", "the release has nothing for this file");
}

/** What became of one file. */
interface Fetched {
  fingerprint: Uint8Array;
  /** The wrap was opened with the new key. */
  opened: boolean;
  result: "patched" | "rewritten";
  /** The origins of authorities that the file has to be escrowed with again. */
  lost: string[];
  /** Of the wraps to drop, those that were there. */
  dropped: Uint8Array[];
}

/** What to do where a header has no room. */
function withAdvice(error: unknown, advice: string): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "LIMIT_EXCEEDED") return error;
  return new TwinwrapError("LIMIT_EXCEEDED", `the header has no room for one more wrap: ${advice}`);
}

/** Adds the wrap that was released, unopened: whatever is there stays. */
async function addUnopened(path: string, recovery: Recovery): Promise<Fetched> {
  let wrap: Wrap;
  await amendFile(path, async (head) => {
    wrap = await wrapOf(recovery, head);
    const { wraps } = head.header;
    const isThere = wraps.some(
      (other) =>
        equalBytes(other.fingerprint, wrap.fingerprint) &&
        other.padding === wrap.padding &&
        equalBytes(other.simpleBlob, wrap.simpleBlob),
    );
    return { wraps: isThere ? wraps : [...wraps, wrap] };
  }).catch((error) => {
    throw withAdvice(error, "give -k NEW.pem with --drop of an old key, or with --rewrite");
  });
  return { ...wrap!, opened: false, result: "patched", lost: [], dropped: [] };
}

/** Opens the wrap that was released, and puts it in the place of what the new key had. */
async function addOpened(
  path: string,
  recovery: Recovery,
  key: RsaPrivateKey,
  drop: readonly Uint8Array[],
  rewrite: boolean,
): Promise<Fetched> {
  let wrap: Wrap;
  let dropped: Uint8Array[] = [];
  let origins: string[] = [];
  try {
    const result = await rewrapFile(path, async (head) => {
      wrap = await wrapOf(recovery, head);
      const { wraps } = head.header;
      dropped = drop.filter((gone) => wraps.some((one) => equalBytes(one.fingerprint, gone)));
      origins = originsOf(head);
      return { key, released: [wrap], remove: dropped, rewrite };
    });
    const lost = result === "rewritten" ? origins : [];
    return { ...wrap!, opened: true, result, lost, dropped };
  } catch (error) {
    if (rewrite) throw error;
    throw withAdvice(
      error,
      `--drop of an old key can make some, and --rewrite seals the whole file again${again(origins)}`,
    );
  }
}

/** What is lost with a body: submissions and receipts are for that body alone. */
function again(origins: readonly string[]): string {
  return origins.length === 0
    ? ""
    : `, and it has to be escrowed again with ${origins.map(safe).join(", ")}`;
}

export async function fetch(words: string[], options: FetchOptions): Promise<void> {
  const { drop = [], rewrite = false } = options;
  const [id, names] =
    options.release === undefined ? [words[0], words.slice(1)] : [undefined, words];
  if (options.release === undefined && id === undefined) {
    throw new UsageError("which request? Give its ID, or --release FILE");
  }
  const files = [...new Map(names.map((name) => [resolve(name), name])).values()];
  if (files.length === 0 && options.output === undefined) {
    throw new UsageError("for which files? Give FILE, or -o for the keys of blobs");
  }
  for (const file of files) checkInPlace(file);
  if (options.release !== undefined && options.request === undefined && options.key === undefined) {
    throw new UsageError(
      "give --request FILE, the request that was kept, or -k NEW.pem: otherwise nothing shows that the release is yours",
    );
  }
  if (drop.length > 0 && options.key === undefined) {
    throw new UsageError("--drop needs -k: a wrap may go only once another is known to open");
  }
  if (rewrite && options.key === undefined) {
    throw new UsageError("--rewrite needs -k: sealing again takes a key that opens the file");
  }
  const remove = drop.map((text) => parseFingerprint("--drop", text));
  await withParty(requireAuthority(options), async (party) => {
    const core = await sharedCore();
    const found = await findRelease(party, id, options);
    if (found === undefined) return;
    const checked = await about(options.release ?? "the release", () =>
      checkRelease(core, found.release, party.authority, found.expected, party.view),
    );
    const mine = recipientFingerprint(core, checked.request);
    if (remove.some((gone) => equalBytes(gone, mine))) {
      throw new UsageError("--drop names the new key: without its wrap nothing would be recovered");
    }
    const kept = await readKept(options.submission ?? [], party);
    const recovery = { core, party, checked, kept };
    const done: { file: string; fetched: Fetched }[] = [];
    let blobs: FetchedBlob[] = [];
    const fetchAll = async (key: RsaPrivateKey | undefined) => {
      await forEachFile(files, async (file) => {
        const fetched =
          key === undefined
            ? await addUnopened(file, recovery)
            : await addOpened(file, recovery, key, remove, rewrite);
        done.push({ file, fetched });
        tell(file, fetched, options);
      });
      if (options.output === undefined) return;
      blobs = await fetchBlobs(recovery, options.output, options, key);
      if (!options.json) print(table(blobs.flatMap(blobRows)), options.output);
    };
    if (options.key === undefined) {
      await fetchAll(undefined);
    } else {
      await withPrivateKeyFile(options.key, options, async (key) => {
        await checkRecipient(core, checked, key);
        await fetchAll(key);
      });
    }
    for (const gone of remove) {
      const isGone = done.some(({ fetched }) =>
        fetched.dropped.some((one) => equalBytes(one, gone)),
      );
      if (!isGone && done.length > 0) warn(`no file has a wrap for ${toHex(gone)}`);
    }
    if (options.json) {
      printJson([...done.map(fetchedFacts), ...blobs.map(blobFacts)], options.output);
    }
  });
}

function tell(file: string, { opened, result, lost }: Fetched, options: FetchOptions): void {
  if (!options.json) {
    const row = opened ? ["recovered", "and opened"] : ["added", "not opened: no -k"];
    print(table([[row[0]!, safe(file), row[1]!]]));
  }
  if (result === "rewritten") {
    warn(`${safe(file)}: the whole file was sealed again${again(lost)}`);
  }
}

function fetchedFacts({ file, fetched }: { file: string; fetched: Fetched }) {
  const { opened, result, lost, dropped } = fetched;
  return {
    file,
    fingerprint: toHex(fetched.fingerprint),
    opened,
    result,
    dropped: dropped.map(toHex),
    escrowsLost: lost,
  };
}

/** With nothing else known, the release is one's own if one has the key that it is for. */
async function checkRecipient(
  core: Core,
  { request }: CheckedRelease,
  key: RsaPrivateKey,
): Promise<void> {
  const mine = await fingerprint(publicKeyOf(key), { core });
  if (equalBytes(mine, recipientFingerprint(core, request))) return;
  throw notVerified("the release is for another key than the one given with -k");
}
