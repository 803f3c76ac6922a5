import type { Command } from "commander";
import { initDirectory } from "../authority/directory.js";
import { majority } from "../authority/policies.js";
import { fingerprint } from "../keys/index.js";
import { outside } from "../text.js";
import {
  addOfficersOptions,
  type OfficersOptions,
  officersOf,
  warnOfWaiting,
} from "./authority-officers.js";
import { collect, jsonOption, newCommand, UsageError } from "./command.js";
import { tell } from "./io.js";
import { newPassphrase } from "./passphrase.js";
import { asUsage } from "./report.js";
import { addStoreOptions, type StoreOptions, storePlace } from "./store-options.js";
import { formatFingerprint } from "./text.js";

interface InitOptions extends OfficersOptions, StoreOptions {
  origin?: string;
  /** Of --accept-pkcs1-v1_5. */
  acceptPkcs1V1_5?: boolean;
  authorityPassphraseFile?: string;
  /** commander turns --no-passphrase into `passphrase: false`. */
  passphrase?: boolean;
  json?: boolean;
}

async function init(path: string, options: InitOptions): Promise<void> {
  const officers = await officersOf(options);
  const { quorum, origin, waiting } = options;
  if (quorum !== undefined && (quorum < 1 || quorum > officers.length)) {
    throw new UsageError(
      `--quorum ${quorum}: of ${officers.length} officers, 1 to ${officers.length} can be asked for`,
    );
  }
  const { authorityPassphraseFile: passphraseFile } = options;
  const passphrase = await newPassphrase(
    "the authority's key",
    { passphraseFile, passphrase: options.passphrase },
    "--authority-passphrase-file",
  );
  const store = await storePlace(options);
  // Names and numbers come from the command line.
  const authority = await asUsage(() =>
    initDirectory(path, {
      officers,
      quorum,
      origin,
      waiting,
      owners: options.owners,
      unproven: options.unproven,
      passphrase,
      pkcs1: options.acceptPkcs1V1_5,
      store,
    }),
  );
  warnOfWaiting(options);
  const key = formatFingerprint(await fingerprint(authority.wrapKey));
  const needed = quorum ?? majority(officers.length);
  const name = formatFingerprint(authority.fingerprint);
  const locked = passphrase !== undefined;
  const facts = {
    folder: path,
    origin: authority.origin,
    fingerprint: name,
    wrapKey: key,
    locked,
    quorum: needed,
    officers: officers.map(({ name }) => name),
  };
  tell(options, facts, [
    ["authority", outside(authority.origin)],
    ["fingerprint", `${name}  (compare this)`],
    ["wraps for", `${key}  ${locked ? "locked" : "not locked"}`],
    ["releases", `with ${needed} of ${officers.length} officers`],
    ["for everybody", `${path}/authority.json`],
    ["next", "each officer signs the policy: twinwrap authority policy sign -k OFFICER_KEY"],
  ]);
}

export function initCommand(): Command {
  const command = newCommand(
    "init",
    "Makes the folder of a new authority: its keys, its store, and authority.json for everybody.",
    "twinwrap authority init backup --officer ann=ann.pub.pem --officer bob=bob.pub.pem --officer cyd=cyd.pub.pem --quorum 2",
  )
    .argument("<dir>", "folder to make")
    .requiredOption("--officer <name=pub>", "an officer and their public keys (repeat)", collect);
  addOfficersOptions(command, {
    quorum: "a majority",
    waiting: "0",
    owners: "open",
    unproven: "refused",
  })
    .option("--origin <name>", "the authority's name, which never changes (default: random)")
    .option(
      "--accept-pkcs1-v1_5",
      "take and release keys padded as PKCS#1 v1.5 too, for programs that know no OAEP",
    )
    .option(
      "--authority-passphrase-file <file>",
      "lock the authority's key with the file's first line",
    )
    .option("--no-passphrase", "leave the authority's key unlocked");
  return addStoreOptions(command).addOption(jsonOption()).action(init);
}
