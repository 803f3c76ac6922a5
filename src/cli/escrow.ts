import type { Command } from "commander";
import { equalBytes } from "../bytes.js";
import { receiptStatus } from "../client/escrow.js";
import { sharedCore } from "../core/index.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import {
  attachReceipt,
  checkFile,
  type EscrowReport,
  originsOf,
  receiptLeaf,
  statusText,
} from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { outside, outsidePath } from "../text.js";
import {
  addAuthorityKeyOption,
  authorityOption,
  type NamedParty,
  type PinOptions,
  pinOption,
  requireAuthority,
  withGiven,
  withParty,
} from "./authority-io.js";
import {
  addKeyOptions,
  jsonOption,
  type KeyOptions,
  newCommand,
  rewriteOption,
  wholeOption,
} from "./command.js";
import { flushCommand } from "./escrow-flush.js";
import { FileEscrower, type SentFacts, sentText } from "./escrow-io.js";
import { scan, UNCHECKED } from "./escrow-scan.js";
import { sendAgain } from "./escrow-send.js";
import { submitCommand } from "./escrow-submit.js";
import { checkInPlace, Report, tell, warn, withPrivateKeyFile } from "./io.js";
import { readMessage } from "./messages.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import { about, forEachFile } from "./report.js";
import { sealingAgain, warnSealedAgain, withoutRoom } from "./resealing.js";
import { inline } from "./text.js";
import { reportFacts, reportsOf, type VerifyOptions } from "./verify.js";

/** Bytes of a receipt in a header: a leaf, some 30 hashes, and a checkpoint. */
const RECEIPT_ROOM = 2048;

interface AddOptions extends KeyOptions, PinOptions, OwnerIdOptions {
  authority?: string;
  authorityPassphraseFile?: string;
  force?: boolean;
  rewrite?: boolean;
  json?: boolean;
}

async function sendNow(
  path: string,
  party: NamedParty,
  key: RsaPrivateKey,
  askOwnerId: () => Promise<string>,
  options: AddOptions,
): Promise<SentFacts> {
  const ownerId = await askOwnerId();
  // The authority is asked later, once it is known which body the file will have.
  const escrower = new FileEscrower([{ ...party, client: undefined }], ownerId, options);
  const isCarried = party.client === undefined;
  if (isCarried) await escrower.check([path, party.path], path);
  let origins: string[] = [];
  const result = await rewrapFile(path, (head) => {
    origins = originsOf(head);
    const { allowWeak = false, rewrite = false } = options;
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
  const addAll = (party: NamedParty) => (key: RsaPrivateKey) =>
    forEachFile(paths, async (path) => {
      checkInPlace(path);
      const before = await sendAgain(path, party, options);
      // Whoever does not say who they are is told so once, when the other files are done.
      if (before === undefined && !(await isKnown())) return;
      const sent = before ?? (await sendNow(path, party, key, askOwnerId, options));
      const owner = before === undefined ? "" : `, escrowed before as ${inline(before.owner)}`;
      report.add({ file: path, ...sent }, [[outsidePath(path), `${sentText(sent)}${owner}`]]);
    });
  await withParty(
    requireAuthority(options),
    (party) => {
      parties.push(party);
      return withPrivateKeyFile(options.key, options, addAll(party));
    },
    options,
  );
  report.end();
  await asked;
}

async function attach(file: string, receiptPath: string, options: VerifyOptions): Promise<void> {
  const core = await sharedCore();
  checkInPlace(file);
  const { receipt } = await readMessage(receiptPath, "receipt");
  let reports: EscrowReport[] = [];
  await withGiven(options, async (party) => {
    await about(file, () =>
      amendFile(file, async (head) => {
        const escrows = await attachReceipt(core, head, receipt, party?.authority, party?.view);
        const now = { ...head, header: { ...head.header, escrows } };
        reports = await checkFile(core, now, party?.authority);
        return { escrows };
      }),
    ).catch((error) => {
      if (error instanceof TwinwrapError && error.code === "DUPLICATE") {
        error.message += ": give --authority";
      }
      throw error;
    });
    if (party === undefined) {
      warn(
        "the receipt belongs to the file, but was not shown to be your authority's: give --authority",
      );
    }
  });
  const { record } = receiptLeaf(receipt);
  const mine = reports.filter((one) => one.record && equalBytes(one.record, record));
  const isUnconfirmed = mine.some((one) => one.status === "unconfirmed");
  const status = isUnconfirmed ? "unconfirmed" : receiptStatus(receipt);
  tell(options, { file, status }, [[outsidePath(file), `receipt attached: ${status}`]]);
}

async function status(paths: string[], options: VerifyOptions): Promise<void> {
  const report = new Report(options);
  await withGiven(options, async (party) => {
    await forEachFile(paths, async (path) => {
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
  ).argument("<file...>", "sealed files");
  addAuthorityKeyOption(addKeyOptions(addCommand, "private key that opens the files"))
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
          "Puts a receipt that came into its file's header.",
          "twinwrap escrow attach report.pdf.twin report.receipt.json --authority authority.json",
        )
          .argument("<file>", "the sealed file")
          .argument("<receipt>", "the receipt"),
      ).action(attach),
    )
    .addCommand(
      withOptions(
        newCommand(
          "status",
          "Shows what sealed files hold for authorities.",
          "twinwrap escrow status *.twin",
        ).argument("<file...>", "sealed files"),
      ).action(status),
    )
    .addCommand(
      withOptions(
        newCommand(
          "scan",
          "Finds every sealed file below a folder that has no valid receipt.",
          "twinwrap escrow scan ~/documents --authority authority.json",
        ).argument("<dir>", "folder"),
      ).action(scan),
    );
}
