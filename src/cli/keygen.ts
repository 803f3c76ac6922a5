import { type Command, InvalidArgumentError } from "commander";
import { equalBytes, toHex, wipe } from "../bytes.js";
import { present } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import { readFileWhole, writeFilesWhole } from "../files.node.js";
import {
  DEFAULT_BITS,
  fingerprint,
  generateKeyPair,
  readPublicKey,
  wipePrivateKey,
  writePrivateKey,
  writePublicKey,
} from "../keys/index.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { checkOutput, STANDARD, tell } from "./io.js";
import { newPassphrase, type PassphraseOptions } from "./passphrase.js";

/** The mode of a private key's file: only its owner can read it. */
export const PRIVATE_MODE = 0o600;

interface KeygenOptions extends OutputOptions, PassphraseOptions {
  output: string;
  bits: number;
  json?: boolean;
}

/** Where the public half goes: owner.pem → owner.pub.pem. */
export function publicPath(path: string): string {
  return `${path.replace(/\.pem$/, "")}.pub.pem`;
}

/** Does not advise --force: a habit of typing it would destroy keys. */
async function checkKeyOutput(path: string, options: OutputOptions): Promise<void> {
  try {
    await checkOutput([], path, options);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "CONFLICT") {
      error.message = `${path} exists already: give another name with -o (--force would destroy the key in it)`;
    }
    throw error;
  }
}

/**
 * Checks that both files of a key pair can be written.
 * @param writePublic the command that writes the public file from the private one, for advice where a run was
 *   interrupted between the two
 */
export async function checkPairOutput(
  output: string,
  options: OutputOptions,
  writePublic: (from: string, to: string) => string,
): Promise<void> {
  const publicOutput = publicPath(output);
  try {
    await checkKeyOutput(output, options);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "CONFLICT" && !present(publicOutput)) {
      error.message += `; it stands alone, as after an interruption: \`${writePublic(output, publicOutput)}\` writes its public half`;
    }
    throw error;
  }
  await checkKeyOutput(publicOutput, options);
}

async function keygen(options: KeygenOptions): Promise<void> {
  const { output, bits, force = false } = options;
  if (output === STANDARD) throw new UsageError("a key pair is two files: give -o FILE");
  const publicOutput = publicPath(output);
  await checkPairOutput(
    output,
    options,
    (from, to) => `twinwrap key convert ${from} --public --to pem -o ${to}`,
  );
  const passphrase = await newPassphrase(output, options);
  const { publicKey, privateKey } = await generateKeyPair({ bits });
  const isPair = async (path: string) => {
    const bytes = await readFileWhole(path, 1 << 16);
    try {
      if (equalBytes(readPublicKey(bytes).n, publicKey.n)) return;
    } finally {
      wipe(bytes);
    }
    throw new TwinwrapError("FAULT", "what was written is not the key that was made");
  };
  let pem: Uint8Array | undefined;
  let name: string;
  try {
    // Everything that can fail comes before the files are written.
    name = toHex(await fingerprint(publicKey));
    pem = await writePrivateKey(privateKey, "pem", { passphrase });
    await writeFilesWhole([
      {
        path: output,
        content: [pem],
        force,
        mode: PRIVATE_MODE,
        // Opening a locked key again would take some tenths of a second.
        check: passphrase === undefined ? isPair : undefined,
      },
      { path: publicOutput, content: [writePublicKey(publicKey, "pem")], force, check: isPair },
    ]);
  } finally {
    wipe(pem);
    wipePrivateKey(privateKey);
  }
  const locked = passphrase !== undefined;
  const facts = { privateKey: output, publicKey: publicOutput, locked, bits, fingerprint: name };
  tell(options, facts, [
    ["private key", `${output} (${locked ? "locked with the passphrase" : "not locked"})`],
    ["public key", publicOutput],
    ["fingerprint", name],
  ]);
}

/** CryptoAPI blobs hold whole bytes. */
function parseBits(text: string): number {
  const bits = integerBetween(2048, 16384)(text);
  if (bits % 8 !== 0) throw new InvalidArgumentError("expected a multiple of 8");
  return bits;
}

export function command(): Command {
  const command = newCommand(
    "keygen",
    "Makes an RSA key pair: the private key, locked with a passphrase, and beside it the public key.",
    "twinwrap keygen -o alice.pem\n  writes alice.pem (mode 0600) and alice.pub.pem",
  );
  addOutputOptions(command, "the private key's file").setOptionValueWithSource(
    "output",
    "owner.pem",
    "default",
  );
  return addPassphraseOptions(command, "leave the key unlocked")
    .option("--bits <n>", "size of the modulus", parseBits, DEFAULT_BITS)
    .addOption(jsonOption())
    .action(keygen);
}
