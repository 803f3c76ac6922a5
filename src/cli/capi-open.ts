import { decodePlaintextKeyBlob, PLAINTEXTKEYBLOB } from "../blob/index.js";
import { wipe } from "../bytes.js";
import {
  type DerivedKey,
  type DeriveOptions,
  derivedAlgorithm,
  deriveKey,
  encodePassword,
  importSimpleBlob,
  type KeySource,
  type OldFile,
  openOldFile,
} from "../capi/index.js";
import { nodePlatform } from "../capi/platform.node.js";
import { readFileWhole } from "../files.node.js";
import { checkPublicKey, type RsaPrivateKey } from "../keys/index.js";
import {
  checkSource,
  cipherOptions,
  inFlags,
  type OldFileOptions,
  type PasswordOptions,
  withFlags,
} from "./capi-options.js";
import { UsageError } from "./command.js";
import { readBlobFile, withInput } from "./io.js";
import { withPrivateKeyFile } from "./key-files.js";
import { readPassphraseFile } from "./passphrase.js";
import { about } from "./report.js";

// Opens old files, and finds their session keys, from the files that the command line names.

/** Most bytes of a password file. */
const MAX_PASSWORD_FILE = 1 << 16;

/**
 * Opens a file that a CryptoAPI program encrypted, and works with it.
 * @throws UsageError; CryptoApiError; TwinwrapError BAD_FORMAT, DECRYPTION_FAILED, UNSUPPORTED, these three also
 *   while the plaintext is read
 */
export async function withOldFile<T>(
  input: string,
  options: OldFileOptions,
  onProgress: ((bytes: number) => void) | undefined,
  work: (old: OldFile) => Promise<T>,
): Promise<T> {
  checkSource(options);
  const { layout, skip, padding } = options;
  const settings = { layout, skip, padding, onProgress, ...cipherOptions(options) };
  return withKeySource(options, (keys) =>
    withInput(input, (file) =>
      about(input, async () => {
        const source = file.seekable ? file : file.pieces();
        const old = await withFlags(() => openOldFile(source, keys, settings, nodePlatform));
        try {
          return await work(flagged(old));
        } finally {
          old.dispose();
        }
      }),
    ),
  );
}

/** The same file. Its messages name flags, also while it is read. */
function flagged(old: OldFile): OldFile {
  async function* plaintext() {
    try {
      yield* old.plaintext;
    } catch (error) {
      await withFlags(() => Promise.reject(error));
    }
  }
  const doubt = () => {
    const doubtful = old.doubt();
    return doubtful && inFlags(doubtful);
  };
  return { ...old, plaintext: plaintext(), doubt };
}

/** Finds what opens the file, works with it and wipes it. */
async function withKeySource<T>(
  options: OldFileOptions,
  work: (keys: KeySource) => Promise<T>,
): Promise<T> {
  const { passwordFile, blob: path } = options;
  if (passwordFile !== undefined) {
    const { session, leftOver } = await derivedKey(passwordFile, options);
    return wiping([session.key, leftOver], () => work({ session, leftOver }));
  }
  if (path === undefined) return withUnwrapping(options, (key) => work({ key }));
  const { bytes } = await readBlobFile(path);
  try {
    if (bytes[0] === PLAINTEXTKEYBLOB) {
      const session = await about(path, async () => decodePlaintextKeyBlob(bytes));
      return await wiping([session.key], () => work({ session }));
    }
    return await withUnwrapping(options, async (key) => {
      const { padding = "pkcs1-v1_5" } = options;
      const session = await about(path, () => importSimpleBlob(bytes, key, padding));
      return wiping([session.key], () => work({ session }));
    });
  } finally {
    wipe(bytes);
  }
}

/** Does the work, then wipes secrets. */
async function wiping<T>(secrets: Uint8Array[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    wipe(...secrets);
  }
}

/** Works with the private key that opens SIMPLEBLOBs. */
async function withUnwrapping<T>(
  options: OldFileOptions,
  work: (key: RsaPrivateKey) => Promise<T>,
): Promise<T> {
  const { key: path, allowWeak = false } = options;
  if (path === undefined)
    throw new UsageError("a SIMPLEBLOB opens with a private key: give -k FILE");
  return withPrivateKeyFile(path, { ...options, allowExponentOne: true }, async (key) => {
    const check = { allowWeak, allowExponentOne: true };
    await about(path, async () => checkPublicKey(key, check));
    return work(key);
  });
}

/** Derives the session key from a password. The caller wipes it. @throws UsageError; TwinwrapError UNSUPPORTED */
async function derivedKey(path: string, options: PasswordOptions): Promise<DerivedKey> {
  const derive: DeriveOptions = {
    hash: options.derive,
    algorithm: options.alg,
    keyBits: options.keyBits,
  };
  await withFlags(() => derivedAlgorithm(derive)); // before the password is read: errors of the command line
  const password = await passwordBytes(path, options);
  return wiping([password], () => withFlags(() => deriveKey(nodePlatform, password, derive)));
}

/** The password as the program hashed it. The caller wipes it. */
async function passwordBytes(path: string, options: PasswordOptions): Promise<Uint8Array> {
  const { passwordEncoding: encoding = "utf-8", passwordZero = false } = options;
  if (encoding === "raw") {
    if (passwordZero)
      throw new UsageError("--password-zero does not go with raw: put it in the file");
    return readFileWhole(path, MAX_PASSWORD_FILE);
  }
  const password = await readPassphraseFile(path, "password");
  return about(path, () =>
    withFlags(() => encodePassword(passwordZero ? `${password}\0` : password, encoding)),
  );
}
