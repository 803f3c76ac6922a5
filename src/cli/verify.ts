import type { Command } from "commander";
import { equalBytes, toHex } from "../bytes.js";
import type { Party } from "../client/party.js";
import { sharedCore } from "../core/index.js";
import {
  checkFile,
  checkSubmission,
  type EscrowReport,
  isRecoverable,
  type Receipt,
  receiptLeaf,
  recordHash,
  statusText,
} from "../escrow/index.js";
import { seeReceipt } from "../escrow/reports.js";
import { noPolicyText } from "../escrow/words.js";
import { formatTime } from "../jcs.js";
import { outside, outsidePath } from "../text.js";
import { withGiven } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type PinOptions,
  pinOption,
} from "./authority-options.js";
import { collect, EXIT, jsonOption, newCommand, recursiveOption, wholeOption } from "./command.js";
import { areMany, forEachInput, tallyText } from "./inputs.js";
import { Report, STANDARD, tell } from "./io.js";
import { readMessage } from "./messages.js";
import { complain, worsen } from "./report.js";
import { isSealed, readSealed } from "./sealed.js";
import { formatFingerprint, inline } from "./text.js";

export interface VerifyOptions extends AuthorityOptions, PinOptions {
  receipt?: string[];
  recursive?: boolean;
  json?: boolean;
}

/** What a file holds for authorities: at least one report if an authority is given. */
export async function reportsOf(path: string, party?: Party): Promise<EscrowReport[]> {
  return checkFile(await sharedCore(), await readSealed(path), party?.authority, party?.view);
}

/** The same for a submission that was kept as a file, with the receipt that names its record. */
async function reportOfKept(
  path: string,
  receipts: readonly Receipt[],
  party?: Party,
): Promise<EscrowReport> {
  const core = await sharedCore();
  const { submission } = await readMessage(path, "submission");
  const record = recordHash(core, submission.record);
  const mine = receipts.find((receipt) => equalBytes(receiptLeaf(receipt).record, record));
  return checkSubmission(core, submission, mine ?? receipts[0], party?.authority, party?.view);
}

/** One report for machines. */
export function reportFacts(report: EscrowReport): Record<string, unknown> {
  return {
    status: report.status,
    authority: report.origin,
    shown: report.shown,
    record: report.record && toHex(report.record),
    owner: report.owner,
    time: report.time && formatTime(report.time),
    wrappedFor: report.wrapFor && toHex(report.wrapFor),
    log: report.checkpoint?.origin,
    leaf: report.index,
    logSize: report.checkpoint?.size,
    reason: report.reason,
  };
}

const NOT_ESCROWED = { status: "not escrowed", origin: "" } as EscrowReport;

/** A report where no authority was given: nothing shows whose the receipt is. */
function foundTexts(report: EscrowReport): string[] {
  const { status, wrapFor } = report;
  if (!["verified", "unverified", "unproven"].includes(status)) return [statusText(report)];
  return [
    "consistent, but not shown to be your authority (give --authority)",
    `says ${statusText(report)}`,
    `says the key is wrapped for ${toHex(wrapFor!)}`,
  ];
}

async function verify(paths: string[], options: VerifyOptions): Promise<void> {
  const report = new Report(options);
  let lacking = 0;
  const receipts: Receipt[] = [];
  for (const path of options.receipt ?? []) {
    receipts.push((await readMessage(path, "receipt")).receipt);
  }
  await withGiven(options, async (party) => {
    // Also those that no file asks for: they have to go with all others.
    for (const receipt of party === undefined ? [] : receipts) {
      await seeReceipt(party!.core, receipt, party!.authority, party!.view).catch(complain);
    }
    const settings = { ...options, take: isSealed };
    const tally = await forEachInput(paths, settings, async ({ path }) => {
      const isKept = receipts.length > 0 && path !== STANDARD && !(await isSealed(path));
      const reports = isKept
        ? [await reportOfKept(path, receipts, party)]
        : await reportsOf(path, party);
      const recoverable = isRecoverable(reports, party?.authority);
      if (!recoverable) lacking++;
      const all = reports.length === 0 ? [NOT_ESCROWED] : reports;
      const texts = all.flatMap((one) => (party === undefined ? foundTexts(one) : statusText(one)));
      const more = party && noPolicyText(party.authority);
      if (more !== undefined) texts.push(more);
      const fingerprint = party && toHex(party.authority.fingerprint);
      report.add(
        { file: path, recoverable, fingerprint, escrows: reports.map(reportFacts) },
        texts.map((text, i) => [i === 0 ? outsidePath(path) : "", outside(text)]),
      );
    });
    if (areMany(paths) && !options.json) {
      const text = `${tallyText(tally, "looked at")}, ${tally.done - lacking} recoverable`;
      tell(options, {}, [["in all", text]]);
    }
    if (party !== undefined && !options.json) {
      const { origin, fingerprint } = party.authority;
      tell(options, {}, [["authority", `${formatFingerprint(fingerprint)}  ${inline(origin)}`]]);
    }
  });
  report.end();
  if (lacking > 0) worsen(EXIT.notVerified);
}

export function command(): Command {
  return newCommand(
    "verify",
    "Tells whether an authority can give the session key of sealed files back, from its receipts in the files: without a key, without asking anybody.",
    "twinwrap verify report.pdf.twin --authority authority.json",
  )
    .argument(
      "<file...>",
      "sealed files, or folders with -r; with --receipt also submissions, as of blobs",
    )
    .addOption(recursiveOption("every sealed file"))
    .option("--receipt <file>", "what came for a submission that is no file's (repeat)", collect)
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(verify);
}
