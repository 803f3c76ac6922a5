import type { Command } from "commander";
import { equalBytes, toHex } from "../bytes.js";
import { type Core, sharedCore } from "../core/index.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import type { Head, Padding } from "../envelope/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type CheckedRelease,
  checkRelease,
  decodeRecord,
  type EscrowRecord,
  encodeRequest,
  fits,
  makeRequest,
  parseRequestId,
  provenSubmissions,
  type Release,
  recipientFingerprint,
  recordHash,
  releasedFor,
  requestHash,
  requestId,
  submissionsOf,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { checkPublicKey, fingerprint, publicKeyOf, type RsaPrivateKey } from "../keys/index.js";
import {
  type AuthorityOptions,
  authorityOption,
  type Party,
  requireAuthority,
  withParty,
} from "./authority-io.js";
import { parseSerial } from "./authority-records.js";
import { stateOf } from "./authority-requests.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  EXIT,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  paddingOption,
  parseFingerprint,
  UsageError,
} from "./command.js";
import {
  checkOutput,
  print,
  printJson,
  readPrivateKeyFile,
  readPublicKeyFile,
  warn,
  writeOutput,
} from "./io.js";
import { readMessage, readSealed } from "./messages.js";
import type { PassphraseOptions } from "./passphrase.js";
import { about, forEachFile } from "./report.js";
import { formatFingerprint, safe, table } from "./text.js";

const DAY = 86_400_000;

/** The records that a file may have at an authority: from its header or, by its serial, from there. */
async function recordsOf(core: Core, head: Head, party: Party): Promise<EscrowRecord[]> {
  const held = submissionsOf(core, head, party.authority.origin);
  if (held.length > 0) return held.map(({ submission }) => submission.core);
  const { serial } = head.header;
  const found = (await party.service?.store.records({ serial }))?.rows ?? [];
  return found.map((row) => decodeRecord(row.core)).filter((record) => fits(head, record));
}

interface RequestOptions extends AuthorityOptions, OutputOptions {
  serial?: string[];
  to: string;
  requester: string;
  expires?: number;
  padding?: Padding;
  json?: boolean;
}

async function request(paths: string[], options: RequestOptions): Promise<void> {
  const { serial: serials = [] } = options;
  if (paths.length + serials.length === 0) throw new UsageError("for what? Give FILE or --serial");
  const core = await sharedCore();
  const recipient = await readPublicKeyFile(options.to);
  try {
    checkPublicKey(recipient, { forWrap: true });
  } catch (error) {
    // There is no --allow-weak here: an authority does not release for such a key.
    throw new TwinwrapError("BAD_KEY", (error as Error).message);
  }
  await withParty(requireAuthority(options), async (party) => {
    const records: Uint8Array[] = [];
    for (const path of paths) {
      await about(path, async () => {
        const found = await recordsOf(core, await readSealed(path), party);
        if (found.length === 0) {
          throw new TwinwrapError(
            "REFUSED",
            `it is not escrowed with ${safe(party.authority.origin)}`,
          );
        }
        records.push(...found.map((record) => recordHash(core, record)));
      });
    }
    records.push(...(await bySerial(party, serials)));
    const created = new Date();
    const asked = makeRequest({
      authority: party.authority.origin,
      requester: options.requester,
      recipient,
      records,
      created,
      ...(options.padding === undefined ? {} : { padding: options.padding }),
      ...(options.expires === undefined
        ? {}
        : { expires: new Date(created.getTime() + options.expires * DAY) }),
    });
    const id = requestId(requestHash(core, asked));
    const output = options.output ?? `${id}.request.json`;
    await checkOutput(paths, output, options);
    await writeOutput(output, [encodeRequest(asked)], { force: options.force ?? false });
    await party.service?.takeRequest(asked);
    const key = formatFingerprint(recipientFingerprint(core, asked));
    const delivered = party.service !== undefined;
    if (options.json) {
      const expires = formatTime(asked.expires);
      printJson(
        { id, recipient: key, records: asked.records.length, expires, request: output, delivered },
        output,
      );
      return;
    }
    print(
      table([
        ["request", id],
        ["say it as", id.replace(/.{4}(?=.)/g, "$&-")],
        ["recipient", `${key}  ${asked.padding}`],
        ["records", String(asked.records.length)],
        ["expires", formatTime(asked.expires)],
        ["kept in", safe(output)],
        [
          "delivered",
          delivered ? "to the authority" : `no: carry ${safe(output)} to the authority`,
        ],
        ["next", "tell each officer the ID yourself, so that he knows it is you"],
      ]),
      output,
    );
  });
}

async function bySerial({ service }: Party, serials: readonly string[]): Promise<Uint8Array[]> {
  if (serials.length === 0) return [];
  if (service === undefined) {
    throw new UsageError("--serial needs the authority's folder: give the files");
  }
  const records: Uint8Array[] = [];
  for (const text of serials) {
    const { rows } = await service.store.records({ serial: parseSerial(text) });
    if (rows.length === 0) {
      throw new TwinwrapError("REFUSED", `the authority has no record with serial ${text}`);
    }
    records.push(...rows.map(({ hash }) => hash));
  }
  return records;
}

interface FetchOptions extends AuthorityOptions, PassphraseOptions {
  release?: string;
  request?: string;
  key?: string;
  drop?: string[];
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
  warn(`nothing was released yet: ${stateOf(standing)}`);
  process.exitCode = isOver ? EXIT.failed : EXIT.waiting;
  return undefined;
}

async function fetch(words: string[], options: FetchOptions): Promise<void> {
  const { drop = [] } = options;
  const [id, files] =
    options.release === undefined ? [words[0]!, words.slice(1)] : [undefined, words];
  if (files.length === 0) throw new UsageError("for which files? Give FILE");
  if (options.release !== undefined && options.request === undefined && options.key === undefined) {
    throw new UsageError(
      "give --request FILE, the request that was kept, or -k NEW.pem: otherwise nothing shows that the release is yours",
    );
  }
  if (drop.length > 0 && options.key === undefined) {
    throw new UsageError("--drop needs -k: a wrap may go only once another is known to open");
  }
  const remove = drop.map((text) => parseFingerprint("--drop", text));
  await withParty(requireAuthority(options), async (party) => {
    const core = await sharedCore();
    const found = await findRelease(party, id, options);
    if (found === undefined) return;
    const checked = await about(options.release ?? "the release", () =>
      checkRelease(core, found.release, party.authority, found.expected, party.view),
    );
    const key =
      options.key === undefined ? undefined : await readPrivateKeyFile(options.key, options);
    if (key !== undefined) await checkRecipient(core, checked, key);
    const facts: unknown[] = [];
    await forEachFile(files, async (path) => {
      const wrap = await wrapOf(core, await readSealed(path), party, checked);
      const released = [wrap];
      if (key !== undefined) {
        await rewrapFile(path, { key, released, remove });
      } else {
        await amendFile(path, ({ header }) => ({
          wraps: [
            ...header.wraps.filter(({ fingerprint }) => !equalBytes(fingerprint, wrap.fingerprint)),
            wrap,
          ],
        }));
      }
      const opened = key !== undefined;
      facts.push({ file: path, fingerprint: toHex(wrap.fingerprint), opened });
      if (!options.json) {
        print(table([["recovered", safe(path), opened ? "and opened" : "not opened: no -k"]]));
      }
    });
    if (options.json) printJson(facts);
  });
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

async function wrapOf(core: Core, head: Head, party: Party, checked: CheckedRelease) {
  // The log that the release is in has to be the one that the file's receipts are in.
  await provenSubmissions(core, head, party.authority, party.view);
  const records = await recordsOf(core, head, party);
  const asked = records.find((record) => checked.keys.has(toHex(recordHash(core, record))));
  if (asked !== undefined) return releasedFor(core, checked, head, asked);
  throw new TwinwrapError("REFUSED", "the release has nothing for this file");
}

export function command(): Command {
  const requestCommand = newCommand(
    "request",
    "Asks an authority for the session keys of files, wrapped for a new key. The request is kept as a file.",
    'twinwrap recover request *.twin --to new.pub.pem --requester "Olivia Owner" --authority backup',
  ).argument("[file...]", "sealed files");
  addOutputOptions(requestCommand, "where the request is kept (default: ID.request.json)")
    .option("--serial <serial>", "a record by its file's serial (repeat for more)", collect)
    .requiredOption("--to <pub>", "the new public key")
    .requiredOption("--requester <name>", "who asks, in one line for the officers")
    .option("--expires <days>", "how long it is good for (default: 14)", integerBetween(1, 366))
    .addOption(paddingOption("--padding <padding>", "how the keys shall be padded (default: oaep)"))
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(request);
  const fetchCommand = newCommand(
    "fetch",
    "Puts what was released into files: a wrap for the new key. With -k it is opened first.",
    "twinwrap recover fetch ID *.twin -k new.pem --authority backup",
  ).argument("<id|file...>", "the request's ID, unless --release is given; then sealed files");
  fetchCommand
    .option("--release <file>", "the release, where the authority's folder is not")
    .option("--request <file>", "the request that was kept")
    .option("-k, --key <file>", "the new private key");
  addPassphraseOptions(fetchCommand, "never ask for a passphrase")
    .option("--drop <fingerprint>", "key whose wrap goes then (repeat for more)", collect)
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(fetch);
  return newCommand(
    "recover",
    "Gets session keys back from an authority, for a new key.",
    'twinwrap recover request report.pdf.twin --to new.pub.pem --requester "Olivia Owner"',
  )
    .addCommand(requestCommand)
    .addCommand(fetchCommand);
}
