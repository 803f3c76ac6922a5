import { algorithmName, type PlaintextKeyBlob } from "../blob/index.js";
import { wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { asRandomAccess, type RandomAccess, type Source } from "../source.js";
import { type Ciphertext, checkEnd, decryptBuffers, decryptMessage } from "./ciphertext.js";
import { importSimpleBlob, type Padding } from "./key-blobs.js";
import { type LayoutOptions, type Located, locate } from "./layout.js";
import { PaddingWatch } from "./paddings.js";
import type { Platform } from "./platform.js";
import { type CipherOptions, type CipherSettings, cipherSettings } from "./settings.js";

// Files that CryptoAPI programs encrypted.

export interface OldFileOptions extends CipherOptions, LayoutOptions {
  /** How the SIMPLEBLOB in the file was padded; pkcs1-v1_5 by default. */
  padding?: Padding | undefined;
  /** Called with the bytes of ciphertext that are done. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** Where the session key comes from. The caller wipes it. */
export interface KeySource {
  /** The private key that opens the SIMPLEBLOB in the file. */
  key?: RsaPrivateKey | undefined;
  /** The session key itself, if it is not in the file. */
  session?: PlaintextKeyBlob | undefined;
  /** If the session key comes from a password: the bytes of the hash that are left over. */
  leftOver?: Uint8Array | undefined;
}

/** An old file, ready to be decrypted. */
export interface OldFile {
  /** Lent: dispose() may wipe it. */
  session: PlaintextKeyBlob;
  settings: CipherSettings;
  /**
   * Its plaintext, once. Each piece is valid until the next is asked for.
   * @throws TwinwrapError BAD_FORMAT, DECRYPTION_FAILED, UNSUPPORTED
   */
  plaintext: AsyncIterable<Uint8Array>;
  /** After the plaintext was read: why the options may be wrong, if it looks so. */
  doubt: () => string | undefined;
  /** Wipes a session key that was found in the file. */
  dispose: () => void;
}

/**
 * Opens a file that a CryptoAPI program encrypted. Messages name options in backticks.
 * @param source in a Blob, an array or a file the end is checked first; in a stream a wrong key shows late
 * @throws CryptoApiError if its SIMPLEBLOB does not open; TwinwrapError BAD_ARGUMENT if the options do not go with
 *   the key, BAD_FORMAT, DECRYPTION_FAILED, UNSUPPORTED
 */
export async function openOldFile(
  source: Source | RandomAccess,
  { key, session: given, leftOver }: KeySource,
  options: OldFileOptions,
  platform: Platform,
): Promise<OldFile> {
  const located = await locate(source, options, key);
  const session = given ?? (await openBlob(located, key, options));
  const dispose = () => {
    if (given === undefined) wipe(session.key);
  };
  try {
    const settings = cipherSettings(session, options, leftOver);
    const place = await placeOf(located, settings);
    const isDerived = leftOver !== undefined;
    const ciphertext: Ciphertext = { platform, session, settings, isDerived, ...place };
    const file = asRandomAccess(source);
    if (file !== undefined) await checkEnd(file, ciphertext, located.end!);
    const watch = new PaddingWatch(settings.block);
    const { finalEvery } = settings;
    const { reader } = located;
    const plaintext =
      finalEvery === undefined
        ? decryptMessage(reader, ciphertext, watch, options.onProgress)
        : decryptBuffers(reader, ciphertext, finalEvery, options.onProgress);
    return { session, settings, plaintext, doubt: () => doubtOf(ciphertext, watch), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Opens the session key in the file. The caller wipes it. */
async function openBlob(
  { blob }: Located,
  key: RsaPrivateKey | undefined,
  { padding = "pkcs1-v1_5" }: OldFileOptions,
): Promise<PlaintextKeyBlob> {
  if (blob === undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", "there is no session key, and no `layout` to find one");
  }
  return importSimpleBlob(blob, key, padding);
}

/** The IV, and where the ciphertext begins. */
async function placeOf({ reader, at }: Located, { iv, block }: CipherSettings) {
  if (iv !== undefined) return { iv, start: at };
  const found = await reader.take(block);
  if (found.length === block) return { iv: found, start: at + block };
  const end = at + found.length;
  throw new TwinwrapError("BAD_FORMAT", `the file ends at byte ${end}, inside the IV`);
}

/** Why people should look at the plaintext before they rely on it; undefined if there is no reason. */
function doubtOf(
  { session, settings, isDerived }: Ciphertext,
  watch: PaddingWatch,
): string | undefined {
  const every = watch.bufferLength();
  if (every !== undefined) {
    return `it looks as if every ${every} bytes were encrypted by themselves (Final = TRUE), and then this is wrong: try \`finalEvery\` ${every}`;
  }
  if (isDerived && settings.block === 1) {
    const name = algorithmName(session.aiKeyAlg);
    return `with ${name} nothing shows whether the password is right: look at what came out`;
  }
  return undefined;
}
