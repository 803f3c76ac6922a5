import { type Command, InvalidArgumentError, Option } from "commander";
import {
  CALG_3DES,
  CALG_3DES_112,
  CALG_DES,
  CALG_RC2,
  CALG_RC4,
  SESSION_ALGORITHMS,
  type SessionAlgorithm,
  sessionAlgorithmByName,
} from "../blob/index.js";
import { randomBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { type ExportOptions, exportTo, readTargets } from "./blob-export.js";
import {
  allowWeakOption,
  collect,
  jsonOption,
  newCommand,
  outputName,
  paddingOption,
} from "./command.js";
import { warn } from "./io.js";

interface GenerateOptions extends ExportOptions {
  alg: SessionAlgorithm;
  to: string[];
  output: string[];
}

/** Algorithms that only old programs still need. */
const OUTDATED = [CALG_DES, CALG_3DES, CALG_3DES_112, CALG_RC2, CALG_RC4];
/** Algorithms whose keys carry a parity bit in every byte. */
const WITH_PARITY = [CALG_DES, CALG_3DES, CALG_3DES_112];

function parseAlgorithm(name: string): SessionAlgorithm {
  try {
    return sessionAlgorithmByName(name);
  } catch (error) {
    throw error instanceof TwinwrapError ? new InvalidArgumentError(error.message) : error;
  }
}

/** Makes the number of ones in every byte odd by its lowest bit (FIPS 46-3). */
export function setOddParity(key: Uint8Array): void {
  for (let i = 0; i < key.length; i++) {
    let ones = key[i]! >> 1;
    ones ^= ones >> 4;
    ones ^= ones >> 2;
    ones ^= ones >> 1;
    key[i] = (key[i]! & 0xfe) | (~ones & 1);
  }
}

async function generate(options: GenerateOptions): Promise<void> {
  const { algId, shortName, keyLength } = options.alg;
  const targets = await readTargets(options.to, options.output, [], options);
  const key = randomBytes(keyLength);
  try {
    if (WITH_PARITY.includes(algId)) setOddParity(key);
    await exportTo(targets, { aiKeyAlg: algId, key }, options);
  } finally {
    wipe(key);
  }
  if (OUTDATED.includes(algId)) {
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
      (name: string, before?: string[]) => collect(outputName(name), before),
    )
    .option("--force", "replace output files that exist")
    .addOption(
      paddingOption("--padding <padding>", "how the session key is padded (default: oaep)"),
    )
    .addOption(allowWeakOption())
    .addOption(jsonOption())
    .action(generate);
}
