import { basename, join, resolve } from "node:path";
import { toHex } from "../bytes.js";
import { isFolder } from "../calls.node.js";
import { isOver, type Standing, standingOf, stateText } from "../client/officer.js";
import type { Party } from "../client/party.js";
import {
  addReleased,
  checkRecipient,
  type Recovery,
  replaceReleased,
  takeRelease,
} from "../client/recover.js";
import { Unreachable } from "../client/unreachable.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import type { Head } from "../envelope/index.js";
import {
  type AuthorityClient,
  type Basis,
  type checkRelease,
  parseRequestId,
  type Release,
  recipientFingerprint,
  type Unshown,
} from "../escrow/index.js";
import { UNCONFIRMED_RELEASE, unshownTexts } from "../escrow/words.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { outsidePath } from "../text.js";
import { withParty } from "./authority-io.js";
import { type AuthorityOptions, type PinOptions, requireAuthority } from "./authority-options.js";
import { EXIT, type OutputOptions, UsageError } from "./command.js";
import {
  checkInPlace,
  checkOutput,
  Report,
  STANDARD,
  tell,
  type Write,
  warn,
  writeFiles,
} from "./io.js";
import { withPrivateKeyFile } from "./key-files.js";
import { readMessage } from "./messages.js";
import { openInto, plainPath } from "./opening.js";
import type { PassphraseOptions } from "./passphrase.js";
import { type Removal, type RemoveOptions, removalsOf, removedFrom } from "./recipients.js";
import { blobFacts, blobRow, fetchBlobs } from "./recover-blobs.js";
import { readKept } from "./recover-records.js";
import { about, forEachFile, worsen } from "./report.js";
import { sealingAgain, warnSealedAgain, withoutRoom } from "./resealing.js";

interface FetchOptions
  extends AuthorityOptions,
    PinOptions,
    PassphraseOptions,
    OutputOptions,
    RemoveOptions {
  release?: string;
  request?: string;
  key?: string;
  submission?: string[];
  rewrite?: boolean;
  /** Of --wait: for so many seconds; true until the request expires. */
  wait?: number | true;
  json?: boolean;
}

/** How often an authority that can't tell when is asked, in milliseconds. */
const OFTEN = 15_000;
const LONGEST_PAUSE = 60_000;
const SHORTEST_PAUSE = 1_000;

/** Until when a release is waited for. */
function waitEnd({ wait }: FetchOptions, { request }: Standing): Date {
  const { expires } = request;
  if (wait === undefined || wait === true) return wait ? expires : new Date(0);
  return new Date(Math.min(expires.getTime(), Date.now() + wait * 1000));
}

/** Asks for a release; where that is wanted, again and again until it is there. */
async function awaitRelease(
  party: Party & { client: AuthorityClient },
  id: string,
  options: FetchOptions,
): Promise<Release | undefined> {
  let end: Date | undefined;
  let isAway = false;
  for (;;) {
    let standing: Standing;
    try {
      const release = await party.client.released(id);
      if (release !== undefined) return release;
      standing = await standingOf(party, id);
    } catch (error) {
      // Whoever waits for days waits for a service that is started again, too.
      if (!(error instanceof Unreachable) || end === undefined || end <= new Date()) throw error;
      if (!isAway) warn(`${error.message}; waiting for it`);
      isAway = true;
      await new Promise((wake) => setTimeout(wake, OFTEN));
      continue;
    }
    isAway = false;
    end ??= waitEnd(options, standing);
    const now = Date.now();
    const pause = Math.min(pauseFor(standing, now), end.getTime() - now);
    if (isOver(standing) || pause <= 0) {
      tellUnreleased(standing);
      return undefined;
    }
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

function pauseFor({ decision: { notBefore } }: Standing, now: number): number {
  const until = notBefore === undefined ? OFTEN : notBefore.getTime() - now;
  return Math.min(LONGEST_PAUSE, Math.max(until, SHORTEST_PAUSE));
}

function tellUnreleased(standing: Standing): void {
  const state = stateText(standing);
  const next = `; the authority has still to run \`authority release ${standing.id}\``;
  warn(`nothing was released yet: ${state}${state === "approved" ? next : ""}`);
  process.exitCode = isOver(standing) ? EXIT.failed : EXIT.waiting;
}

/** The release, and the request that it has to be for; undefined if nothing was released yet. */
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
  if (party.client === undefined) {
    throw new UsageError("this authority can't be asked: give --release FILE");
  }
  const release = await awaitRelease({ ...party, client: party.client }, id!, options);
  return release && { release, expected: kept ?? { id: parseRequestId(id!) } };
}

/** What became of one file. */
interface Fetched {
  fingerprint: Uint8Array;
  /** The wrap was opened with the new key. */
  opened: boolean;
  result: "patched" | "rewritten";
  /** Origins of the authorities that the file has to be escrowed with again. */
  lost: string[];
  /** Fingerprints of the wraps that were removed, 32 bytes each. */
  removed: Uint8Array[];
  /** What could not be shown, for people. */
  unshown: string[];
}

/** Adds the released wrap without opening it. All other wraps stay. */
async function addUnopened(path: string, recovery: Recovery): Promise<Fetched> {
  let fingerprint = new Uint8Array();
  let unshown: string[] = [];
  const note = (wrap: { fingerprint: Uint8Array }, missing: Unshown) => {
    fingerprint = new Uint8Array(wrap.fingerprint);
    unshown = unshownTexts(missing);
  };
  await amendFile(path, addReleased(recovery, note)).catch((error) => {
    const advice = "give -k NEW.pem with --remove of an old key, or with --rewrite";
    throw withoutRoom(error, advice);
  });
  return { fingerprint, opened: false, result: "patched", lost: [], removed: [], unshown };
}

/** Opens the released wrap. It replaces a wrap that the new key had. */
async function addOpened(
  path: string,
  recovery: Recovery,
  key: RsaPrivateKey,
  removals: readonly Removal[],
  rewrite: boolean,
): Promise<Fetched> {
  let fingerprint = new Uint8Array();
  let removed: Uint8Array[] = [];
  let origins: string[] = [];
  let unshown: string[] = [];
  const change = (head: Head) => {
    const { found: remove } = removedFrom(head.header, removals);
    return replaceReleased(recovery, key, { remove, rewrite }, (replacing) => {
      fingerprint = new Uint8Array(replacing.wrap.fingerprint);
      ({ removed, origins } = replacing);
      unshown = unshownTexts(replacing.unshown);
    })(head);
  };
  const result = await rewrapFile(path, change).catch((error) => {
    const again = sealingAgain(origins);
    throw withoutRoom(error, `--remove of an old key can make some, and ${again}`);
  });
  const lost = result === "rewritten" ? origins : [];
  return { fingerprint, opened: true, result, lost, removed, unshown };
}

/** The request's ID, if one is given, the files, and the fingerprints to remove. @throws UsageError */
function checkOptions(
  words: readonly string[],
  options: FetchOptions,
): { id: string | undefined; files: string[] } {
  const { release, key, remove = [], removeOwner = [], rewrite = false } = options;
  const [id, names] =
    release === undefined ? [words[0], words.slice(1)] : [undefined, words.slice()];
  if (release === undefined && id === undefined) {
    throw new UsageError("which request? Give its ID, or --release FILE");
  }
  const files = [...new Map(names.map((name) => [resolve(name), name])).values()];
  if (files.length === 0 && options.output === undefined) {
    throw new UsageError("for which files? Give FILE, or -o for the keys of blobs");
  }
  for (const file of files) checkInPlace(file);
  if (release !== undefined && options.request === undefined && key === undefined) {
    throw new UsageError(
      "give --request FILE, the request that was kept, or -k NEW.pem: otherwise nothing shows that the release is yours",
    );
  }
  if (remove.length + removeOwner.length > 0 && key === undefined) {
    throw new UsageError("--remove needs -k: a wrap may go only once another is known to open");
  }
  if (files.length > 0 && options.output !== undefined && key === undefined) {
    throw new UsageError("-o opens the file, which needs -k, the new private key");
  }
  if (rewrite && key === undefined) {
    throw new UsageError("--rewrite needs -k: sealing again takes a key that opens the file");
  }
  return { id, files };
}

export async function fetch(words: string[], options: FetchOptions): Promise<void> {
  const { id, files } = checkOptions(words, options);
  const removals = await removalsOf(options);
  const work = async (party: Party) => {
    const found = await findRelease(party, id, options);
    if (found === undefined) return;
    const kept = await readKept(options.submission ?? [], party);
    const recovery = await about(options.release ?? "the release", () =>
      takeRelease(party, found.release, found.expected, kept),
    );
    const mine = toHex(recipientFingerprint(party.core, recovery.checked.request));
    if (removals.some(({ digits }) => mine.startsWith(digits))) {
      throw new UsageError(
        "--remove names the new key: without its wrap nothing would be recovered",
      );
    }
    if (options.key === undefined) return fetchAll(recovery, undefined, files, removals, options);
    await withPrivateKeyFile(options.key, options, async (key) => {
      await checkRecipient(recovery, key);
      await fetchAll(recovery, key, files, removals, options);
    });
  };
  await withParty(requireAuthority(options), work, { fingerprint: options.fingerprint });
}

/** Whoever did not ask for it so should know: their officers can be asked why. */
const EMERGENCY =
  "released as an emergency: so many officers agreed that it had neither to wait nor to heed a veto";

async function fetchAll(
  recovery: Recovery,
  key: RsaPrivateKey | undefined,
  files: readonly string[],
  removals: readonly Removal[],
  options: FetchOptions,
): Promise<void> {
  const { rewrite = false, output } = options;
  const { basis } = recovery.checked;
  if (basis === "emergency") warn(EMERGENCY);
  const report = new Report(options, output);
  const done: Fetched[] = [];
  const plain = plainPaths(files, output);
  for (const path of plain.values()) await checkOutput(files, path, options);
  await forEachFile(files, async (file) => {
    const fetched =
      key === undefined
        ? await addUnopened(file, recovery)
        : await addOpened(file, recovery, key, removals, rewrite);
    done.push(fetched);
    const row = fetched.opened
      ? ["recovered", outsidePath(file), "and opened"]
      : ["added", outsidePath(file), "not opened: no -k"];
    report.add(fetchedFacts(file, fetched, basis, plain.get(file)), [row]);
    if (fetched.result === "rewritten") warnSealedAgain(file, fetched.lost);
    tellUnshown(file, fetched.unshown);
    const opened = plain.get(file);
    if (opened !== undefined) await openRecovered(file, opened, key!, options);
  });
  if (output !== undefined && files.length === 0) {
    const blobs = await fetchBlobs(recovery, output, options, key);
    const facts = blobs.map((blob) => ({ ...blobFacts(blob), basis }));
    report.addAll(facts, blobs.map(blobRow));
    if (!recovery.checked.confirmed) tellUnshown(output, [UNCONFIRMED_RELEASE]);
  }
  for (const { digits } of removals) {
    const isGone = done.some(({ removed }) => removed.some((one) => toHex(one).startsWith(digits)));
    if (!isGone && done.length > 0) warn(`no file has a wrap for ${digits}`);
  }
  report.end();
}

/** Where the plaintext of each file goes, if it is to be written. @throws UsageError */
function plainPaths(files: readonly string[], output: string | undefined): Map<string, string> {
  if (output === undefined) return new Map();
  const isOne = files.length === 1 && (output === STANDARD || !isFolder(output));
  if (isOne) return new Map([[files[0]!, output]]);
  if (files.length > 1 && !isFolder(output)) {
    throw new UsageError(`${files.length} files need a folder that is there: -o DIR`);
  }
  return new Map(files.map((file) => [file, join(output, basename(plainPath(file)))]));
}

/** Opens a file that has its new wrap by now: if this fails, only this is missing. */
async function openRecovered(
  file: string,
  output: string,
  key: RsaPrivateKey,
  options: FetchOptions,
): Promise<void> {
  const write: Write = (content) =>
    writeFiles([{ path: output, content, force: options.force ?? false }]);
  const keys = async () => [key];
  await openInto(file, write, { isChoice: false, keysFor: keys, all: keys }, {});
  if (!options.json && output !== STANDARD) tell(options, {}, [["opened", outsidePath(output)]]);
}

function tellUnshown(file: string, texts: readonly string[]): void {
  for (const text of texts) warn(`${file}: ${text}`);
  if (texts.length > 0) worsen(EXIT.notVerified);
}

function fetchedFacts(file: string, fetched: Fetched, basis: Basis, plaintext: string | undefined) {
  const { fingerprint, opened, result, lost, removed, unshown } = fetched;
  return {
    file,
    basis,
    fingerprint: toHex(fingerprint),
    opened,
    result,
    removed: removed.map(toHex),
    escrowsLost: lost,
    unshown,
    plaintext,
  };
}
