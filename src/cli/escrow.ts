import type { Command } from "commander";
import { equalBytes, toHex } from "../bytes.js";
import { receiptStatus } from "../client/escrow.js";
import type { Party } from "../client/party.js";
import { sharedCore } from "../core/index.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import {
  attachReceipt,
  checkFile,
  type EscrowReport,
  originsOf,
  type Receipt,
  receiptLeaf,
  statusText,
  submissionsOf,
} from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import { type Cell, outside, outsidePath } from "../text.js";
import { type NamedParty, withGiven, withParty } from "./authority-io.js";
import {
  addAuthorityKeyOption,
  authorityOption,
  type PinOptions,
  pinOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addKeyringOptions,
  jsonOption,
  type KeyringOptions,
  newCommand,
  recursiveOption,
  rewriteOption,
  UsageError,
  wholeOption,
} from "./command.js";
import { flushCommand } from "./escrow-flush.js";
import { FileEscrower } from "./escrow-io.js";
import { scan, UNCHECKED } from "./escrow-scan.js";
import { sendAgain } from "./escrow-send.js";
import { submitCommand } from "./escrow-submit.js";
import { areMany, forEachInput, tallyText } from "./inputs.js";
import { checkInPlace, Report, tell, warn } from "./io.js";
import { type Keyring, withKeyring } from "./keyring.js";
import { readMessage } from "./messages.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import { about, forEachFile } from "./report.js";
import { sealingAgain, warnSealedAgain, withoutRoom } from "./resealing.js";
import { isSealed, readSealed } from "./sealed.js";
import { countSent, type SentFacts, sentSummary, sentText } from "./sent.js";
import { inline } from "./text.js";
import { reportFacts, reportsOf, type VerifyOptions } from "./verify.js";

/** Bytes of a receipt in a header: a leaf, some 30 hashes, and a checkpoint. */
const RECEIPT_ROOM = 2048;

interface AddOptions extends KeyringOptions, PinOptions, OwnerIdOptions {
  recursive?: boolean;
  authority?: string;
  authorityPassphraseFile?: string;
  force?: boolean;
  rewrite?: boolean;
  json?: boolean;
}

async function sendNow(
  path: string,
  party: NamedParty,
  ring: Keyring,
  askOwnerId: () => Promise<string>,
  options: AddOptions,
): Promise<SentFacts> {
  const ownerId = await askOwnerId();
  // The authority is asked later, once it is known which body the file will have.
  const escrower = new FileEscrower([{ ...party, client: undefined }], ownerId, options);
  const isCarried = party.client === undefined;
  if (isCarried) await escrower.check([path, party.path], path);
  let origins: string[] = [];
  const result = await rewrapFile(path, async (head) => {
    origins = originsOf(head);
    const { allowWeak = false, rewrite = false } = options;
    const key = await ring.keysFor(head.header);
    return { key, escrows: escrower.make, room: RECEIPT_ROOM, allowWeak, rewrite };
  }).catch((error) => {
    throw withoutRoom(error, sealingAgain(origins));
  });
  if (result === "rewritten") warnSealedAgain(path, origins);
  if (!isCarried) return (await sendAgain(path, party, { ...options, ownerId }))!;
  await writeFilesWhole(await escrower.files(path));
  return escrower.facts(path)[0]!;
}

async function add(paths: string[], options: AddOptions): Promise<void> {
  const report = new Report(options);
  let asked: Promise<string> | undefined;
  const parties: NamedParty[] = [];
  const askOwnerId = () => {
    asked ??= ownerIdFor(options, parties); // once for all files
    return asked;
  };
  const isKnown = () =>
    askOwnerId().then(
      () => true,
      () => false,
    );
  const counts = new Map<string, number>();
  const addAll = (party: NamedParty) => async (ring: Keyring) => {
    const settings = { ...options, take: isSealed };
    const tally = await forEachInput(paths, settings, async ({ path }) => {
      checkInPlace(path);
      const before = await sendAgain(path, party, options);
      // Whoever does not say who they are is told so once, when the other files are done.
      if (before === undefined && !(await isKnown())) return;
      const sent = before ?? (await sendNow(path, party, ring, askOwnerId, options));
      countSent(counts, [sent]);
      const owner = before === undefined ? "" : `, escrowed before as ${inline(before.owner)}`;
      report.add({ file: path, ...sent }, [[outsidePath(path), `${sentText(sent)}${owner}`]]);
    });
    if (options.json || !areMany(paths)) return;
    tell(options, {}, [["in all", tallyText(tally, "looked at")], ...sentSummary(counts)]);
  };
  await withParty(
    requireAuthority(options),
    (party) => {
      parties.push(party);
      return withKeyring(options, addAll(party));
    },
    options,
  );
  report.end();
  await asked;
}

/** Puts a receipt into a file. @returns what it is worth there */
async function attachTo(file: string, receipt: Receipt, party: Party | undefined): Promise<string> {
  const core = await sharedCore();
  let reports: EscrowReport[] = [];
  await amendFile(file, async (head) => {
    const escrows = await attachReceipt(core, head, receipt, party?.authority, party?.view);
    const now = { ...head, header: { ...head.header, escrows } };
    reports = await checkFile(core, now, party?.authority);
    return { escrows };
  }).catch((error) => {
    if (error instanceof TwinwrapError && error.code === "DUPLICATE") {
      error.message += ": give --authority";
    }
    throw error;
  });
  const { record } = receiptLeaf(receipt);
  const mine = reports.filter((one) => one.record && equalBytes(one.record, record));
  const isUnconfirmed = mine.some((one) => one.status === "unconfirmed");
  return isUnconfirmed ? "unconfirmed" : receiptStatus(receipt);
}

/** The files by the records that they hold, in hexadecimal. */
async function filesByRecord(paths: readonly string[]): Promise<Map<string, string>> {
  const core = await sharedCore();
  const files = new Map<string, string>();
  await forEachFile(paths, async (path) => {
    const head = await readSealed(path);
    for (const origin of originsOf(head)) {
      for (const { record } of submissionsOf(core, head, origin)) files.set(toHex(record), path);
    }
  });
  return files;
}

async function attach(paths: string[], options: VerifyOptions): Promise<void> {
  for (const path of paths) checkInPlace(path);
  await withGiven(options, async (party) => {
    // Two paths are a file and its receipt, whatever they turn out to be.
    const [file, path, ...more] = paths as [string, string?];
    if (path !== undefined && more.length === 0) {
      const { receipt } = await readMessage(path, "receipt");
      const status = await about(file, () => attachTo(file, receipt, party));
      tell(options, { file, status }, [attachedRow(file, status)]);
    } else await attachAll(paths, party, options);
    if (party === undefined) {
      warn(
        "the receipt belongs to the file, but was not shown to be your authority's: give --authority",
      );
    }
  });
}

function attachedRow(file: string, status: string): Cell[] {
  return [outsidePath(file), `receipt attached: ${status}`];
}

/** Puts each receipt into the file that it is for. */
async function attachAll(
  paths: readonly string[],
  party: Party | undefined,
  options: VerifyOptions,
): Promise<void> {
  const files: string[] = [];
  const receipts: string[] = [];
  for (const path of paths) ((await isSealed(path)) ? files : receipts).push(path);
  if (files.length === 0 || receipts.length === 0) {
    throw new UsageError("give sealed files, and the receipts that came for them");
  }
  const report = new Report(options);
  const known = await filesByRecord(files);
  await forEachFile(receipts, async (path) => {
    const { receipt } = await readMessage(path, "receipt");
    const file = known.get(toHex(receiptLeaf(receipt).record));
    if (file === undefined) throw new TwinwrapError("NOT_FOUND", "it is for none of these files");
    const status = await about(file, () => attachTo(file, receipt, party));
    report.add({ file, status }, [attachedRow(file, status)]);
  });
  report.end();
}

async function status(paths: string[], options: VerifyOptions): Promise<void> {
  const report = new Report(options);
  await withGiven(options, async (party) => {
    await forEachInput(paths, { ...options, take: isSealed }, async ({ path }) => {
      const reports = await reportsOf(path, party);
      const texts = reports.length === 0 ? ["not escrowed"] : reports.map(statusText);
      report.add(
        { file: path, escrows: reports.map(reportFacts) },
        texts.map((text, i) => [i === 0 ? outsidePath(path) : "", outside(text)]),
      );
    });
    report.end();
    if (party === undefined) warn(UNCHECKED);
  });
}

export function command(): Command {
  const addCommand = newCommand(
    "add",
    "Escrows files that were sealed before. What is escrowed already stays as it is, but what the authority lost is sent again.",
    "twinwrap escrow add report.pdf.twin -k alice.pem --owner-id alice --authority backup",
  ).argument("<file...>", "sealed files, or folders with -r");
  addAuthorityKeyOption(addKeyringOptions(addCommand, "private key that opens the files"))
    .addOption(recursiveOption("every sealed file"))
    .addOption(ownerIdOption())
    .option("--force", "replace a submission's file that is there")
    .addOption(rewriteOption())
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(add);
  const withOptions = (command: Command) =>
    command
      .addOption(authorityOption())
      .addOption(pinOption())
      .addOption(jsonOption())
      .addOption(wholeOption());
  return newCommand(
    "escrow",
    "Session keys that authorities hold.",
    "twinwrap escrow scan ~/documents --authority authority.json",
  )
    .addCommand(addCommand)
    .addCommand(submitCommand())
    .addCommand(flushCommand())
    .addCommand(
      withOptions(
        newCommand(
          "attach",
          "Puts receipts that came into the headers of their files.",
          "twinwrap escrow attach report.pdf.twin report.receipt.json --authority authority.json\ntwinwrap escrow attach *.twin receipts/* --authority authority.json",
        ).argument("<file...>", "sealed files, and receipts"),
      ).action(attach),
    )
    .addCommand(
      withOptions(
        newCommand(
          "status",
          "Shows what sealed files hold for authorities.",
          "twinwrap escrow status *.twin",
        )
          .argument("<file...>", "sealed files, or folders with -r")
          .addOption(recursiveOption("every sealed file")),
      ).action(status),
    )
    .addCommand(
      withOptions(
        newCommand(
          "scan",
          "Finds every sealed file below folders that has no valid receipt.",
          "twinwrap escrow scan ~/documents --authority authority.json",
        ).argument("<dir...>", "folders, and files"),
      ).action(scan),
    );
}
