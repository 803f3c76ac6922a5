import type { Command } from "commander";
import { writeControlPublicKey } from "../escrow/index.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { makeControlKey } from "./control-key.js";
import { outputFor, print, STANDARD, tell } from "./io.js";
import { publicPath } from "./key-names.js";
import { checkPairOutput, privateText } from "./keygen.js";
import type { PassphraseOptions } from "./passphrase.js";
import { withControlKey } from "./signing-key-file.js";
import { table } from "./text.js";

interface OwnerOptions extends OutputOptions, PassphraseOptions {
  output: string;
  json?: boolean;
}

async function keygen(options: OwnerOptions): Promise<void> {
  const { output } = options;
  if (output === STANDARD) throw new UsageError("a control key is two files: give -o FILE");
  const writePublic = (from: string, to: string) => `twinwrap owner public ${from} -o ${to}`;
  await checkPairOutput(output, options, { writePublic });
  const { publicOutput, locked, signs } = await makeControlKey(output, options);
  tell(options, { privateKey: output, publicKey: publicOutput, locked, signs }, [
    ["private key", privateText(output, locked)],
    ["public key", publicOutput],
    ["signs with", `${signs}  Ed25519`],
    ["next", "give the public key to the authority, and keep the private one away from your files"],
  ]);
}

async function writePublic(
  path: string,
  options: OutputOptions & PassphraseOptions,
): Promise<void> {
  const { output = publicPath(path) } = options;
  const write = await outputFor([path], output, { ...options, output });
  await withControlKey(path, options, ({ publicKey }) => write([writeControlPublicKey(publicKey)]));
  if (output !== STANDARD) print(table([["public key", output]]));
}

function keygenCommand(): Command {
  const command = newCommand(
    "keygen",
    "Makes an owner's control key: Ed25519, which signs a veto against a request for the owner's records.",
    "twinwrap owner keygen -o control.pem\n  writes control.pem (mode 0600) and control.pub.pem, which the authority is told",
  );
  addOutputOptions(
    command,
    "the private key's file (default: control.pem)",
  ).setOptionValueWithSource("output", "control.pem", "default");
  return addPassphraseOptions(command, "leave the key unlocked")
    .addOption(jsonOption())
    .action(keygen);
}

function publicCommand(): Command {
  const command = newCommand(
    "public",
    "Writes a control key's public half again, from the private one.",
    "twinwrap owner public control.pem\n  writes control.pub.pem, which the authority is told",
  ).argument("<key>", "the private key's file");
  addOutputOptions(command, "the public key's file (default: beside the private one)");
  return addPassphraseOptions(command, "never ask for a passphrase").action(writePublic);
}

export function command(): Command {
  return newCommand(
    "owner",
    "Control keys of an authority's owners.",
    "twinwrap owner keygen -o control.pem",
  )
    .addCommand(keygenCommand())
    .addCommand(publicCommand());
}
