import { CALG_RC2, type PlaintextKeyBlob } from "../blob/index.js";
import { newBytes, wipe } from "../bytes.js";
import type { Reader } from "../envelope/source.js";
import { TwinwrapError } from "../errors.js";
import { checkPublicKey, type RsaPrivateKey } from "../keys/index.js";
import { importSimpleBlob } from "./blob-import.js";
import { type Decryptor, makeDecryptor } from "./capi-ciphers.js";
import { type Located, locate } from "./capi-layout.js";
import { type CipherSettings, cipherSettings, type OldFileOptions } from "./capi-settings.js";
import { UsageError } from "./command.js";
import { type Input, readSmall, withInput, withPrivateKeyFile } from "./io.js";
import { about } from "./report.js";

// Files that CryptoAPI programs encrypted. Nothing in them is authenticated, and what is wrong is said:
// this is for a person's own files at the command line, never for what others can send in.

/** Bytes that are decrypted together: whole blocks of any cipher. */
const PIECE = 1 << 18;

/** An old file, ready to be decrypted. */
export interface OldFile {
  /** Lent: wiped when the work is done. */
  session: PlaintextKeyBlob;
  settings: CipherSettings;
  /** Its plaintext, once. Each piece is valid until the next is asked for. */
  plaintext: AsyncIterable<Uint8Array>;
}

/** The ciphertext between two bytes of the file, and how it was made. */
interface Ciphertext {
  session: PlaintextKeyBlob;
  settings: CipherSettings;
  iv: Uint8Array;
  /** The byte of the file where it begins. */
  start: number;
}

/** @throws TwinwrapError BAD_FORMAT if there cannot be so many bytes of ciphertext */
function checkLength({ settings, start }: Ciphertext, length: number): void {
  const { block, mode, padded } = settings;
  if (length === 0 && padded) {
    throw new TwinwrapError(
      "BAD_FORMAT",
      `no ciphertext, which would begin at byte ${start}: even an empty file has a block of padding`,
    );
  }
  if (length % block !== 0 && (padded || mode !== "cfb")) {
    throw new TwinwrapError(
      "BAD_FORMAT",
      `the ciphertext from byte ${start} on has ${length} bytes, no multiple of ${block}: the file was cut, or --layout, --skip or --iv is another`,
    );
  }
}

/** @throws TwinwrapError DECRYPTION_FAILED if the padding at the end of the plaintext is wrong */
function paddingLength(
  plain: Uint8Array,
  { session, settings, start }: Ciphertext,
  length: number,
) {
  const { block, salt } = settings;
  const padding = plain.at(-1)!;
  const isRight =
    padding > 0 && padding <= block && plain.subarray(-padding).every((byte) => byte === padding);
  if (isRight) return padding;
  const options = ["--mode", "--unpadded"];
  if (length <= block) options.push("--iv");
  if (session.aiKeyAlg === CALG_RC2) options.push("--effective-bits");
  if (salt.length > 0 || session.key.length === 5) options.push("--salt or --no-salt");
  throw new TwinwrapError(
    "DECRYPTION_FAILED",
    `the padding in the last block, at byte ${start + length - block}, is wrong: the file was cut or altered, or it was encrypted in another way (${options.join(", ")})`,
  );
}

/**
 * Looks at the end before any work is done: in every mode the last block opens with the one before as
 * its IV.
 */
async function checkEnd(file: Input, ciphertext: Ciphertext, end: number): Promise<void> {
  const { session, settings, iv, start } = ciphertext;
  const length = end - start;
  checkLength(ciphertext, length);
  if (!settings.padded) return;
  const { block } = settings;
  const before = length > block ? await file.read(end - 2 * block, block) : iv;
  const decryptor = await makeDecryptor(session, settings, before);
  let plain: Uint8Array | undefined;
  try {
    plain = decryptor.update(await file.read(end - block, block));
    paddingLength(plain, ciphertext, length);
  } finally {
    wipe(plain);
    decryptor.dispose();
  }
}

/** Decrypts piece by piece; the last one is held back until it is known to be the last. */
async function* decryptPieces(
  reader: Reader,
  decryptor: Decryptor,
  ciphertext: Ciphertext,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  const buffer = newBytes(PIECE);
  let held: Uint8Array | undefined;
  let length = 0;
  try {
    for (;;) {
      const filled = await reader.fill(buffer);
      if (filled === 0) break;
      length += filled;
      if (filled < PIECE) checkLength(ciphertext, length);
      if (held !== undefined) yield held;
      wipe(held);
      held = decryptor.update(buffer.subarray(0, filled));
      onProgress?.(length);
    }
    checkLength(ciphertext, length);
    if (held === undefined) return;
    const padding = ciphertext.settings.padded ? paddingLength(held, ciphertext, length) : 0;
    yield held.subarray(0, held.length - padding);
  } finally {
    wipe(held);
    await reader.close();
  }
}

async function readIv({ reader, at }: Located, { iv, block }: CipherSettings) {
  if (iv !== undefined) return { iv, start: at };
  const found = await reader.take(block);
  if (found.length === block) return { iv: found, start: at + block };
  const end = at + found.length;
  throw new TwinwrapError("BAD_FORMAT", `the file ends at byte ${end}, inside the IV`);
}

/** Opens the session key of a SIMPLEBLOB; the caller wipes it. */
function importOld(
  blob: Uint8Array,
  key: RsaPrivateKey,
  { padding = "pkcs1-v1_5" }: OldFileOptions,
) {
  return importSimpleBlob(blob, key, padding);
}

/** The session key in the SIMPLEBLOB that is a file of its own, if it is one. */
async function separateKey(key: RsaPrivateKey, options: OldFileOptions) {
  const { blob: path } = options;
  if (path === undefined) return undefined;
  return about(path, async () => importOld(await readSmall(path), key, options));
}

/**
 * Opens a file that a CryptoAPI program encrypted, and works with it.
 * @throws UsageError, CryptoApiError; TwinwrapError BAD_FORMAT, DECRYPTION_FAILED, UNSUPPORTED, the last
 *   three also while the plaintext is read
 */
export async function withOldFile<T>(
  input: string,
  options: OldFileOptions,
  onProgress: ((bytes: number) => void) | undefined,
  work: (old: OldFile) => Promise<T>,
): Promise<T> {
  const { layout, skip = 0, allowWeak = false } = options;
  if ((options.blob === undefined) === (layout === undefined)) {
    throw new UsageError(
      "where is the session key? Give --blob FILE, or --layout if it is in the file itself",
    );
  }
  return withPrivateKeyFile(options.key, options, async (key) => {
    await about(options.key, async () => checkPublicKey(key, { allowWeak }));
    let session: PlaintextKeyBlob | undefined = await separateKey(key, options);
    let decryptor: Decryptor | undefined;
    try {
      return await withInput(input, (file) =>
        about(input, async () => {
          const located = await locate(file, layout, skip, key);
          session ??= await importOld(located.blob!, key, options);
          const settings = cipherSettings(session, options);
          const ciphertext = { session, settings, ...(await readIv(located, settings)) };
          if (located.end !== undefined) await checkEnd(file, ciphertext, located.end);
          decryptor = await makeDecryptor(session, settings, ciphertext.iv);
          const plaintext = decryptPieces(located.reader, decryptor, ciphertext, onProgress);
          return work({ session, settings, plaintext });
        }),
      );
    } finally {
      decryptor?.dispose();
      wipe(session?.key);
    }
  });
}
