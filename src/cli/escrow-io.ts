import { equalBytes, toHex } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import { Escrower, receiptStatus, type Sent } from "../client/escrow.js";
import { isAboutContent } from "../errors.js";
import { encodeSubmission, messageName, type Submission } from "../escrow/index.js";
import { type NewFile, readFileWhole, writeFilesWhole } from "../files.node.js";
import { handInTo, isCarriedTo, type NamedParty } from "./authority-io.js";
import { UsageError } from "./command.js";
import { checkOutput, type ReadOptions, STANDARD } from "./io.js";
import type { SentFacts } from "./sent.js";
import { formatFingerprint } from "./text.js";

// Submissions as files. They are written where an authority can't be asked: people carry them there.

type Options = ReadOptions & { force?: boolean | undefined };

/** Sends one file's session key to authorities. Submissions that have to be carried go beside the file. */
export class FileEscrower extends Escrower<NamedParty> {
  readonly #parties: readonly NamedParty[];
  readonly #options: Options;

  /** @param owner the owner's ID at each authority */
  constructor(parties: readonly NamedParty[], owner: string, options: Options) {
    super(parties, owner, handInTo);
    this.#parties = parties;
    this.#options = options;
  }

  /** Checks, before any work is done, that the submissions' files can be written. @throws UsageError */
  async check(inputs: readonly string[], output: string): Promise<void> {
    for (const { authority } of this.#parties.filter(isCarriedTo)) {
      if (output === STANDARD) {
        throw new UsageError(
          "an authority.json needs -o FILE, to write the submission beside; --no-authority goes without",
        );
      }
      await checkOutput(inputs, messageName(output, authority, "submission"), this.#options);
    }
  }

  /** The submissions that have to be carried. @param output the sealed file, which they stand beside */
  async files(output: string): Promise<NewFile[]> {
    const files: NewFile[] = [];
    for (const { party, submission, receipt } of this.sent) {
      // The header keeps what is sent over the network later.
      if (receipt !== undefined || party.remote !== undefined) continue;
      const file = await submissionFile(output, party, submission, this.#options);
      if (file !== undefined) files.push(file);
    }
    return files;
  }

  /** What was sent and answered, once {@link files} are written. @param output the sealed file */
  facts(output: string): SentFacts[] {
    return this.sent.map((sent) => sentFacts(sent, output));
  }
}

/** @param output the file that was escrowed */
export function sentFacts(
  { party: { authority, remote }, record, submission, receipt }: Sent<NamedParty>,
  output: string,
): SentFacts {
  const facts = {
    origin: authority.origin,
    fingerprint: formatFingerprint(authority.fingerprint),
    record: toHex(record),
    owner: submission.record.owner,
  };
  if (receipt !== undefined) return { ...facts, status: receiptStatus(receipt) };
  if (remote !== undefined) return { ...facts, status: "pending" };
  return { ...facts, status: "pending", submission: messageName(output, authority, "submission") };
}

/** A submission's file beside the escrowed one; undefined if it is there already. */
async function submissionFile(
  output: string,
  { authority }: NamedParty,
  submission: Submission,
  { force = false }: { force?: boolean | undefined },
): Promise<NewFile | undefined> {
  const path = messageName(output, authority, "submission");
  const bytes = encodeSubmission(submission);
  const present = await readFileWhole(path, bytes.length).catch((error) => {
    // There is nothing, or something longer.
    if (isAboutContent(error) || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  });
  return present !== undefined && equalBytes(present, bytes)
    ? undefined
    : { path, content: [bytes], force };
}

/** Writes a submission beside the escrowed file, unless it is there already. */
export async function writeSubmission(
  output: string,
  party: NamedParty,
  submission: Submission,
  options: { force?: boolean | undefined },
): Promise<{ status: "pending"; submission: string }> {
  const file = await submissionFile(output, party, submission, options);
  if (file !== undefined) await writeFilesWhole([file]);
  return { status: "pending", submission: messageName(output, party.authority, "submission") };
}
