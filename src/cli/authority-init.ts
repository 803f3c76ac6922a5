import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { initDirectory } from "../authority/directory.js";
import { AUTHORITY } from "../authority/folder.js";
import { majority } from "../authority/policies.js";
import { present } from "../calls.node.js";
import { stateOfPolicy } from "../client/policy.js";
import { type ErrorCode, TwinwrapError } from "../errors.js";
import { type Authority, addSignature, type PolicySignatures } from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import { fingerprint } from "../keys/index.js";
import { type Cell, outside } from "../text.js";
import { clientOf, withParty } from "./authority-io.js";
import {
  addOfficersOptions,
  givenOfficers,
  type OfficersOptions,
  officersOf,
  selvesOf,
  warnOfWaiting,
} from "./authority-officers.js";
import { signatureText } from "./authority-policy.js";
import { collect, jsonOption, newCommand, UsageError } from "./command.js";
import { tell } from "./io.js";
import { publicPath } from "./key-names.js";
import { privateText } from "./keygen.js";
import {
  checkOfficerOutput,
  type MadeOfficerKeys,
  makeOfficerKeys,
  officerNameOf,
} from "./officer-keys.js";
import { newPassphrase } from "./passphrase.js";
import { asUsage } from "./report.js";
import { addStoreOptions, type StoreOptions, storePlace } from "./store-options.js";
import { formatFingerprint, inline } from "./text.js";

interface InitOptions extends OfficersOptions, StoreOptions {
  newOfficer?: string[];
  passphraseFile?: string;
  origin?: string;
  /** Of --accept-pkcs1-v1_5. */
  acceptPkcs1V1_5?: boolean;
  authorityPassphraseFile?: string;
  /** commander turns --no-passphrase into `passphrase: false`. */
  passphrase?: boolean;
  json?: boolean;
}

/** An officer whose keys are made here. */
interface FreshOfficer {
  name: string;
  path: string;
}

/** Reads FILE, or NAME=FILE, and checks that the keys can be written there. @throws UsageError */
async function freshOfficers({ newOfficer = [] }: InitOptions): Promise<FreshOfficer[]> {
  const fresh: FreshOfficer[] = [];
  for (const text of newOfficer) {
    const [, name, path = ""] = /^([^/=]+)=(.+)$/.exec(text) ?? [
      undefined,
      officerNameOf(text),
      text,
    ];
    if (name === "") throw new UsageError("--new-officer takes FILE or NAME=FILE");
    if (fresh.some((other) => resolve(other.path) === resolve(path))) {
      throw new UsageError(`--new-officer gives ${path} twice`);
    }
    const named = `for an officer whose keys are there, --officer ${name}=${publicPath(path)}`;
    await checkOfficerOutput(path, {}, `give another name, or, ${named}`);
    fresh.push({ name: name!, path });
  }
  return fresh;
}

/** Makes the officers' keys. The passphrases come first: nobody waits between two questions. */
async function makeFresh(
  fresh: readonly FreshOfficer[],
  { passphraseFile, passphrase: ask }: InitOptions,
): Promise<MadeOfficerKeys[]> {
  const passphrases: (string | undefined)[] = [];
  for (const { path } of fresh) {
    passphrases.push(await newPassphrase(path, { passphraseFile, passphrase: ask }));
  }
  const made: MadeOfficerKeys[] = [];
  try {
    for (const [i, { path }] of fresh.entries()) {
      made.push(await makeOfficerKeys(path, passphrases[i], {}));
    }
    return made;
  } catch (error) {
    for (const keys of made) keys.wipe();
    throw error;
  }
}

/** Signs the first policy as the officers whose keys were just made. @returns where it stands now */
async function signFirst(
  path: string,
  fresh: readonly FreshOfficer[],
  made: readonly MadeOfficerKeys[],
): Promise<PolicySignatures> {
  return withParty(path, async (party) => {
    const { core, authority } = party;
    const client = clientOf(party);
    let [note] = await client.policies();
    for (const [i, { name }] of fresh.entries()) {
      note = await addSignature(core, note!, made[i]!.key.signer(name));
    }
    if (fresh.length > 0) note = await client.takePolicy(note!);
    return (await stateOfPolicy(core, authority, note!)).signatures;
  });
}

/** Makes the folder, after the officers' keys: an authority whose officers have none would be of no use. */
async function makeAuthority(
  path: string,
  made: readonly MadeOfficerKeys[],
  options: Parameters<typeof initDirectory>[1],
): Promise<Authority> {
  await writeFilesWhole(made.flatMap(({ files }) => files));
  try {
    // Names and numbers come from the command line.
    return await asUsage(() => initDirectory(path, options));
  } catch (error) {
    // If it stands all the same, because only its disk could not be asked, its officers need their keys.
    const isRefused = error instanceof UsageError || isOfKind(error, "CONFLICT");
    if (isRefused || present(join(path, AUTHORITY)) === undefined) {
      for (const { files } of made) for (const file of files) await rm(file.path, { force: true });
    }
    throw error;
  }
}

function isOfKind(error: unknown, code: ErrorCode): boolean {
  return error instanceof TwinwrapError && error.code === code;
}

async function init(path: string, options: InitOptions): Promise<void> {
  const fresh = await freshOfficers(options);
  const given = givenOfficers(options);
  const names = [...given, ...fresh].map(({ name }) => name);
  selvesOf(options, names);
  if (names.length === 0) {
    throw new UsageError("who decides? Give --new-officer FILE or --officer NAME=PUB");
  }
  const { quorum, origin, waiting } = options;
  if (quorum !== undefined && (quorum < 1 || quorum > names.length)) {
    throw new UsageError(
      `--quorum ${quorum}: of ${names.length} officers, 1 to ${names.length} can be asked for`,
    );
  }
  const known = await officersOf({ ...options, self: [] }, given);
  const passphrase = await newPassphrase(
    "the authority's key",
    { passphraseFile: options.authorityPassphraseFile, passphrase: options.passphrase },
    "--authority-passphrase-file",
  );
  const store = await storePlace(options);
  const made = await makeFresh(fresh, options);
  let authority: Authority;
  let signatures: PolicySignatures;
  try {
    const officers = await officersOf(options, [
      ...known.map(({ name, ...keys }) => ({ name, keys: async () => keys })),
      ...made.map(({ publicKeys }, i) => ({ name: fresh[i]!.name, keys: async () => publicKeys })),
    ]);
    authority = await makeAuthority(path, made, {
      officers,
      quorum,
      origin,
      waiting,
      owners: options.owners,
      unproven: options.unproven,
      passphrase,
      pkcs1: options.acceptPkcs1V1_5,
      store,
    });
    signatures = await signFirst(path, fresh, made);
  } finally {
    for (const keys of made) keys.wipe();
  }
  warnOfWaiting(options);
  await tellMade({ path, authority, names, fresh, made, signatures, passphrase }, options);
}

/** What was made. */
interface MadeAuthority {
  path: string;
  authority: Authority;
  names: readonly string[];
  fresh: readonly FreshOfficer[];
  made: readonly MadeOfficerKeys[];
  signatures: PolicySignatures;
  passphrase: string | undefined;
}

async function tellMade(
  { path, authority, names, fresh, made, signatures, passphrase }: MadeAuthority,
  options: InitOptions,
): Promise<void> {
  const key = formatFingerprint(await fingerprint(authority.wrapKey));
  const needed = options.quorum ?? majority(names.length);
  const name = formatFingerprint(authority.fingerprint);
  const locked = passphrase !== undefined;
  const { complete } = signatures;
  const keysLocked = options.passphraseFile !== undefined || options.passphrase !== false;
  const facts = {
    folder: path,
    origin: authority.origin,
    fingerprint: name,
    wrapKey: key,
    locked,
    quorum: needed,
    officers: names,
    made: fresh.map((officer, i) => ({
      officer: officer.name,
      privateKeys: officer.path,
      publicKeys: made[i]!.publicOutput,
      locked: keysLocked,
    })),
    inForce: complete,
  };
  tell(options, facts, [
    ["authority", outside(authority.origin)],
    ["fingerprint", `${name}  (compare this)`],
    ["wraps for", `${key}  ${locked ? "locked" : "not locked"}`],
    ["releases", `with ${needed} of ${names.length} officers`],
    ["for everybody", `${path}/authority.json`],
    ...fresh.map((officer): [string, Cell] => [
      "officer",
      `${inline(officer.name)}: ${privateText(officer.path, keysLocked)}`,
    ]),
    ...(fresh.length === 0 ? [] : [["policy", signatureText(signatures)]]),
    ["next", complete ? giveOut(fresh) : NEXT_TO_SIGN],
  ]);
}

const NEXT_TO_SIGN = "each officer signs the policy: twinwrap authority policy sign -k OFFICER_KEY";

/** Whoever has enough of the officers' files can release every key. */
function giveOut(fresh: readonly FreshOfficer[]): string {
  const files = fresh.map(({ path }) => path).join(", ");
  return `give each officer their own file, and keep none of them here: ${files}`;
}

export function initCommand(): Command {
  const command = newCommand(
    "init",
    "Makes the folder of a new authority: its keys, its store, and authority.json for everybody.",
    "twinwrap authority init backup --new-officer ann.pem --new-officer bob.pem --officer cyd=cyd.pub.pem --quorum 2\n  makes the keys of ann and bob here; cyd has made theirs elsewhere",
  )
    .argument("<dir>", "folder to make")
    .option("--officer <name=pub>", "an officer and their public keys (repeat)", collect)
    .option(
      "--new-officer <file>",
      "an officer named after the file (or NAME=FILE), whose keys are made here and sign the first policy (repeat)",
      collect,
    )
    .option("--passphrase-file <file>", "lock the new officers' keys with the file's first line");
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
    .option("--no-passphrase", "leave the keys unlocked that no file gives a passphrase for");
  return addStoreOptions(command).addOption(jsonOption()).action(init);
}
