import { type Command, Option } from "commander";
import { algorithmName, type PlaintextKeyBlob } from "../blob/index.js";
import { fromHex } from "../bytes.js";
import {
  algorithmOf,
  type CipherOptions,
  type CipherSettings,
  LAYOUTS,
  type Layout,
  MODES,
  type Mode,
  PASSWORD_HASHES,
  type Padding,
  type PasswordHash,
  type PasswordTextEncoding,
  TEXT_ENCODINGS,
  weakness,
} from "../capi/index.js";
import { TwinwrapError } from "../errors.js";
import {
  addPassphraseOptions,
  allowWeakOption,
  integerBetween,
  type KeyOptions,
  paddingOption,
  UsageError,
} from "./command.js";

// The flags of the commands that read old files, and how these commands describe such a file.

export interface PasswordOptions {
  passwordFile?: string;
  derive?: PasswordHash;
  alg?: string;
  keyBits?: number;
  passwordEncoding?: PasswordTextEncoding | "raw";
  passwordZero?: boolean;
}

export interface OldFileOptions extends Omit<KeyOptions, "key">, PasswordOptions {
  /** Not needed if the session key is in the clear, or comes from a password. */
  key?: string;
  blob?: string;
  layout?: Layout;
  skip?: number;
  padding?: Padding;
  mode?: Mode;
  iv?: string;
  /** commander turns --no-salt into `salt: false`. */
  salt?: string | boolean;
  effectiveBits?: number;
  unpadded?: boolean;
  finalEvery?: number;
}

/** Every file that a command with these options reads. */
export function oldInputs(input: string, options: OldFileOptions): string[] {
  const { blob, passwordFile } = options;
  return [input, blob, passwordFile].filter((path) => path !== undefined);
}

/** The flags here that stand for options of src/capi. */
const FLAGS: Readonly<Record<string, string>> = {
  layout: "--layout",
  skip: "--skip",
  mode: "--mode",
  iv: "--iv",
  salt: "--salt",
  "salt: false": "--no-salt",
  effectiveBits: "--effective-bits",
  unpadded: "--unpadded",
  finalEvery: "--final-every",
  hash: "--derive",
  algorithm: "--alg",
  keyBits: "--key-bits",
  passwordEncoding: "--password-encoding",
  passwordZero: "--password-zero",
};

/** A message of src/capi, with flags in the place of options. */
export function inFlags(message: string): string {
  return message.replace(/`([^`]+)`/g, (quoted, name: string) => FLAGS[name] ?? quoted);
}

/** Calls src/capi. Its messages then name flags, and a bad option becomes a UsageError. */
export async function withFlags<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    error.message = inFlags(error.message);
    throw error.code === "BAD_ARGUMENT" ? new UsageError(error.message) : error;
  }
}

function hexOption(flag: string, text: string): Uint8Array {
  try {
    return fromHex(text);
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw new UsageError(`${flag} takes whole bytes in hexadecimal`);
  }
}

/** The cipher's options that these flags mean. @throws UsageError */
export function cipherOptions(options: OldFileOptions): CipherOptions {
  const { mode, iv, salt, effectiveBits, unpadded, finalEvery, passwordFile } = options;
  if (salt === "hash" && passwordFile === undefined) {
    throw new UsageError("--salt hash goes with --password-file");
  }
  return {
    mode,
    iv: iv === undefined || iv === "first" ? iv : hexOption("--iv", iv),
    salt: saltOption(salt),
    effectiveBits,
    unpadded,
    finalEvery,
  };
}

function saltOption(salt: OldFileOptions["salt"]): CipherOptions["salt"] {
  if (typeof salt === "string") return salt === "hash" ? salt : hexOption("--salt", salt);
  return salt === false ? false : undefined;
}

/** For people: "CALG_RC2, 16 bytes, 128 effective bits, CBC". */
export function cipherText(
  { aiKeyAlg, key }: PlaintextKeyBlob,
  { mode, effectiveBits, block }: CipherSettings,
): string {
  const parts = [algorithmName(aiKeyAlg), `${key.length} bytes`];
  if (algorithmOf(aiKeyAlg).hasEffectiveBits) parts.push(`${effectiveBits} effective bits`);
  if (block > 1) parts.push(mode.toUpperCase());
  return parts.join(", ");
}

/** For machines. */
export function cipherFacts(session: PlaintextKeyBlob, settings: CipherSettings) {
  const { aiKeyAlg, key } = session;
  const { name, hasEffectiveBits } = algorithmOf(aiKeyAlg);
  return {
    algorithm: name,
    keyLength: key.length,
    mode: settings.block > 1 ? settings.mode : undefined,
    effectiveBits: hasEffectiveBits ? settings.effectiveBits : undefined,
    weak: weakness(session, settings),
    authenticated: false,
  };
}

/** Flags that need a password. */
const ONLY_WITH_PASSWORD = {
  derive: "--derive",
  alg: "--alg",
  keyBits: "--key-bits",
  passwordEncoding: "--password-encoding",
  passwordZero: "--password-zero",
} as const;

/** @throws UsageError unless the options name one source of the session key */
export function checkSource(options: OldFileOptions): void {
  const { blob, layout, passwordFile } = options;
  if ([blob, layout, passwordFile].filter((option) => option !== undefined).length !== 1) {
    throw new UsageError(
      "where is the session key? Give --blob FILE, or --layout if it is in the file itself, or --password-file if it is derived from a password",
    );
  }
  if (passwordFile !== undefined) {
    if (options.key === undefined) return;
    throw new UsageError("-k does not go with --password-file: there is no blob to open");
  }
  for (const [name, flag] of Object.entries(ONLY_WITH_PASSWORD)) {
    if (options[name as keyof typeof ONLY_WITH_PASSWORD] !== undefined) {
      throw new UsageError(`${flag} goes with --password-file`);
    }
  }
}

/** Bits of the RC2 and RC4 keys that the providers make. */
const MIN_KEY_BITS = 40;
const MAX_KEY_BITS = 128;
const MAX_BUFFER = 1 << 24;

/** The options that say how a session key comes from a password. */
function passwordOptions(): Option[] {
  return [
    new Option(
      "--password-file <file>",
      "the session key is derived from the password in the file's first line (CryptDeriveKey)",
    ),
    new Option("--derive <hash>", "the hash of the password (default: sha1)").choices(
      PASSWORD_HASHES,
    ),
    new Option(
      "--alg <name>",
      "what the password's key is for: aes-256, 3des, rc4 … (default: aes-256)",
    ),
    new Option(
      "--key-bits <n>",
      "length of the password's RC2 or RC4 key (default: 128; the base provider's: 40)",
    ).argParser(integerBetween(MIN_KEY_BITS, MAX_KEY_BITS)),
    new Option(
      "--password-encoding <encoding>",
      "how the program hashed the password's characters (default: utf-8, which serves ASCII in any code page); utf-16le-half: so many bytes of UTF-16 as there are characters; raw: all bytes of the file",
    ).choices([...TEXT_ENCODINGS, "raw"]),
    new Option("--password-zero", "the program hashed the zero behind the password too"),
  ];
}

/** The options that say how a file was encrypted, and with which key it opens. */
export function addOldFileOptions(command: Command): Command {
  command.option("-k, --key <file>", "private key that opens the SIMPLEBLOB");
  addPassphraseOptions(command, "never ask for a passphrase")
    .addOption(allowWeakOption())
    .option(
      "--blob <file>",
      "the SIMPLEBLOB, where it is a file of its own; or a PLAINTEXTKEYBLOB, which needs no key",
    )
    .addOption(
      new Option(
        "--layout <layout>",
        "where it is in IN: behind its length as a 32-bit number (length32), at the beginning, or at the end",
      ).choices(LAYOUTS),
    )
    .option(
      "--skip <n>",
      "bytes at the beginning of IN that are neither",
      integerBetween(0, 2 ** 48),
    )
    .addOption(
      paddingOption("--padding <padding>", "how the SIMPLEBLOB was padded (default: pkcs1-v1_5)"),
    );
  for (const option of passwordOptions()) command.addOption(option);
  return command
    .addOption(new Option("--mode <mode>", "the cipher's mode (default: cbc)").choices(MODES))
    .option(
      "--iv <hex>",
      "its IV (default: zeros); first, if the IV stands right before the ciphertext",
    )
    .option(
      "--salt <hex>",
      "salt of an RC2 or RC4 key, up to 24 bytes (KP_SALT, KP_SALT_EX; default: 11 zero bytes with keys of 40 bits); hash: what the password's hash has left over (CRYPT_CREATE_SALT)",
    )
    .option("--no-salt", "no salt with a key of 40 bits (CRYPT_NO_SALT)")
    .option(
      "--effective-bits <n>",
      "of an RC2 key (default: those of the key)",
      integerBetween(1, 1024),
    )
    .option(
      "--unpadded",
      "the last block is not padded: the program never said that it was the last",
    )
    .option(
      "--final-every <n>",
      "the program said of every n bytes that they were the last (Final = TRUE): each such buffer is padded, and begins with the IV again",
      integerBetween(1, MAX_BUFFER),
    );
}
