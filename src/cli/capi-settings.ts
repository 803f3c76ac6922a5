import { type Command, Option } from "commander";
import {
  algorithmName,
  CALG_3DES,
  CALG_3DES_112,
  CALG_AES_128,
  CALG_AES_192,
  CALG_AES_256,
  CALG_DES,
  CALG_RC2,
  CALG_RC4,
  type PlaintextKeyBlob,
} from "../blob/index.js";
import { fromHex, newBytes } from "../bytes.js";
import type { Padding } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { type PasswordOptions, passwordOptions } from "./capi-password.js";
import {
  addPassphraseOptions,
  allowWeakOption,
  integerBetween,
  type KeyOptions,
  paddingOption,
  UsageError,
} from "./command.js";

// How a program may have encrypted a file with CryptoAPI: what is in no blob, and so has to be said.

const MODES = ["cbc", "ecb", "cfb"] as const;
export type Mode = (typeof MODES)[number];

const LAYOUTS = ["length32", "blob-first", "blob-last"] as const;
export type Layout = (typeof LAYOUTS)[number];

export interface OldFileOptions extends Omit<KeyOptions, "key">, PasswordOptions {
  /** Not needed where the session key is in the clear, or comes from a password. */
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

/** How the session key was used. */
export interface CipherSettings {
  mode: Mode;
  /** Behind the key (KP_SALT); maybe none. */
  salt: Uint8Array;
  /** The strength of an RC2 key (KP_EFFECTIVE_KEYLEN). */
  effectiveBits: number;
  /** Bytes of a block, 1 for RC4. */
  block: number;
  /** undefined: it stands before the ciphertext. */
  iv: Uint8Array | undefined;
  /** Whether the last block is padded (PKCS#5). */
  padded: boolean;
  /** Bytes of the buffers that were encrypted one by one; undefined: it is one message. */
  finalEvery: number | undefined;
}

/** Longest salt that the providers take (KP_SALT_EX), in bytes, behind a key of any length. */
const MAX_SALT = 24;
/** Longest key and salt together that RC2 takes (RFC 2268, section 2). */
const MAX_SALTED = 128;
/** Key and salt together, where the salt is what a password's hash has left over. */
const SALTED_FROM_HASH = 16;
const MAX_BUFFER = 1 << 24;
/** A key of 40 bits has a salt of zeros unless its program set CRYPT_NO_SALT. */
const SALTED_KEY = 5;
const DEFAULT_SALT = 11;

function hexOption(flag: string, text: string): Uint8Array {
  try {
    return fromHex(text);
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw new UsageError(`${flag} takes whole bytes in hexadecimal`);
  }
}

function blockLength(aiKeyAlg: number): number {
  if (aiKeyAlg === CALG_RC4) return 1;
  return [CALG_AES_128, CALG_AES_192, CALG_AES_256].includes(aiKeyAlg) ? 16 : 8;
}

function readIv({ mode, iv }: OldFileOptions, block: number): Uint8Array | undefined {
  if (iv === undefined) return newBytes(block);
  if (mode === "ecb") throw new UsageError("--iv does not go with --mode ecb, which has none");
  if (iv === "first") return undefined;
  const bytes = hexOption("--iv", iv);
  if (bytes.length === block) return bytes;
  throw new UsageError(`--iv has ${bytes.length} bytes; the IV of this cipher has ${block}`);
}

function readSalt(
  { salt }: OldFileOptions,
  keyLength: number,
  leftOver: Uint8Array | undefined,
): Uint8Array {
  if (typeof salt !== "string") {
    return newBytes(salt !== false && keyLength === SALTED_KEY ? DEFAULT_SALT : 0);
  }
  if (salt === "hash") {
    if (leftOver !== undefined) return leftOver.slice(0, SALTED_FROM_HASH - keyLength);
    throw new UsageError("--salt hash goes with --password-file");
  }
  const bytes = hexOption("--salt", salt);
  const room = Math.min(MAX_SALT, MAX_SALTED - keyLength);
  if (bytes.length <= room) return bytes;
  throw new UsageError(
    `--salt has ${bytes.length} bytes; behind a key of ${keyLength} bytes there is room for ${room}`,
  );
}

/**
 * What the options say about a session key, and CryptoAPI's defaults for the rest.
 * @param leftOver what a password's hash has beyond the key
 * @throws UsageError if they do not go with its algorithm
 */
export function cipherSettings(
  { aiKeyAlg, key }: PlaintextKeyBlob,
  options: OldFileOptions,
  leftOver?: Uint8Array,
): CipherSettings {
  const { mode, iv, salt, effectiveBits, unpadded, finalEvery } = options;
  const isRc4 = aiKeyAlg === CALG_RC4;
  const refuse = (flag: string, wrong: boolean) => {
    if (wrong) {
      throw new UsageError(`the key is of ${algorithmName(aiKeyAlg)}, which knows no ${flag}`);
    }
  };
  refuse("--mode", isRc4 && mode !== undefined);
  refuse("--iv", isRc4 && iv !== undefined);
  refuse("--salt", !isRc4 && aiKeyAlg !== CALG_RC2 && salt !== undefined);
  refuse("--effective-bits", aiKeyAlg !== CALG_RC2 && effectiveBits !== undefined);
  if (unpadded && finalEvery !== undefined && !isRc4) {
    throw new UsageError(
      "--unpadded and --final-every exclude each other: what is final is padded",
    );
  }
  const block = blockLength(aiKeyAlg);
  const isSalted = isRc4 || aiKeyAlg === CALG_RC2;
  return {
    mode: mode ?? "cbc",
    salt: isSalted ? readSalt(options, key.length, leftOver) : newBytes(0),
    effectiveBits: effectiveBits ?? 8 * key.length,
    block,
    iv: isRc4 ? newBytes(0) : readIv(options, block),
    padded: !isRc4 && !unpadded,
    finalEvery,
  };
}

const SMALL_BLOCKS =
  "its blocks of 64 bits repeat within some GiB and then tell about the plaintext";

/** Why nobody should rely on how a file was encrypted, if there is a reason. */
export function weakness(
  { aiKeyAlg, key }: PlaintextKeyBlob,
  { mode, effectiveBits }: CipherSettings,
): string | undefined {
  const isEcb = mode === "ecb" && aiKeyAlg !== CALG_RC4;
  const bits = Math.min(effectiveBits, 8 * key.length);
  const reasons: string[] = [];
  if (aiKeyAlg === CALG_DES) reasons.push("its keys of 56 bits can be found by trying them all");
  if (aiKeyAlg === CALG_RC2 || aiKeyAlg === CALG_RC4) {
    if (bits < 80) reasons.push(`a key of ${bits} bits can be found by trying them all`);
  }
  if (aiKeyAlg === CALG_RC4) reasons.push("its keystream is not random enough (RFC 7465)");
  if (aiKeyAlg === CALG_3DES_112) reasons.push("two keys give it 80 to 112 bits of strength");
  if ([CALG_3DES_112, CALG_3DES, CALG_RC2].includes(aiKeyAlg)) reasons.push(SMALL_BLOCKS);
  if (isEcb) reasons.push("ECB shows which blocks are equal");
  const name = `${algorithmName(aiKeyAlg)}${isEcb ? " in ECB mode" : ""}`;
  return reasons.length === 0 ? undefined : `${name} is weak: ${reasons.join("; ")}`;
}

/** For people: "CALG_RC2, 16 bytes, 128 effective bits, CBC". */
export function cipherText(
  session: PlaintextKeyBlob,
  { mode, effectiveBits }: CipherSettings,
): string {
  const { aiKeyAlg, key } = session;
  const parts = [algorithmName(aiKeyAlg), `${key.length} bytes`];
  if (aiKeyAlg === CALG_RC2) parts.push(`${effectiveBits} effective bits`);
  if (aiKeyAlg !== CALG_RC4) parts.push(mode.toUpperCase());
  return parts.join(", ");
}

/** For machines. */
export function cipherFacts(session: PlaintextKeyBlob, settings: CipherSettings) {
  const { aiKeyAlg, key } = session;
  const weak = weakness(session, settings);
  return {
    algorithm: algorithmName(aiKeyAlg),
    keyLength: key.length,
    ...(aiKeyAlg === CALG_RC4 ? {} : { mode: settings.mode }),
    ...(aiKeyAlg === CALG_RC2 ? { effectiveBits: settings.effectiveBits } : {}),
    ...(weak === undefined ? {} : { weak }),
    authenticated: false,
  };
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
