import { type Command, InvalidArgumentError, Option } from "commander";
import {
  SESSION_ALGORITHMS,
  type SessionAlgorithm,
  sessionAlgorithmByName,
} from "../blob/index.js";
import { wipe } from "../bytes.js";
import { algorithmOf, generateSessionKey } from "../capi/index.js";
import { TwinwrapError } from "../errors.js";
import { type ExportOptions, exportTo, readTargets } from "./blob-export.js";
import {
  allowWeakOption,
  collect,
  jsonOption,
  newCommand,
  outputName,
  paddingOption,
  repeatable,
} from "./command.js";
import { warn } from "./io.js";

interface GenerateOptions extends ExportOptions {
  alg: SessionAlgorithm;
  to: string[];
  output: string[];
}

function parseAlgorithm(name: string): SessionAlgorithm {
  try {
    return sessionAlgorithmByName(name);
  } catch (error) {
    throw error instanceof TwinwrapError ? new InvalidArgumentError(error.message) : error;
  }
}

async function generate(options: GenerateOptions): Promise<void> {
  const { algId, shortName } = options.alg;
  const targets = await readTargets(options.to, options.output, [], options);
  const session = generateSessionKey(options.alg);
  try {
    await exportTo(targets, session, options);
  } finally {
    wipe(session.key);
  }
  if (algorithmOf(algId).flaws.length > 0) {
    warn(`${shortName} is outdated and weak: only for programs that take nothing better`);
  }
}

export function generateCommand(): Command {
  const names = SESSION_ALGORITHMS.map(({ shortName }) => shortName).join(", ");
  return newCommand(
    "generate",
    "Makes a new session key and wraps it for one or more public keys, a SIMPLEBLOB for each. The key itself is kept nowhere.",
    "twinwrap blob generate --alg aes-256 --to alice.pub.pem -o owner.simpleblob --to bob.pub.pem -o backup.simpleblob",
  )
    .addOption(
      new Option("--alg <name>", `the session key's algorithm: ${names}`)
        .argParser(parseAlgorithm)
        .makeOptionMandatory(),
    )
    .requiredOption(
      "--to <pub>",
      "public key to wrap it for, in any form (repeat for more)",
      collect,
    )
    .requiredOption(
      "-o, --output <file>",
      "the SIMPLEBLOB for each --to, in the same order, or - for standard output",
      repeatable((name: string, before?: string[]) => collect(outputName(name), before)),
    )
    .option("--force", "replace output files that exist")
    .addOption(
      paddingOption("--padding <padding>", "how the session key is padded (default: oaep)"),
    )
    .addOption(allowWeakOption())
    .addOption(jsonOption())
    .action(generate);
}
