import type { Command } from "commander";
import type { LogState } from "../authority/audit.js";
import type { AuthorityService } from "../authority/service.js";
import { toUtf8 } from "../bytes.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import { safe } from "../text.js";
import { knownIn } from "./authority-checkpoints.js";
import { withService } from "./authority-io.js";
import { closeCommand, signCommand } from "./authority-log-close.js";
import {
  type AuthorityOptions,
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import { addOutputOptions, jsonOption, newCommand, type OutputOptions } from "./command.js";
import { outputFor, print, STANDARD, tell } from "./io.js";
import { formatFingerprint, table } from "./text.js";

/** Verifies the log. @throws TwinwrapError NOT_VERIFIED, whatever is wrong with the log */
async function verified(service: AuthorityService, known: string[] = []): Promise<LogState> {
  try {
    return await service.verifyLog({ known });
  } catch (error) {
    // FAULT: somebody has altered the store.
    const isOfLog =
      isAboutContent(error) || (error instanceof TwinwrapError && error.code === "FAULT");
    throw isOfLog ? notVerified(error.message) : error;
  }
}

async function verify(
  paths: string[],
  options: ReadingOptions & { database?: boolean; json?: boolean },
): Promise<void> {
  const work = async (service: AuthorityService) => {
    const known = await knownIn(paths, service.authority);
    const { size, root, checkpoints, unknown } = await verified(service, known);
    const database = options.database ? await databaseState(service) : undefined;
    const shown = formatFingerprint(root);
    const facts = { size, root: shown, checkpoints, known: known.length, unknown, database };
    tell(options, facts, [
      ["log", `verified: ${size} entries, ${checkpoints} checkpoints`],
      ["root", facts.root],
      ...(known.length > 0 ? [["known outside", `${known.length}, all of this log`]] : []),
      ...Object.entries(unknown).map(([type, count]) => [
        "not known here",
        `${count} of type ${type}: a newer version wrote them`,
      ]),
      ...(database === undefined ? [] : [["database", database]]),
    ]);
  };
  await withService(requireAuthority(options), work, { readOnly: options.readOnly });
}

/** @throws TwinwrapError FAULT if its own check finds something */
async function databaseState(service: AuthorityService): Promise<string> {
  const wrong = await service.checkStore();
  if (wrong === undefined)
    return "not checked: its administrator has to make the extension amcheck";
  if (wrong.length === 0) return "its own check found nothing wrong";
  const more = wrong.length > 1 ? `, and ${wrong.length - 1} more` : "";
  throw new TwinwrapError(
    "FAULT",
    `the log verifies, but the database says: ${safe(wrong[0]!)}${more}: go on from the newest backup`,
  );
}

async function checkpoint(options: AuthorityOptions & OutputOptions): Promise<void> {
  const { output = STANDARD } = options;
  await withService(requireAuthority(options), async (service) => {
    // A restored log may lack entries that are known outside: its checkpoint proves nothing.
    await service.requireUnfenced();
    const note = await service.checkpoint();
    if (note === undefined) throw new TwinwrapError("NOT_FOUND", "the log is empty");
    const write = await outputFor([], output, { ...options, output });
    await write([toUtf8(note)]);
  });
}

async function unfence(
  paths: string[],
  options: AuthorityOptions & { nothingNewer?: boolean },
): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    await verified(service);
    const known = await knownIn(paths, service.authority);
    await service.unfence(known, { nothingNewer: options.nothingNewer }).catch((error) => {
      throw withAdvice(error);
    });
    print(table([["log", "holds all that is known outside, and may grow again"]]));
  });
}

/** This is the command that a fenced log needs: what it lacks is an option of its own. */
function withAdvice(error: unknown): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "FENCED") return error;
  const advice = "if you know that there are none, --nothing-newer says so";
  return new TwinwrapError("REFUSED", `${error.message}; ${advice}`);
}

export function logCommand(): Command {
  const checkpointCommand = newCommand(
    "checkpoint",
    "Writes the newest signed checkpoint (C2SP), to be kept elsewhere.",
    "twinwrap authority log checkpoint -o checkpoint.note",
  );
  return newCommand("log", "The authority's log.", "twinwrap authority log verify")
    .addCommand(
      newCommand(
        "verify",
        "Builds the log again from its entries and compares it with everything that was signed, stored, or is known outside.",
        "twinwrap authority log verify receipt.json report.pdf.twin",
      )
        .argument("[known...]", "receipts, releases, sealed files or checkpoints kept elsewhere")
        .addOption(authorityOption())
        .option("--database", "also have the database check all its pages and indexes")
        .addOption(readOnlyOption())
        .addOption(jsonOption())
        .action(verify),
    )
    .addCommand(
      addOutputOptions(checkpointCommand, "where it goes (default: standard output)")
        .addOption(authorityOption())
        .action(checkpoint),
    )
    .addCommand(
      newCommand(
        "unfence",
        "Lets a log grow again that stopped, if it holds everything that was ever given out. Otherwise `authority log close` ends it.",
        "twinwrap authority log unfence newest.receipt.json --nothing-newer",
      )
        .argument("[known...]", "receipts, releases, sealed files or checkpoints kept elsewhere")
        .option(
          "--nothing-newer",
          "you know that nothing newer was given out than what the store holds; nothing else can show it",
        )
        .addOption(authorityOption())
        .action(unfence),
    )
    .addCommand(closeCommand())
    .addCommand(signCommand());
}
