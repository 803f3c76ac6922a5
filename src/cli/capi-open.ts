import {
  CALG_RC2,
  CALG_RC4,
  decodePlaintextKeyBlob,
  PLAINTEXTKEYBLOB,
  type PlaintextKeyBlob,
} from "../blob/index.js";
import { newBytes, wipe } from "../bytes.js";
import type { Reader } from "../envelope/source.js";
import { TwinwrapError } from "../errors.js";
import { checkPublicKey, type RsaPrivateKey } from "../keys/index.js";
import { importSimpleBlob } from "./blob-import.js";
import { type Decryptor, makeDecryptor } from "./capi-ciphers.js";
import { chunkLength, PaddingWatch } from "./capi-final.js";
import { type Located, locate } from "./capi-layout.js";
import {
  checkPasswordOptions,
  type DerivedKey,
  derivedKey,
  PASSWORD_HINTS,
} from "./capi-password.js";
import { type CipherSettings, cipherSettings, type OldFileOptions } from "./capi-settings.js";
import { UsageError } from "./command.js";
import { type Input, readBlobFile, withInput, withPrivateKeyFile } from "./io.js";
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
  /** Once the plaintext was read: what of it looks as if it was encrypted in another way than was said. */
  doubt: () => string | undefined;
}

/** The ciphertext between two bytes of the file, and how it was made. */
interface Ciphertext {
  session: PlaintextKeyBlob;
  settings: CipherSettings;
  iv: Uint8Array;
  /** The byte of the file where it begins. */
  start: number;
  /** Whether the session key comes from a password. */
  isDerived: boolean;
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

/**
 * @param length bytes of ciphertext up to the end of the plaintext
 * @throws TwinwrapError DECRYPTION_FAILED if the padding at the end of the plaintext is wrong
 */
function paddingLength(
  plain: Uint8Array,
  { session, settings, start, isDerived }: Ciphertext,
  length: number,
): number {
  const { block, salt, finalEvery } = settings;
  const padding = plain.at(-1)!;
  const isRight =
    padding > 0 && padding <= block && plain.subarray(-padding).every((byte) => byte === padding);
  if (isRight) return padding;
  const options = isDerived ? [...PASSWORD_HINTS] : [];
  options.push("--mode", finalEvery === undefined ? "--unpadded" : "another --final-every");
  if (length <= block) options.push("--iv");
  if (finalEvery === undefined && length > block) options.push("--final-every");
  if (session.aiKeyAlg === CALG_RC2) {
    options.push(`--effective-bits${session.key.length === 16 ? " (40 on Windows 2000)" : ""}`);
  }
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
  const { block, finalEvery } = settings;
  const chunk = finalEvery && chunkLength(finalEvery, block, true);
  // Of the last buffer, where each was encrypted by itself.
  const size = chunk === undefined ? length : ((length - 1) % chunk) + 1;
  const before = size > block ? await file.read(end - 2 * block, block) : iv;
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
  watch: PaddingWatch,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  const { block, padded } = ciphertext.settings;
  const buffer = newBytes(PIECE);
  let held: Uint8Array | undefined;
  let length = 0;
  try {
    for (;;) {
      const filled = await reader.fill(buffer);
      if (filled === 0) break;
      length += filled;
      if (filled < PIECE) checkLength(ciphertext, length);
      if (held !== undefined) {
        watch.update(held);
        yield held;
      }
      wipe(held);
      held = decryptor.update(buffer.subarray(0, filled));
      onProgress?.(length);
    }
    checkLength(ciphertext, length);
    if (held === undefined) return;
    const padding = padded ? paddingLength(held, ciphertext, length) : 0;
    watch.update(padded ? held.subarray(0, held.length - block) : held);
    yield held.subarray(0, held.length - padding);
  } finally {
    wipe(held);
    await reader.close();
  }
}

/** Decrypts buffers that were encrypted one by one, each with its own padding and from the IV on. */
async function* decryptBuffers(
  reader: Reader,
  ciphertext: Ciphertext,
  every: number,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  const { session, settings, iv, start } = ciphertext;
  const { block, padded } = settings;
  const chunk = chunkLength(every, block, padded);
  const buffer = newBytes(Math.max(1, Math.floor(PIECE / chunk)) * chunk);
  let plain: Uint8Array | undefined;
  let length = 0;
  let isShort = false;
  try {
    for (;;) {
      const filled = await reader.fill(buffer);
      if (filled === 0) break;
      checkLength(ciphertext, length + filled);
      plain = newBytes(filled);
      let used = 0;
      for (let at = 0; at < filled; at += chunk) {
        if (isShort) throw anotherEvery(every, start + length);
        const piece = buffer.subarray(at, Math.min(at + chunk, filled));
        length += piece.length;
        const decryptor = await makeDecryptor(session, settings, iv);
        let part: Uint8Array | undefined;
        try {
          part = decryptor.update(piece);
          const size = part.length - (padded ? paddingLength(part, ciphertext, length) : 0);
          if (size > every) throw anotherEvery(every, start + length);
          isShort = size < every;
          plain.set(part.subarray(0, size), used);
          used += size;
        } finally {
          wipe(part);
          decryptor.dispose();
        }
      }
      onProgress?.(length);
      yield plain.subarray(0, used);
      wipe(plain);
    }
    checkLength(ciphertext, length);
  } finally {
    wipe(plain);
    await reader.close();
  }
}

function anotherEvery(every: number, at: number): TwinwrapError {
  return new TwinwrapError(
    "DECRYPTION_FAILED",
    `the buffer that ends at byte ${at} does not hold ${every} bytes: the file was altered, or --final-every is another`,
  );
}

async function readIv({ reader, at }: Located, { iv, block }: CipherSettings) {
  if (iv !== undefined) return { iv, start: at };
  const found = await reader.take(block);
  if (found.length === block) return { iv: found, start: at + block };
  const end = at + found.length;
  throw new TwinwrapError("BAD_FORMAT", `the file ends at byte ${end}, inside the IV`);
}

/** Where a session key comes from, once that is known. */
interface Source {
  /** What opens SIMPLEBLOBs. */
  key?: RsaPrivateKey;
  /** Unless it is a SIMPLEBLOB in the file itself. */
  session?: PlaintextKeyBlob;
  /** Of a password. */
  leftOver?: Uint8Array;
}

/** @throws UsageError unless the options name one source of the session key */
function checkSource(options: OldFileOptions): void {
  const { blob, layout, passwordFile } = options;
  if ([blob, layout, passwordFile].filter((option) => option !== undefined).length !== 1) {
    throw new UsageError(
      "where is the session key? Give --blob FILE, or --layout if it is in the file itself, or --password-file if it is derived from a password",
    );
  }
  if (passwordFile !== undefined && options.key !== undefined) {
    throw new UsageError("-k does not go with --password-file: there is no blob to open");
  }
  checkPasswordOptions(options);
}

/** Works with the source of the session key, and wipes what it holds. */
async function withSource<T>(
  options: OldFileOptions,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const { passwordFile, blob: path } = options;
  let blob: Uint8Array | undefined;
  let source: DerivedKey | { session: PlaintextKeyBlob } | undefined;
  try {
    if (passwordFile !== undefined) {
      source = await derivedKey(passwordFile, options);
      return await work(source);
    }
    if (path !== undefined) {
      blob = (await readBlobFile(path)).bytes;
      const bytes = blob;
      if (bytes[0] === PLAINTEXTKEYBLOB) {
        source = { session: await about(path, async () => decodePlaintextKeyBlob(bytes)) };
        return await work(source);
      }
    }
    return await withUnwrapping(options, async (key) => {
      if (path === undefined || blob === undefined) return work({ key });
      const bytes = blob;
      const session = await about(path, () => importOld(bytes, key, options));
      source = { session };
      return work(source);
    });
  } finally {
    wipe(blob, source?.session.key, source && "leftOver" in source ? source.leftOver : undefined);
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

/** Opens the session key of a SIMPLEBLOB; the caller wipes it. */
function importOld(
  blob: Uint8Array,
  key: RsaPrivateKey,
  { padding = "pkcs1-v1_5" }: OldFileOptions,
) {
  return importSimpleBlob(blob, key, padding);
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
  const { layout, skip = 0 } = options;
  checkSource(options);
  return withSource(options, async ({ key, leftOver, ...source }) => {
    let { session } = source;
    let decryptor: Decryptor | undefined;
    try {
      return await withInput(input, (file) =>
        about(input, async () => {
          const located = await locate(file, layout, skip, key);
          session ??= await importOld(located.blob!, key!, options);
          const settings = cipherSettings(session, options, leftOver);
          const isDerived = leftOver !== undefined;
          const place = await readIv(located, settings);
          const ciphertext = { session, settings, isDerived, ...place };
          if (located.end !== undefined) await checkEnd(file, ciphertext, located.end);
          const { finalEvery } = settings;
          const watch = new PaddingWatch(settings.block);
          let plaintext: AsyncIterable<Uint8Array>;
          if (finalEvery === undefined) {
            decryptor = await makeDecryptor(session, settings, ciphertext.iv);
            const { reader } = located;
            plaintext = decryptPieces(reader, decryptor, ciphertext, watch, onProgress);
          } else {
            plaintext = decryptBuffers(located.reader, ciphertext, finalEvery, onProgress);
          }
          return work({ session, settings, plaintext, doubt: () => doubtOf(ciphertext, watch) });
        }),
      );
    } finally {
      decryptor?.dispose();
      wipe(session?.key);
    }
  });
}

/** What should not be taken for the plaintext without a look. */
function doubtOf({ session, isDerived }: Ciphertext, watch: PaddingWatch): string | undefined {
  const every = watch.bufferLength();
  if (every !== undefined) {
    return `it looks as if every ${every} bytes were encrypted by themselves (Final = TRUE), and then this is wrong: try --final-every ${every}`;
  }
  if (isDerived && session.aiKeyAlg === CALG_RC4) {
    return "with CALG_RC4 nothing shows whether the password is right: look at what came out";
  }
  return undefined;
}
