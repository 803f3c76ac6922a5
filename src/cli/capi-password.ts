import { createHash } from "node:crypto";
import { Option } from "commander";
import {
  CALG_3DES,
  CALG_AES_128,
  CALG_AES_192,
  CALG_AES_256,
  CALG_RC2,
  CALG_RC4,
  type PlaintextKeyBlob,
  sessionAlgorithmByName,
} from "../blob/index.js";
import { concatBytes, copyBytes, newBytes, toUtf8, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { readFileWhole } from "../files.node.js";
import { integerBetween, UsageError } from "./command.js";
import { readPassphraseFile } from "./passphrase.js";
import { asUsage } from "./report.js";

// Session keys that programs derive from a password: CryptCreateHash, CryptHashData, CryptDeriveKey. A hash is
// all that a guess costs, so such a file is as safe as its password is long. Only reading is offered.

const HASHES = ["md5", "sha1", "sha256", "sha384", "sha512"] as const;
type Hash = (typeof HASHES)[number];

/** How programs turn a password into the bytes that they hash. */
const ENCODINGS = ["utf-8", "utf-16le", "utf-16le-half", "windows-1252", "raw"] as const;
type Encoding = (typeof ENCODINGS)[number];

export interface PasswordOptions {
  passwordFile?: string;
  derive?: Hash;
  alg?: string;
  keyBits?: number;
  passwordEncoding?: Encoding;
  passwordZero?: boolean;
}

/** What can be said only of a password. */
const ONLY_WITH_PASSWORD = {
  derive: "--derive",
  alg: "--alg",
  keyBits: "--key-bits",
  passwordEncoding: "--password-encoding",
  passwordZero: "--password-zero",
} as const;

/** What the providers make RC2 and RC4 keys of. */
const MIN_KEY_BITS = 40;
const MAX_KEY_BITS = 128;

/** Bytes of a password file. */
const MAX_FILE = 1 << 16;

/** A derived key, and the bytes of the hash that it left over; the caller wipes both. */
export interface DerivedKey {
  session: PlaintextKeyBlob;
  leftOver: Uint8Array;
}

/** @throws UsageError if options stand alone that only a password gives a meaning */
export function checkPasswordOptions(options: PasswordOptions): void {
  if (options.passwordFile !== undefined) return;
  for (const [name, flag] of Object.entries(ONLY_WITH_PASSWORD)) {
    if (options[name as keyof typeof ONLY_WITH_PASSWORD] !== undefined) {
      throw new UsageError(`${flag} goes with --password-file`);
    }
  }
}

/** Derives the session key. @throws UsageError; TwinwrapError UNSUPPORTED */
export async function derivedKey(path: string, options: PasswordOptions): Promise<DerivedKey> {
  const { derive = "sha1", alg = "aes-256", keyBits } = options;
  const algorithm = await asUsage(() => sessionAlgorithmByName(alg));
  const { algId } = algorithm;
  if (keyBits !== undefined && algId !== CALG_RC2 && algId !== CALG_RC4) {
    throw new UsageError(`a ${algorithm.name} key has one length: --key-bits is for RC2 and RC4`);
  }
  if (keyBits !== undefined && keyBits % 8 !== 0) {
    throw new UsageError("--key-bits is a multiple of 8");
  }
  const password = await passwordBytes(path, options);
  let material: Uint8Array | undefined;
  try {
    const length = keyBits === undefined ? algorithm.keyLength : keyBits / 8;
    material = keyMaterial(derive, password, algId, length);
    const key = copyBytes(material.subarray(0, length));
    return { session: { aiKeyAlg: algId, key }, leftOver: copyBytes(material.subarray(length)) };
  } finally {
    wipe(password, material);
  }
}

/**
 * What CryptDeriveKey takes a key from: the hash of the password; or, where that is too short, and for 3DES and
 * AES unless the hash is of the SHA-2 family, two hashes of it over pads as in HMAC (Microsoft's documentation
 * of CryptDeriveKey). Two-key 3DES, of which the documents say nothing, is as Wine has it.
 */
function keyMaterial(
  hash: Hash,
  password: Uint8Array,
  aiKeyAlg: number,
  length: number,
): Uint8Array {
  const base = digest(hash, password);
  const isExpanded =
    base.length < length ||
    ((hash === "md5" || hash === "sha1") &&
      [CALG_3DES, CALG_AES_128, CALG_AES_192, CALG_AES_256].includes(aiKeyAlg));
  if (!isExpanded) return base;
  const side = (value: number) => {
    const pad = newBytes(64).fill(value);
    for (const [i, byte] of base.entries()) pad[i]! ^= byte;
    const half = digest(hash, pad);
    wipe(pad);
    return half;
  };
  const [inner, outer] = [side(0x36), side(0x5c)];
  try {
    return concatBytes(inner, outer);
  } finally {
    wipe(base, inner, outer);
  }
}

function digest(hash: Hash, data: Uint8Array): Uint8Array {
  try {
    return createHash(hash).update(data).digest();
  } catch (cause) {
    throw new TwinwrapError("UNSUPPORTED", `this Node.js was built or started without ${hash}`, {
      cause,
    });
  }
}

/** The password as the program hashed it; the caller wipes it. */
async function passwordBytes(path: string, options: PasswordOptions): Promise<Uint8Array> {
  const { passwordEncoding: encoding = "utf-8", passwordZero = false } = options;
  if (encoding === "raw") {
    if (passwordZero)
      throw new UsageError("--password-zero does not go with raw: put it in the file");
    return readFileWhole(path, MAX_FILE);
  }
  const password = await readPassphraseFile(path, "password");
  const text = passwordZero ? `${password}\0` : password;
  if (encoding === "utf-8") return toUtf8(text);
  if (encoding === "windows-1252") return windows1252(path, text);
  const wide = copyBytes(Buffer.from(text, "utf16le"));
  if (encoding === "utf-16le") return wide;
  const half = copyBytes(wide.subarray(0, text.length));
  wipe(wide);
  return half;
}

/** What 0x80 to 0x9F are in Windows-1252; Node's own decoder has taken them for Latin-1. */
const HIGH_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

function windows1252(path: string, text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const high = HIGH_1252.indexOf(character);
    if (high >= 0) return 0x80 + high;
    const code = character.codePointAt(0)!;
    if (code < 0x80 || (code >= 0xa0 && code <= 0xff)) return code;
    throw new UsageError(`the password in ${path} has a character that windows-1252 has not`);
  });
}

/** What else a password's key may be, for the message that it does not fit. */
export const PASSWORD_HINTS = [
  "another password",
  "--derive",
  "--alg",
  "--password-encoding",
  "--password-zero",
];

/** The options that say how a session key comes from a password. */
export function passwordOptions(): Option[] {
  return [
    new Option(
      "--password-file <file>",
      "the session key is derived from the password in the file's first line (CryptDeriveKey)",
    ),
    new Option("--derive <hash>", "the hash of the password (default: sha1)").choices(HASHES),
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
    ).choices(ENCODINGS),
    new Option("--password-zero", "the program hashed the zero behind the password too"),
  ];
}
