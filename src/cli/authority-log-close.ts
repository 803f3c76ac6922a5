import type { Command } from "commander";
import type { AuthorityService } from "../authority/service.js";
import { toUtf8 } from "../bytes.js";
import { type Closing, closingRows, closingState, readClosing } from "../client/closing.js";
import { officerWithKey } from "../client/officer.js";
import { sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { addSignature, type Signer } from "../escrow/index.js";
import { knownWithFiles } from "./authority-checkpoints.js";
import { loadAuthority, withService } from "./authority-io.js";
import { type AuthorityOptions, authorityOption, requireAuthority } from "./authority-options.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { outputFor, print, tell } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { withOfficerKey } from "./signing-key-file.js";
import { formatFingerprint, table } from "./text.js";

// A log ends when the officers say where. Each runs this beside the authority's folder, or signs a file.

interface CloseOptions extends AuthorityOptions, OutputOptions, PassphraseOptions {
  key?: string;
  wereInForce?: boolean;
  yes?: boolean;
  json?: boolean;
}

interface SignOptions extends CloseOptions {
  key: string;
}

/** Only one thing is refused here, and it takes an option of its own. */
function withAdvice(error: unknown): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "REFUSED") return error;
  const advice = "if you know that it was, --were-in-force says so";
  return new TwinwrapError("REFUSED", `${error.message}; ${advice}`);
}

function factsOf({ identity, ended, signatures, takenBack }: Closing) {
  const point = ({ size, root }: Closing["ended"]["kept"]) => ({
    size,
    root: formatFingerprint(root),
  });
  return {
    identity: formatFingerprint(identity.hash),
    log: ended.name,
    kept: point(ended.kept),
    end: point(ended.end),
    takenBack: takenBack?.map(({ kind, number }) => `${kind} ${number}`),
    nextLog: identity.log.name,
    signedBy: signatures.officers,
    needed: signatures.needed,
    complete: signatures.complete,
  };
}

/** Shows what is to be signed, and asks. @returns the officer's signer */
function shownTo(closing: Closing, options: SignOptions): Promise<Signer> {
  return withOfficerKey(options.key, options, async (key) => {
    const officer = officerWithKey(closing.policy, key.publicKey);
    if (!options.json) print(table(closingRows(closing)), options.output);
    if (!options.yes) {
      await confirm(`End ${closing.ended.name} for good, as ${officer.name}?`);
    }
    return key.signer(officer.name);
  });
}

async function close(paths: string[], options: CloseOptions): Promise<void> {
  const { key, output } = options;
  if (key === undefined && output === undefined) {
    throw new UsageError("give -k KEY to sign, or -o FILE for officers who sign elsewhere");
  }
  await withService(requireAuthority(options), async (service) => {
    const { core } = service;
    const { checkpoints, files } = await knownWithFiles(paths, service.authority);
    const begun = await service
      .beginClosing(checkpoints, { files, wereInForce: options.wereInForce })
      .catch((error) => {
        throw withAdvice(error);
      });
    const { authority, note, takenBack } = begun;
    const draft = { ...(await readClosing(core, authority, note)), takenBack };
    if (output !== undefined) {
      const write = await outputFor(paths, output, options);
      await write([toUtf8(draft.note)]);
    }
    if (key === undefined) {
      tell(options, factsOf(draft), closingRows(draft));
      return;
    }
    const signer = await shownTo(draft, { ...options, key });
    await takeSigned(service, draft, await addSignature(core, draft.note, signer), options);
  });
}

/** Hands in signatures, and tells what they make. */
async function takeSigned(
  service: AuthorityService,
  draft: Closing,
  note: string,
  options: CloseOptions,
): Promise<void> {
  const signatures = await service.takeClosing(note);
  const facts = factsOf({ ...draft, signatures });
  tell(options, facts, [["state", closingState(signatures)]]);
}

async function sign(path: string, options: SignOptions): Promise<void> {
  const { output } = options;
  if (output === undefined) throw new UsageError("give -o FILE for the signed identity");
  const authority = requireAuthority(options);
  const write = await outputFor([path, authority], output, options);
  const { note } = await readMessage(path, "identity");
  const core = await sharedCore();
  const closing = await readClosing(core, await loadAuthority(authority), note);
  const signer = await shownTo(closing, options);
  await write([toUtf8(await addSignature(core, note, signer))]);
}

export function closeCommand(): Command {
  const command = newCommand(
    "close",
    "Ends the log where its store ends, and begins another: after a loss, or to replace the log key. The log stops at once; it ends when enough officers have signed.",
    "twinwrap authority log close newest.receipt.json authority.json -k ann.pem",
  )
    .argument(
      "[known...]",
      "receipts, releases, sealed files or checkpoints kept elsewhere; an authority.json with policies that the store lost",
    )
    .option("-k, --key <file>", "the officer's keys")
    .option(
      "--were-in-force",
      "you know that the policies in authority.json that had to wait were in force; nothing else can show it",
    );
  addOutputOptions(command, "also write what is to be signed there");
  return addPassphraseOptions(command, "never ask for a passphrase")
    .option("--yes", "sign without asking")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(close);
}

export function signCommand(): Command {
  const command = newCommand(
    "sign",
    "Signs the end of a log as an officer, elsewhere: from a file into a file.",
    "twinwrap authority log sign closing.note -k bob.pem -o closing.bob.note --authority authority.json",
  )
    .argument("<file>", "what `authority log close -o` wrote")
    .requiredOption("-k, --key <file>", "the officer's keys");
  addOutputOptions(command, "where the signed identity goes");
  return addPassphraseOptions(command, "never ask for a passphrase")
    .option("--yes", "sign without asking")
    .addOption(authorityOption())
    .action(sign);
}
