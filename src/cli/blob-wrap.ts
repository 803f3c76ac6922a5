import type { Command } from "commander";
import {
  algorithmName,
  decodePlaintextKeyBlob,
  encodePlaintextKeyBlob,
  type PlaintextKeyBlob,
} from "../blob/index.js";
import { wipe } from "../bytes.js";
import { importSimpleBlob } from "../capi/index.js";
import type { Padding } from "../envelope/index.js";
import { checkPublicKey } from "../keys/index.js";
import { type ExportOptions, exportTo, readTargets, sessionKeyText } from "./blob-export.js";
import {
  addKeyOptions,
  allowWeakOption,
  jsonOption,
  type KeyOptions,
  newCommand,
  outputName,
  paddingOption,
} from "./command.js";
import { outputFor, outputText, readBlobFile, tell } from "./io.js";
import { withPrivateKeyFile } from "./key-files.js";
import { PRIVATE_MODE } from "./keygen.js";
import { about } from "./report.js";

interface WrapOptions extends ExportOptions {
  to: string;
  output: string;
}

async function wrap(input: string, options: WrapOptions): Promise<void> {
  const targets = await readTargets([options.to], [options.output], [input], options);
  const { bytes } = await readBlobFile(input);
  let session: PlaintextKeyBlob | undefined;
  try {
    session = await about(input, async () => decodePlaintextKeyBlob(bytes));
    await exportTo(targets, session, options);
  } finally {
    wipe(bytes, session?.key);
  }
}

interface UnwrapOptions extends KeyOptions {
  padding: Padding;
  output: string;
  force?: boolean;
  json?: boolean;
}

/** Opens a SIMPLEBLOB with the key of `-k`. The caller wipes the session key. */
async function openBlob(
  input: string,
  options: KeyOptions & { padding: Padding },
): Promise<PlaintextKeyBlob> {
  const { allowWeak = false } = options;
  // Programs use a key with exponent one to keep session keys in the clear. It is weak: --allow-weak opens those.
  return withPrivateKeyFile(options.key, { ...options, allowExponentOne: true }, async (key) => {
    const check = { allowWeak, allowExponentOne: true };
    await about(options.key, async () => checkPublicKey(key, check));
    const { bytes } = await readBlobFile(input);
    return about(input, () => importSimpleBlob(bytes, key, options.padding));
  });
}

async function unwrap(input: string, options: UnwrapOptions): Promise<void> {
  const { output } = options;
  const write = await outputFor([input], output, options);
  const session = await openBlob(input, options);
  let blob: Uint8Array | undefined;
  try {
    const { aiKeyAlg, key } = session;
    blob = encodePlaintextKeyBlob(session);
    await write([blob], PRIVATE_MODE);
    const facts = { file: output, algorithm: algorithmName(aiKeyAlg), keyLength: key.length };
    const rows = [
      ["session key", sessionKeyText(aiKeyAlg, key)],
      ["in the clear", outputText(output)],
    ];
    tell(options, facts, rows, output);
  } finally {
    wipe(session.key, blob);
  }
}

interface RewrapOptions extends UnwrapOptions {
  to: string;
  toPadding?: Padding;
}

async function rewrap(input: string, options: RewrapOptions): Promise<void> {
  const targets = await readTargets([options.to], [options.output], [input], options);
  const session = await openBlob(input, options);
  try {
    await exportTo(targets, session, { ...options, padding: options.toPadding });
  } finally {
    wipe(session.key);
  }
}

function addBlobOutput(command: Command, description: string): Command {
  return command
    .requiredOption("-o, --output <file>", `${description}, or - for standard output`, outputName)
    .option("--force", "replace the output file if it exists");
}

function addRecipient(command: Command): Command {
  return command.requiredOption("--to <pub>", "public key to wrap it for, in any form");
}

/** The padding has to be given: a blob does not say it, and trying both would hide a mistake. */
function presentPadding() {
  return paddingOption("--padding <padding>", "how the blob was padded").makeOptionMandatory();
}

export function wrapCommand(): Command {
  const command = newCommand(
    "wrap",
    "Wraps the session key of a PLAINTEXTKEYBLOB for a public key, as a SIMPLEBLOB.",
    "twinwrap blob wrap --to alice.pub.pem key.plaintextkeyblob -o alice.simpleblob",
  ).argument("<in>", "PLAINTEXTKEYBLOB, or - for standard input");
  return addBlobOutput(addRecipient(command), "the SIMPLEBLOB")
    .addOption(
      paddingOption("--padding <padding>", "how the session key is padded (default: oaep)"),
    )
    .addOption(allowWeakOption())
    .addOption(jsonOption())
    .action(wrap);
}

export function unwrapCommand(): Command {
  const command = newCommand(
    "unwrap",
    "Opens a SIMPLEBLOB with a private key and writes the session key in the clear, as a PLAINTEXTKEYBLOB (mode 0600).",
    "twinwrap blob unwrap -k alice.pem --padding oaep alice.simpleblob -o key.plaintextkeyblob",
  ).argument("<in>", "SIMPLEBLOB, or - for standard input");
  return addBlobOutput(addKeyOptions(command), "the PLAINTEXTKEYBLOB")
    .addOption(presentPadding())
    .addOption(jsonOption())
    .action(unwrap);
}

export function rewrapCommand(): Command {
  const command = newCommand(
    "rewrap",
    "Opens a SIMPLEBLOB with a private key and wraps its session key for another public key.",
    "twinwrap blob rewrap -k bob.pem --padding oaep --to carol.pub.pem backup.simpleblob -o again.simpleblob",
  ).argument("<in>", "SIMPLEBLOB, or - for standard input");
  return addBlobOutput(addRecipient(addKeyOptions(command)), "the new SIMPLEBLOB")
    .addOption(presentPadding())
    .addOption(paddingOption("--to-padding <padding>", "how the new one is padded (default: oaep)"))
    .addOption(jsonOption())
    .action(rewrap);
}
