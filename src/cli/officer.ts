import type { Command } from "commander";
import { Ed25519Key, writeOfficerKeys, writeOfficerPublicKeys } from "../authority/ed25519.js";
import { wipe } from "../bytes.js";
import { writeFilesWhole } from "../files.node.js";
import { fingerprint, generateKeyPair, publicKeyOf, wipePrivateKey } from "../keys/index.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { print, printJson, STANDARD } from "./io.js";
import { checkKeyOutput, PRIVATE_MODE, publicPath } from "./keygen.js";
import { newPassphrase, type PassphraseOptions } from "./passphrase.js";
import { formatFingerprint, formatKey, table } from "./text.js";

const SHARE_BITS = 3072;

interface OfficerOptions extends OutputOptions, PassphraseOptions {
  output: string;
  json?: boolean;
}

async function keygen(options: OfficerOptions): Promise<void> {
  const { output, force = false } = options;
  if (output === STANDARD) throw new UsageError("an officer's keys are two files: give -o FILE");
  const publicOutput = publicPath(output);
  await checkKeyOutput(output, options);
  await checkKeyOutput(publicOutput, options);
  const passphrase = await newPassphrase(output, options);
  const key = Ed25519Key.generate();
  const { privateKey: shareKey } = await generateKeyPair({ bits: SHARE_BITS });
  const publicKeys = { publicKey: key.publicKey, shareKey: publicKeyOf(shareKey) };
  let pem: Uint8Array | undefined;
  let shares: string;
  try {
    // Whatever can fail comes before there is a key.
    shares = formatFingerprint(await fingerprint(publicKeys.shareKey));
    pem = await writeOfficerKeys({ key, shareKey }, { passphrase });
    await writeFilesWhole([
      { path: output, content: [pem], force, mode: PRIVATE_MODE },
      { path: publicOutput, content: [writeOfficerPublicKeys(publicKeys)], force },
    ]);
  } finally {
    wipe(pem);
    wipePrivateKey(shareKey);
  }
  const locked = passphrase !== undefined;
  const signs = formatKey(key.publicKey);
  if (options.json) {
    printJson({ privateKeys: output, publicKeys: publicOutput, locked, signs, shares });
    return;
  }
  print(
    table([
      ["private keys", `${output} (${locked ? "locked with the passphrase" : "not locked"})`],
      ["public keys", publicOutput],
      ["signs with", `${signs}  Ed25519`],
      ["shares for", `${shares}  RSA-${SHARE_BITS}`],
    ]),
  );
}

function keygenCommand(): Command {
  const command = newCommand(
    "keygen",
    "Makes an officer's keys: Ed25519, which signs approvals, and RSA, which receives shares of an authority's key.",
    "twinwrap officer keygen -o ann.pem\n  writes ann.pem (mode 0600) and ann.pub.pem, which the authority is told",
  );
  addOutputOptions(command, "the private keys' file").setOptionValueWithSource(
    "output",
    "officer.pem",
    "default",
  );
  return addPassphraseOptions(command, "leave the keys unlocked")
    .addOption(jsonOption())
    .action(keygen);
}

export function command(): Command {
  return newCommand(
    "officer",
    "Keys of an authority's officers.",
    "twinwrap officer keygen -o ann.pem",
  ).addCommand(keygenCommand());
}
