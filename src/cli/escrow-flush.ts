import type { Command } from "commander";
import { toHex } from "../bytes.js";
import { isFolder, isSystemError } from "../calls.node.js";
import { handIn, receiptStatus } from "../client/escrow.js";
import { Unreachable } from "../client/unreachable.js";
import { isAboutContent } from "../errors.js";
import {
  checkReceipt,
  encodeReceipt,
  isProven,
  recordHash,
  type Submission,
} from "../escrow/index.js";
import { writeFileWhole } from "../files.node.js";
import { outsidePath } from "../text.js";
import { clientOf, type NamedParty, withParty } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type PinOptions,
  pinOption,
  requireAuthority,
} from "./authority-options.js";
import { jsonOption, newCommand } from "./command.js";
import { sendAgain } from "./escrow-send.js";
import { filesBelow } from "./files-below.js";
import { Report } from "./io.js";
import { readMessage } from "./messages.js";
import { about, complain } from "./report.js";
import { isSealed } from "./sealed.js";
import { sentText } from "./sent.js";
import { formatFingerprint } from "./text.js";

// Sends what an authority has not got yet: headers of sealed files, and the submissions of blobs, are the outbox.

interface FlushOptions extends AuthorityOptions, PinOptions {
  json?: boolean;
}

/** How a kept submission is named, and its receipt beside it. */
const SUBMISSION = /\.submission\.json$/;

/** The receipt that is kept beside a submission; undefined if there is none that is right. */
async function keptReceipt(party: NamedParty, path: string, submission: Submission) {
  try {
    const { receipt } = await readMessage(path, "receipt");
    const { worth } = await checkReceipt(party.core, submission, receipt, party.authority);
    return worth === "full" ? receipt : undefined;
  } catch (error) {
    if (isAboutContent(error) || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function flushSubmission(path: string, party: NamedParty) {
  const { submission } = await readMessage(path, "submission");
  const { origin, fingerprint } = party.authority;
  if (submission.record.authority !== origin) return undefined;
  const beside = path.replace(SUBMISSION, ".receipt.json");
  if ((await keptReceipt(party, beside, submission)) !== undefined) return undefined;
  const receipt = (await handIn(party, submission))!;
  await writeFileWhole(beside, [encodeReceipt(receipt)], { force: true });
  return {
    origin,
    fingerprint: formatFingerprint(fingerprint),
    record: toHex(recordHash(party.core, submission.record)),
    owner: submission.record.owner,
    status: isProven(submission.record) ? receiptStatus(receipt) : ("unproven" as const),
  };
}

async function flush(paths: string[], options: FlushOptions): Promise<void> {
  const report = new Report(options);
  const send = async (path: string, party: NamedParty) => {
    const sent = (await isSealed(path))
      ? await sendAgain(path, party, {})
      : SUBMISSION.test(path)
        ? await flushSubmission(path, party)
        : undefined;
    if (sent !== undefined)
      report.add({ file: path, ...sent }, [[outsidePath(path), sentText(sent)]]);
  };
  const work = async (party: NamedParty) => {
    clientOf(party);
    for (const path of paths) {
      for await (const file of isFolder(path) ? filesBelow(path) : [path]) {
        await about(file, () => send(file, party)).catch((error) => {
          // What can't be reached for one file can't be reached for the next.
          if (error instanceof Unreachable) throw error;
          complain(error);
        });
      }
    }
  };
  try {
    await withParty(requireAuthority(options), work, { fingerprint: options.fingerprint });
  } finally {
    report.end();
  }
}

export function flushCommand(): Command {
  return newCommand(
    "flush",
    "Sends what is pending: of sealed files, and of submissions that were kept. Looks into folders too.",
    "twinwrap escrow flush ~/documents --authority acme.authority",
  )
    .argument("<path...>", "sealed files, submissions, or folders")
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .action(flush);
}
