import { type Command, Option } from "commander";
import { toHex, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { writeFileWhole } from "../files.node.js";
import {
  bitLength,
  checkPublicKey,
  fingerprint,
  identifyKey,
  KEY_FORMS,
  type KeyForm,
  type KeyIdentity,
  publicKeyOf,
  type ReadableKeyForm,
  type ReadPublicKeyOptions,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  wipePrivateKey,
  writePrivateKey,
  writePublicKey,
} from "../keys/index.js";
import { type Cell, outsidePath } from "../text.js";
import {
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  outputName,
  UsageError,
} from "./command.js";
import { outputFor, print, readSmall, STANDARD, tell, type Write, warn } from "./io.js";
import { PRIVATE_MODE } from "./keygen.js";
import { newPassphrase, type PassphraseOptions, passphraseFor } from "./passphrase.js";
import { about } from "./report.js";
import { table } from "./text.js";

/** Forms in which a private key can be locked. */
const LOCKABLE = ["pem", "der"] as const;
type LockableForm = (typeof LOCKABLE)[number];
const WEAK_LOCK =
  "the lock of a PVK file is RC4 under one round of SHA-1, which is no protection: whoever has the file can try passphrases at full speed";
const PEM_BEGIN = "-----BEGIN ";

/** Reads a key file once, works with its bytes and wipes them. */
async function withKeyFile(
  path: string,
  work: (bytes: Uint8Array, identity: KeyIdentity) => Promise<void>,
): Promise<void> {
  const bytes = await readSmall(path);
  try {
    await work(bytes, await about(path, async () => identifyKey(bytes)));
  } finally {
    wipe(bytes);
  }
}

/** Opens a private key. @returns it, and the passphrase if it was locked */
async function openKey(
  path: string,
  bytes: Uint8Array,
  options: PassphraseOptions & ReadPublicKeyOptions,
) {
  let passphrase: string | undefined;
  const ask = passphraseFor(path, options);
  const key = await about(path, () =>
    readPrivateKey(bytes, {
      allowExponentOne: options.allowExponentOne,
      passphrase: async () => {
        passphrase = await ask();
        return passphrase;
      },
      allowEmptyPassphrase: true,
    }),
  );
  return { key, passphrase };
}

/** The public key, also of a private key that is locked. */
async function openPublicHalf(
  path: string,
  bytes: Uint8Array,
  kind: KeyIdentity["kind"],
  options: PassphraseOptions & ReadPublicKeyOptions,
): Promise<RsaPublicKey> {
  const { allowExponentOne } = options;
  if (kind !== "locked") return about(path, async () => readPublicKey(bytes, { allowExponentOne }));
  const { key } = await openKey(path, bytes, options);
  const publicKey = publicKeyOf(key);
  wipePrivateKey(key);
  return publicKey;
}

interface InfoOptions extends PassphraseOptions {
  json?: boolean;
}

/** Why new wraps for a key need --allow-weak; undefined if they do not. */
function weakness(key: RsaPublicKey): string | undefined {
  try {
    checkPublicKey(key, { forWrap: true });
    return undefined;
  } catch (error) {
    // BAD_KEY: its exponent is one. Nothing else is wrong with a key that was read.
    const isWeak = error instanceof TwinwrapError && /^(WEAK|BAD)_KEY$/.test(error.code);
    if (isWeak) return error.message;
    throw error;
  }
}

/** What only the numbers of a key show. */
async function keyFacts(key: RsaPublicKey) {
  return {
    bits: bitLength(key.n),
    exponent: Number(`0x${toHex(key.e)}`),
    fingerprint: toHex(await fingerprint(key)),
    weak: weakness(key),
  };
}

async function info(path: string, options: InfoOptions): Promise<void> {
  await withKeyFile(path, async (bytes, { form, kind, structure, text }) => {
    let facts: Awaited<ReturnType<typeof keyFacts>> | undefined;
    try {
      facts = await keyFacts(
        await openPublicHalf(path, bytes, kind, { ...options, allowExponentOne: true }),
      );
    } catch (error) {
      // Without its passphrase, a locked key shows no more.
      if (!(error instanceof TwinwrapError && error.code === "PASSPHRASE_NEEDED")) throw error;
    }
    const rows: Cell[][] = [
      ["file", outsidePath(path)],
      ["kind", kind === "locked" ? "private, locked with a passphrase" : kind],
      ["form", `${form} (${structure})${text === undefined ? "" : `, in ${text}`}`],
    ];
    if (facts !== undefined) {
      rows.push(["modulus", `${facts.bits} bits`], ["exponent", String(facts.exponent)]);
      rows.push(["fingerprint", facts.fingerprint]);
      if (facts.weak !== undefined) rows.push(["weak", facts.weak]);
    }
    tell(options, { file: path, kind, form, structure, text, ...facts }, rows);
  });
}

interface ConvertOptions extends OutputOptions, PassphraseOptions {
  output: string;
  to: KeyForm;
  public?: boolean;
  allowWeakLock?: boolean;
}

function isLockable(form: ReadableKeyForm): form is LockableForm {
  return (LOCKABLE as readonly string[]).includes(form);
}

/** Checks, before a passphrase is asked for, that the form can be locked. @throws UsageError */
function checkLock({ to, passphrase, allowWeakLock }: ConvertOptions): void {
  if (passphrase === false || isLockable(to)) return;
  if (to !== "pvk") {
    throw new UsageError(
      `a private key in the form ${to} cannot be locked: --no-passphrase says that this is meant, --public writes the public half`,
    );
  }
  if (!allowWeakLock) {
    throw new UsageError(
      `${WEAK_LOCK} (--no-passphrase writes it unlocked, --allow-weak-lock says that this lock is meant)`,
    );
  }
}

async function convert(path: string, options: ConvertOptions): Promise<void> {
  const write = await outputFor([path], options.output, options);
  await withKeyFile(path, async (bytes, { kind }) => {
    if (options.public || kind === "public") await convertPublic(path, bytes, kind, write, options);
    else await convertPrivate(path, bytes, write, options);
  });
}

async function convertPublic(
  path: string,
  bytes: Uint8Array,
  kind: KeyIdentity["kind"],
  write: Write,
  options: ConvertOptions,
): Promise<void> {
  const { output, to } = options;
  if (to === "pvk") throw new UsageError("a PVK file holds a private key only: take --to msblob");
  const publicKey = await openPublicHalf(path, bytes, kind, options);
  await write([writePublicKey(publicKey, to)]);
  if (output !== STANDARD) print(table([["public key", output]]));
}

async function convertPrivate(
  path: string,
  bytes: Uint8Array,
  write: Write,
  options: ConvertOptions,
): Promise<void> {
  const { output, to } = options;
  checkLock(options);
  // Here --no-passphrase is about the new file. A locked key is asked for all the same.
  const { passphraseFile } = options;
  const { key, passphrase } = await openKey(path, bytes, { passphraseFile });
  let written: Uint8Array | undefined;
  try {
    // A locked key stays locked, with the same passphrase.
    const lock =
      options.passphrase === false
        ? undefined
        : (passphrase ?? (await newPassphrase(output, options)));
    const { allowWeakLock = false } = options;
    written = await writePrivateKey(key, to, { passphrase: lock, allowWeakLock });
    await write([written], PRIVATE_MODE);
    if (to === "pvk" && lock !== undefined) warn(`${WEAK_LOCK}, and then knows this one`);
    if (output !== STANDARD) {
      const how = lock === undefined ? "not locked" : "locked with the passphrase";
      print(table([["private key", `${output} (${how})`]]));
    }
  } finally {
    wipe(written);
    wipePrivateKey(key);
  }
}

interface PassphraseChange extends PassphraseOptions {
  newPassphraseFile?: string;
}

/** Whether a PEM file holds more than the key: a certificate, say. */
function holdsMore(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.indexOf(PEM_BEGIN) !== view.lastIndexOf(PEM_BEGIN);
}

async function passphrase(path: string, options: PassphraseChange): Promise<void> {
  if (options.newPassphraseFile !== undefined && options.passphrase === false) {
    throw new UsageError("--new-passphrase-file and --no-passphrase exclude each other");
  }
  if (options.passphraseFile === STANDARD && options.newPassphraseFile === STANDARD) {
    throw new UsageError("standard input has one passphrase: only one of the two can be -");
  }
  if (path === STANDARD) throw new UsageError("a key is locked in place: name its file");
  await withKeyFile(path, async (bytes, { form, text }) => {
    if (!isLockable(form) || text !== undefined) {
      throw new UsageError(
        `${path} is in the form ${form}${text === undefined ? "" : `, in ${text}`}, which ${form === "pvk" ? "has no lock that protects" : "cannot be locked"}: convert it to pem first`,
      );
    }
    if (form === "pem" && holdsMore(bytes)) {
      throw new TwinwrapError(
        "BAD_FORMAT",
        `${path} holds more than the key, and that would be lost: write the key to a file of its own with \`twinwrap key convert\``,
      );
    }
    const { key } = await openKey(path, bytes, { passphraseFile: options.passphraseFile });
    let written: Uint8Array | undefined;
    try {
      const lock = await newPassphrase(path, {
        passphraseFile: options.newPassphraseFile,
        passphrase: options.passphrase,
      });
      written = await writePrivateKey(key, form, { passphrase: lock });
      await writeFileWhole(path, [written], { force: true, mode: PRIVATE_MODE });
      const how = lock === undefined ? "not locked" : "locked with the new passphrase";
      print(table([["private key", `${path} (${how})`]]));
    } finally {
      wipe(written);
      wipePrivateKey(key);
    }
  });
}

export function command(): Command {
  const infoCommand = newCommand(
    "info",
    "Shows what a key file holds: form, size, fingerprint. Takes every form.",
    "twinwrap key info alice.pub.pem",
  )
    .argument("<key>", "key file, or - for standard input")
    .addOption(jsonOption())
    .action(info);
  addPassphraseOptions(infoCommand, "never ask for a passphrase");

  const convertCommand = newCommand(
    "convert",
    "Writes a key in another form: PEM, DER, JWK, CryptoAPI's PUBLICKEYBLOB and PRIVATEKEYBLOB, or PVK.",
    "twinwrap key convert alice.pem -o alice.blob --to msblob --public",
  )
    .argument("<key>", "key file, or - for standard input")
    .requiredOption("-o, --output <file>", "the new file, or - for standard output", outputName)
    .option("--force", "replace the output file if it exists")
    .addOption(
      new Option("--to <form>", "form of the new file").choices(KEY_FORMS).makeOptionMandatory(),
    )
    .option("--public", "write only the public half")
    .option("--allow-weak-lock", "lock a PVK file, though its lock is no protection")
    .action(convert);
  addPassphraseOptions(convertCommand, "write a private key unlocked");

  const passphraseCommand = newCommand(
    "passphrase",
    "Locks a private key with a (new) passphrase, in place.",
    "twinwrap key passphrase alice.pem",
  )
    .argument("<key>", "private key file, PEM or DER")
    .option("--passphrase-file <file>", "read the present passphrase from the file's first line")
    .option("--new-passphrase-file <file>", "read the new passphrase from the file's first line")
    .option("--no-passphrase", "leave the key unlocked")
    .action(passphrase);

  return newCommand("key", "Shows, converts and locks keys.", "twinwrap key info alice.pem")
    .addCommand(infoCommand)
    .addCommand(convertCommand)
    .addCommand(passphraseCommand);
}
