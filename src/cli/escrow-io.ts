import type { OperatorSettings } from "../authority/office.js";
import type { AuthorityService } from "../authority/service.js";
import { equalBytes, toHex } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import { sharedCore } from "../core/index.js";
import type { EscrowFacts, MakeEscrows } from "../envelope/index.js";
import { isAboutContent } from "../errors.js";
import {
  type Authority,
  checkReceipt,
  encodeSubmission,
  makeSubmission,
  messageName,
  type Receipt,
  receiptLeaf,
  recordHash,
  type Submission,
  withSubmission,
} from "../escrow/index.js";
import { type NewFile, readFileWhole, writeFilesWhole } from "../files.node.js";
import { type AuthorityKeyOptions, loadAuthority, unlock, withService } from "./authority-io.js";
import { UsageError } from "./command.js";
import { checkOutput, type ReadOptions } from "./io.js";
import { about } from "./report.js";
import { safe } from "./text.js";

// Sending session keys to authorities: straight into one whose folder is here, into a file for others.

/** An authority that is sent something. */
export interface Target {
  path: string;
  authority: Authority;
  /** Its folder is here, so it answers at once. */
  isDirectory: boolean;
}

/** Reads authorities; one that is given twice counts once. @throws UsageError if two have one origin */
export async function readTargets(paths: readonly string[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const path of paths) {
    const { authority, isDirectory } = await loadAuthority(path);
    const other = targets.find((target) => target.authority.origin === authority.origin);
    if (other === undefined) {
      targets.push({ path, authority, isDirectory });
    } else if (!equalBytes(other.authority.fingerprint, authority.fingerprint)) {
      throw new UsageError(
        `${other.path} and ${path} are two authorities that both call themselves ${authority.origin}: one of them is not the one you mean`,
      );
    }
  }
  return targets;
}

/** What an authority was sent for one file, and answered. */
export interface Sent {
  origin: string;
  /** In lower-case hexadecimal. */
  record: string;
  /** The owner's ID that it is escrowed under. */
  owner: string;
  status: "verified" | "unverified" | "pending";
  /** The submission's file, where nobody answered yet. */
  submission?: string;
}

/** Hands a submission in. @returns a receipt that verified */
export function handIn(
  { path, authority }: Target,
  submission: Submission,
  options: AuthorityKeyOptions & OperatorSettings,
): Promise<Receipt> {
  const work = async (service: AuthorityService) => {
    await unlock(service, path, options);
    const { receipt } = (await service.intake([submission]))[0]!;
    await checkReceipt(service.core, submission, receipt, authority);
    return receipt;
  };
  return withService(path, work, options);
}

/** Sends one file's session key to authorities. */
export class Escrower {
  readonly #targets: readonly Target[];
  readonly #options: AuthorityKeyOptions & ReadOptions & { force?: boolean };
  readonly #owner: string;
  #sent: { target: Target; submission: Submission; receipt: Receipt | undefined }[] = [];

  /** @param owner the owner's ID at each of them */
  constructor(
    targets: readonly Target[],
    owner: string,
    options: AuthorityKeyOptions & ReadOptions & { force?: boolean },
  ) {
    this.#targets = targets;
    this.#owner = owner;
    this.#options = options;
  }

  /** Checks, before any work is done, that the submissions' files can be written. */
  async check(inputs: readonly string[], output: string): Promise<void> {
    for (const target of this.#targets) {
      if (target.isDirectory) continue;
      await checkOutput(inputs, messageName(output, target.authority, "submission"), this.#options);
    }
  }

  /** For seal and rewrap. An authority that is here has answered before the file is there. */
  readonly make: MakeEscrows = async (facts: EscrowFacts, present) => {
    const core = await sharedCore();
    const { sessionKey, ...file } = facts;
    // A file that is sealed again asks again: then only the last counts.
    this.#sent = [];
    let escrows = [...present];
    for (const target of this.#targets) {
      const { authority } = target;
      const owner = this.#owner;
      const submission = await makeSubmission(core, { sessionKey, authority, owner, file });
      const receipt = target.isDirectory
        ? await about(target.path, () => handIn(target, submission, this.#options))
        : undefined;
      escrows = withSubmission(core, escrows, submission, receipt);
      this.#sent.push({ target, submission, receipt });
    }
    return escrows;
  };

  /** What has to be carried, beside the file that it is for. @param output the sealed file */
  async files(output: string): Promise<NewFile[]> {
    const files: NewFile[] = [];
    for (const { target, submission, receipt } of this.#sent) {
      if (receipt !== undefined) continue;
      const file = await submissionFile(output, target, submission, this.#options);
      if (file !== undefined) files.push(file);
    }
    return files;
  }

  /** What became of it, once {@link files} are written. @param output the sealed file */
  async facts(output: string): Promise<Sent[]> {
    const core = await sharedCore();
    return this.#sent.map(({ target, submission, receipt }) => ({
      origin: target.authority.origin,
      record: toHex(recordHash(core, submission.core)),
      owner: submission.core.owner,
      ...(receipt === undefined
        ? {
            status: "pending" as const,
            submission: messageName(output, target.authority, "submission"),
          }
        : { status: receiptStatus(receipt) }),
    }));
  }
}

export function receiptStatus(receipt: Receipt): "verified" | "unverified" {
  return receiptLeaf(receipt).type === "verified" ? "verified" : "unverified";
}

/** A submission's file beside the one that it is for, unless it is there. */
async function submissionFile(
  output: string,
  target: Target,
  submission: Submission,
  { force = false }: { force?: boolean },
): Promise<NewFile | undefined> {
  const path = messageName(output, target.authority, "submission");
  const bytes = encodeSubmission(submission);
  const present = await readFileWhole(path, bytes.length).catch((error) => {
    // Nothing there, or something longer.
    if (isAboutContent(error) || isSystemError(error, "ENOENT")) return undefined;
    throw error;
  });
  return present !== undefined && equalBytes(present, bytes)
    ? undefined
    : { path, content: [bytes], force };
}

/** Writes a submission beside the file that it is for, unless it is there. */
export async function writeSubmission(
  output: string,
  target: Target,
  submission: Submission,
  options: { force?: boolean },
): Promise<{ status: "pending"; submission: string }> {
  const file = await submissionFile(output, target, submission, options);
  if (file !== undefined) await writeFilesWhole([file]);
  return { status: "pending", submission: messageName(output, target.authority, "submission") };
}

/** For people: what became of the escrow, also where there is none. */
export function sentRows(sent: readonly Sent[]): [string, string][] {
  if (sent.length === 0) return [["escrow", "not escrowed: no authority was given"]];
  return sent.map(({ origin, status, submission }) => [
    "escrow",
    submission === undefined
      ? `${status} by ${safe(origin)}`
      : `pending: carry ${safe(submission)} to ${safe(origin)}`,
  ]);
}
