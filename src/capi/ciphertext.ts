import type { PlaintextKeyBlob } from "../blob/index.js";
import { newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { Anywhere, Reader } from "../source.js";
import { algorithmOf } from "./algorithms.js";
import { type Decryptor, makeDecryptor } from "./ciphers.js";
import { chunkLength, type PaddingWatch } from "./paddings.js";
import type { Platform } from "./platform.js";
import { type CipherSettings, SALTED_KEY } from "./settings.js";

// Decrypts the ciphertext of an old file, piece by piece. Nothing in it is authenticated, and errors say what is
// wrong: this is for a person's own files, never for files that others send in.

/** Bytes that are decrypted at a time: whole blocks of any cipher. */
const PIECE = 1 << 18;

/** Where the ciphertext is in the file, and how it was made. */
export interface Ciphertext {
  platform: Platform;
  session: PlaintextKeyBlob;
  settings: CipherSettings;
  iv: Uint8Array;
  /** The byte of the file where it begins. */
  start: number;
  /** Whether the session key comes from a password. */
  isDerived: boolean;
}

type OnProgress = ((bytes: number) => void) | undefined;

const decryptorOf = ({ platform, session, settings }: Ciphertext, iv: Uint8Array) =>
  makeDecryptor(platform, session, settings, iv);

/** @throws TwinwrapError BAD_FORMAT if ciphertext cannot have this length */
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
      `the ciphertext from byte ${start} on has ${length} bytes, no multiple of ${block}: the file was cut, or \`layout\`, \`skip\` or \`iv\` is another`,
    );
  }
}

/** What else may be wrong if a key from a password does not fit. */
const PASSWORD_HINTS = [
  "another password",
  "`hash`",
  "`algorithm`",
  "`passwordEncoding`",
  "`passwordZero`",
];

/** Which options may be wrong if a padding is wrong. */
function paddingHints({ session, settings, isDerived }: Ciphertext, length: number): string[] {
  const { block, salt, finalEvery } = settings;
  const hints = isDerived ? [...PASSWORD_HINTS] : [];
  hints.push("`mode`", finalEvery === undefined ? "`unpadded`" : "another `finalEvery`");
  if (length <= block) hints.push("`iv`");
  if (finalEvery === undefined && length > block) hints.push("`finalEvery`");
  if (algorithmOf(session.aiKeyAlg).hasEffectiveBits) {
    hints.push(`\`effectiveBits\`${session.key.length === 16 ? " (40 on Windows 2000)" : ""}`);
  }
  if (salt.length > 0 || session.key.length === SALTED_KEY) hints.push("`salt` or `salt: false`");
  return hints;
}

/**
 * @param length bytes of ciphertext up to the end of the plaintext
 * @throws TwinwrapError DECRYPTION_FAILED if the padding at the end of the plaintext is wrong
 */
function paddingLength(plain: Uint8Array, ciphertext: Ciphertext, length: number): number {
  const { block } = ciphertext.settings;
  const padding = plain.at(-1)!;
  const isRight =
    padding > 0 && padding <= block && plain.subarray(-padding).every((byte) => byte === padding);
  if (isRight) return padding;
  const at = ciphertext.start + length - block;
  const hints = paddingHints(ciphertext, length).join(", ");
  throw new TwinwrapError(
    "DECRYPTION_FAILED",
    `the padding in the last block, at byte ${at}, is wrong: the file was cut or altered, or it was encrypted in another way (${hints})`,
  );
}

/**
 * Checks the padding at the end before any work is done. In every mode the last block opens with the block before
 * it as its IV.
 */
export async function checkEnd(file: Anywhere, ciphertext: Ciphertext, end: number): Promise<void> {
  const { settings, iv, start } = ciphertext;
  const length = end - start;
  checkLength(ciphertext, length);
  if (!settings.padded) return;
  const { block, finalEvery } = settings;
  const chunk = finalEvery && chunkLength(finalEvery, block, true);
  // Buffers that were encrypted one by one: this is the last of them.
  const size = chunk === undefined ? length : ((length - 1) % chunk) + 1;
  const before = size > block ? await file.read(end - 2 * block, block) : iv;
  const decryptor = await decryptorOf(ciphertext, before);
  let plain: Uint8Array | undefined;
  try {
    plain = decryptor.update(await file.read(end - block, block));
    paddingLength(plain, ciphertext, length);
  } finally {
    wipe(plain);
    decryptor.dispose();
  }
}

/** Decrypts one message. Holds back each piece until it is known whether it is the last. */
export async function* decryptMessage(
  reader: Reader,
  ciphertext: Ciphertext,
  watch: PaddingWatch,
  onProgress: OnProgress,
): AsyncGenerator<Uint8Array> {
  const { block, padded } = ciphertext.settings;
  const buffer = newBytes(PIECE);
  let decryptor: Decryptor | undefined;
  let held: Uint8Array | undefined;
  let length = 0;
  try {
    decryptor = await decryptorOf(ciphertext, ciphertext.iv);
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
    decryptor?.dispose();
    await reader.close();
  }
}

function anotherEvery(every: number, at: number): TwinwrapError {
  return new TwinwrapError(
    "DECRYPTION_FAILED",
    `the buffer that ends at byte ${at} does not hold ${every} bytes: the file was altered, or \`finalEvery\` is another`,
  );
}

/**
 * Decrypts one buffer that has its own padding and begins with the IV.
 * @param end bytes of ciphertext up to its end
 * @returns its plaintext, which the caller wipes, and the length of that
 */
async function decryptBuffer(
  piece: Uint8Array,
  ciphertext: Ciphertext,
  every: number,
  end: number,
): Promise<{ plain: Uint8Array; size: number }> {
  const decryptor = await decryptorOf(ciphertext, ciphertext.iv);
  let plain: Uint8Array | undefined;
  try {
    plain = decryptor.update(piece);
    const padding = ciphertext.settings.padded ? paddingLength(plain, ciphertext, end) : 0;
    const size = plain.length - padding;
    if (size > every) throw anotherEvery(every, ciphertext.start + end);
    return { plain, size };
  } catch (error) {
    wipe(plain);
    throw error;
  } finally {
    decryptor.dispose();
  }
}

/** Decrypts buffers that were encrypted one by one. Only the last may be shorter than `every` bytes. */
export async function* decryptBuffers(
  reader: Reader,
  ciphertext: Ciphertext,
  every: number,
  onProgress: OnProgress,
): AsyncGenerator<Uint8Array> {
  const { settings, start } = ciphertext;
  const chunk = chunkLength(every, settings.block, settings.padded);
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
        const part = await decryptBuffer(piece, ciphertext, every, length);
        isShort = part.size < every;
        plain.set(part.plain.subarray(0, part.size), used);
        wipe(part.plain);
        used += part.size;
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
