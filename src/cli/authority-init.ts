import { type Command, InvalidArgumentError } from "commander";
import { initDirectory } from "../authority/directory.js";
import { readOfficerPublicKeys } from "../authority/ed25519.js";
import type { NewOfficer } from "../authority/policies.js";
import { TwinwrapError } from "../errors.js";
import { fingerprint } from "../keys/index.js";
import { collect, integerBetween, jsonOption, newCommand, UsageError } from "./command.js";
import { print, printJson, readSmall } from "./io.js";
import { newPassphrase } from "./passphrase.js";
import { about } from "./report.js";
import { formatFingerprint, safe, table } from "./text.js";

interface InitOptions {
  officer: string[];
  quorum?: number;
  origin?: string;
  waiting?: number;
  self?: string[];
  authorityPassphraseFile?: string;
  /** commander turns --no-passphrase into `passphrase: false`. */
  passphrase?: boolean;
  json?: boolean;
}

/** NAME=VALUE. */
function pair(flag: string, text: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) {
    throw new UsageError(`${flag} takes NAME=${flag === "--officer" ? "PUB" : "OWNER-ID"}`);
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

async function officersOf(options: InitOptions): Promise<NewOfficer[]> {
  const self = (options.self ?? []).map((text) => pair("--self", text));
  const officers: NewOfficer[] = [];
  for (const text of options.officer) {
    const [name, path] = pair("--officer", text);
    if (officers.some((other) => other.name === name)) {
      throw new UsageError(`officer ${name} is given twice`);
    }
    const keys = await about(path, async () => readOfficerPublicKeys(await readSmall(path)));
    const ids = self.filter(([officer]) => officer === name).map(([, id]) => id);
    officers.push({ name, ...keys, self: ids });
  }
  for (const [name] of self) {
    if (!officers.some((officer) => officer.name === name)) {
      throw new UsageError(`--self names ${name}, who is no officer`);
    }
  }
  return officers;
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
  const authority = await initDirectory(path, {
    officers,
    quorum,
    origin,
    waiting,
    passphrase,
  }).catch((error) => {
    // Names and numbers come from the command line.
    if (error instanceof TwinwrapError && error.code === "BAD_ARGUMENT") {
      throw new UsageError(error.message);
    }
    throw error;
  });
  const key = formatFingerprint(await fingerprint(authority.wrapKey));
  const needed = quorum ?? Math.floor(officers.length / 2) + 1;
  if (options.json) {
    printJson({
      folder: path,
      origin: authority.origin,
      fingerprint: formatFingerprint(authority.fingerprint),
      wrapKey: key,
      locked: passphrase !== undefined,
      quorum: needed,
      officers: officers.map(({ name }) => name),
    });
    return;
  }
  print(
    table([
      ["authority", safe(authority.origin)],
      ["fingerprint", `${formatFingerprint(authority.fingerprint)}  (compare this)`],
      ["wraps for", `${key}  ${passphrase === undefined ? "not locked" : "locked"}`],
      ["releases", `with ${needed} of ${officers.length} officers`],
      ["for everybody", `${path}/authority.json`],
      ["next", "each officer signs the policy: twinwrap authority policy sign -k OFFICER_KEY"],
    ]),
  );
}

/** 0 is refused with the same words as a number above all officers, once these are known. */
function parseQuorum(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}

export function initCommand(): Command {
  return newCommand(
    "init",
    "Makes the folder of a new authority: its keys, its store, and authority.json for everybody.",
    "twinwrap authority init backup --officer ann=ann.pub.pem --officer bob=bob.pub.pem --officer cyd=cyd.pub.pem --quorum 2",
  )
    .argument("<dir>", "folder to make")
    .requiredOption("--officer <name=pub>", "an officer and his public keys (repeat)", collect)
    .option("--quorum <k>", "officers it takes to release a key (default: a majority)", parseQuorum)
    .option("--origin <name>", "the authority's name, which never changes (default: random)")
    .option(
      "--waiting <seconds>",
      "time between a request and its release, unless all officers agree",
      integerBetween(0, 366 * 86_400),
    )
    .option(
      "--self <name=owner-id>",
      "an owner ID that is an officer himself, so that he does not decide (repeat)",
      collect,
    )
    .option(
      "--authority-passphrase-file <file>",
      "lock the authority's key with the file's first line",
    )
    .option("--no-passphrase", "leave the authority's key unlocked")
    .addOption(jsonOption())
    .action(init);
}
