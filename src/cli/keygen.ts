import { type Command, InvalidArgumentError } from "commander";
import { equalBytes, toHex, wipe } from "../bytes.js";
import { present } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import { type NewFile, readFileWhole, writeFilesWhole } from "../files.node.js";
import {
  DEFAULT_BITS,
  fingerprint,
  generateKeyPair,
  type RsaPublicKey,
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
import { publicPath } from "./key-names.js";
import { newPassphrase, type PassphraseOptions } from "./passphrase.js";

/** The mode of a private key's file: only its owner can read it. */
export const PRIVATE_MODE = 0o600;

interface KeygenOptions extends OutputOptions, PassphraseOptions {
  output: string;
  bits: number;
  json?: boolean;
}

/** What to do where a key's file is there already. */
interface PairAdvice {
  /** The command that writes the public file from the private one: a run may have been interrupted between the two. */
  writePublic: (from: string, to: string) => string;
  /** How to go on with another file. */
  otherwise?: string | undefined;
}

/** Does not advise --force: a habit of typing it would destroy keys. */
const OTHERWISE = "give another name with -o (--force would destroy the key in it)";

async function checkKeyOutput(
  path: string,
  options: OutputOptions,
  { otherwise = OTHERWISE }: PairAdvice,
): Promise<void> {
  try {
    await checkOutput([], path, options);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "CONFLICT") {
      error.message = `${path} exists already: ${otherwise}`;
    }
    throw error;
  }
}

/** Checks that both files of a key pair can be written. */
export async function checkPairOutput(
  output: string,
  options: OutputOptions,
  advice: PairAdvice,
): Promise<void> {
  const publicOutput = publicPath(output);
  try {
    await checkKeyOutput(output, options, advice);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "CONFLICT" && !present(publicOutput)) {
      error.message += `; it stands alone, as after an interruption: \`${advice.writePublic(output, publicOutput)}\` writes its public half`;
    }
    throw error;
  }
  await checkKeyOutput(publicOutput, options, advice);
}

/** Checks that both files of a key pair for wraps can be written. @param output of the private one */
export async function checkKeyPairOutput(
  output: string,
  options: OutputOptions,
  otherwise?: string,
): Promise<void> {
  if (output === STANDARD) throw new UsageError("a key pair is two files: give it a file's name");
  const writePublic = (from: string, to: string) =>
    `twinwrap key convert ${from} --public --to pem -o ${to}`;
  await checkPairOutput(output, options, { writePublic, otherwise });
}

/** A key pair that was made and is not written yet. */
export interface MadeKeyPair {
  publicOutput: string;
  publicKey: RsaPublicKey;
  locked: boolean;
  /** Both files, the private key first. */
  files: NewFile[];
  /** Wipes the text of the private key. */
  wipe: () => void;
}

/** @param output of the private key @param passphrase locks it */
export async function makeKeyPair(
  output: string,
  passphrase: string | undefined,
  { bits = DEFAULT_BITS, force = false }: OutputOptions & { bits?: number },
): Promise<MadeKeyPair> {
  const publicOutput = publicPath(output);
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
  try {
    const pem = await writePrivateKey(privateKey, "pem", { passphrase });
    const files: NewFile[] = [
      {
        path: output,
        content: [pem],
        force,
        mode: PRIVATE_MODE,
        // Opening a locked key again would take some tenths of a second.
        check: passphrase === undefined ? isPair : undefined,
      },
      { path: publicOutput, content: [writePublicKey(publicKey, "pem")], force, check: isPair },
    ];
    const locked = passphrase !== undefined;
    return { publicOutput, publicKey, locked, files, wipe: () => wipe(pem) };
  } finally {
    wipePrivateKey(privateKey);
  }
}

/** A private key's file for people. */
export function privateText(path: string, locked: boolean): string {
  return `${path} (${locked ? "locked with the passphrase" : "not locked"})`;
}

async function keygen(options: KeygenOptions): Promise<void> {
  const { output, bits } = options;
  await checkKeyPairOutput(output, options);
  const made = await makeKeyPair(output, await newPassphrase(output, options), options);
  const { publicOutput, locked } = made;
  let name: string;
  try {
    // Everything that can fail comes before the files are written.
    name = toHex(await fingerprint(made.publicKey));
    await writeFilesWhole(made.files);
  } finally {
    made.wipe();
  }
  const facts = { privateKey: output, publicKey: publicOutput, locked, bits, fingerprint: name };
  tell(options, facts, [
    ["private key", privateText(output, locked)],
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
  addOutputOptions(command, "the private key's file (default: owner.pem)").setOptionValueWithSource(
    "output",
    "owner.pem",
    "default",
  );
  return addPassphraseOptions(command, "leave the key unlocked")
    .option("--bits <n>", "size of the modulus", parseBits, DEFAULT_BITS)
    .addOption(jsonOption())
    .action(keygen);
}
