import type { Command } from "commander";
import { wipe } from "../bytes.js";
import { readOfficerKey, readOfficerShareKey, writeOfficerPublicKeys } from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import { fingerprint, publicKeyOf, wipePrivateKey } from "../keys/index.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
} from "./command.js";
import { outputFor, print, readSmall, STANDARD, tell } from "./io.js";
import { publicPath } from "./key-names.js";
import { privateText } from "./keygen.js";
import { checkOfficerOutput, makeOfficerKeys, SHARE_BITS } from "./officer-keys.js";
import { newPassphrase, type PassphraseOptions, passphraseFor } from "./passphrase.js";
import { about } from "./report.js";
import { formatFingerprint, formatKey, table } from "./text.js";

interface OfficerOptions extends OutputOptions, PassphraseOptions {
  output: string;
  json?: boolean;
}

async function keygen(options: OfficerOptions): Promise<void> {
  const { output } = options;
  await checkOfficerOutput(output, options);
  const passphrase = await newPassphrase(output, options);
  const made = await makeOfficerKeys(output, passphrase, options);
  const { publicOutput, publicKeys } = made;
  let shares: string;
  try {
    // Everything that can fail comes before the files are written.
    shares = formatFingerprint(await fingerprint(publicKeys.shareKey));
    await writeFilesWhole(made.files);
  } finally {
    made.wipe();
  }
  const locked = passphrase !== undefined;
  const signs = formatKey(publicKeys.publicKey);
  tell(options, { privateKeys: output, publicKeys: publicOutput, locked, signs, shares }, [
    ["private keys", privateText(output, locked)],
    ["public keys", publicOutput],
    ["signs with", `${signs}  Ed25519`],
    ["shares for", `${shares}  RSA-${SHARE_BITS}`],
  ]);
}

/** Writes an officer's public keys, from the private ones. */
async function writePublic(
  path: string,
  options: OutputOptions & PassphraseOptions,
): Promise<void> {
  const { output = publicPath(path) } = options;
  const write = await outputFor([path], output, { ...options, output });
  let asked: Promise<string> | undefined;
  const ask = passphraseFor(path, options);
  const once = () => {
    asked ??= ask(); // for both keys
    return asked;
  };
  const unlocking = { passphrase: once, allowEmptyPassphrase: true };
  const bytes = await readSmall(path);
  try {
    const pem = await about(path, async () => {
      const { publicKey } = await readOfficerKey(bytes, unlocking);
      const shareKey = await readOfficerShareKey(bytes, unlocking);
      try {
        return writeOfficerPublicKeys({ publicKey, shareKey: publicKeyOf(shareKey) });
      } finally {
        wipePrivateKey(shareKey);
      }
    });
    await write([pem]);
  } finally {
    wipe(bytes);
  }
  if (output !== STANDARD) print(table([["public keys", output]]));
}

function publicCommand(): Command {
  const command = newCommand(
    "public",
    "Writes an officer's public keys again, from the private ones.",
    "twinwrap officer public ann.pem\n  writes ann.pub.pem, which the authority is told",
  ).argument("<keys>", "the private keys' file");
  addOutputOptions(command, "the public keys' file (default: beside the private ones)");
  return addPassphraseOptions(command, "never ask for a passphrase").action(writePublic);
}

function keygenCommand(): Command {
  const command = newCommand(
    "keygen",
    "Makes an officer's keys: Ed25519, which signs approvals, and RSA, which receives shares of an authority's key.",
    "twinwrap officer keygen -o ann.pem\n  writes ann.pem (mode 0600) and ann.pub.pem, which the authority is told",
  );
  addOutputOptions(
    command,
    "the private keys' file (default: officer.pem)",
  ).setOptionValueWithSource("output", "officer.pem", "default");
  return addPassphraseOptions(command, "leave the keys unlocked")
    .addOption(jsonOption())
    .action(keygen);
}

export function command(): Command {
  return newCommand(
    "officer",
    "Keys of an authority's officers.",
    "twinwrap officer keygen -o ann.pem",
  )
    .addCommand(keygenCommand())
    .addCommand(publicCommand());
}
