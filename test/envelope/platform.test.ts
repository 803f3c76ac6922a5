import { createCipheriv, randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { free } from "#build/bytes.js";
import { setChunkNonce } from "#build/envelope/cobblestone.js";
import { NativeCipher } from "#build/envelope/native.js";
import { WebCryptoEngine } from "#build/envelope/webcrypto.js";

// What the platform's engines leave behind; that they seal and open like the others is in engines.test.ts.

const { transfer } = ArrayBuffer.prototype as { transfer?: unknown };
afterEach(() => {
  if (transfer === undefined) delete (ArrayBuffer.prototype as { transfer?: unknown }).transfer;
  else Object.assign(ArrayBuffer.prototype, { transfer });
});

test("without ArrayBuffer.prototype.transfer, arrays are given back, too", () => {
  delete (ArrayBuffer.prototype as { transfer?: unknown }).transfer;
  const whole = new Uint8Array(16384);
  free(whole);
  expect(whole.buffer.byteLength).toBe(0);
  const part = new Uint8Array(new ArrayBuffer(64), 0, 32);
  free(part);
  expect(part.length).toBe(32);
});

/** The arrays that are given back from now on. */
function watchFreed() {
  const freed: { length: number; isWiped: boolean }[] = [];
  Object.assign(ArrayBuffer.prototype, {
    transfer(this: ArrayBuffer, length: number) {
      expect(length).toBe(0);
      const bytes = new Uint8Array(this);
      freed.push({ length: bytes.length, isWiped: bytes.every((byte) => byte === 0) });
      return new ArrayBuffer(0);
    },
  });
  return freed;
}

test("arrays of OpenSSL's are wiped, and given back where the engine can", () => {
  const freed = watchFreed();
  const [key, baseNonce] = [new Uint8Array(randomBytes(32)), new Uint8Array(12)];
  const plaintext = new Uint8Array(randomBytes(16384));
  const expected = createCipheriv("aes-256-gcm", key, baseNonce);
  const sealed = Buffer.concat([
    expected.update(plaintext),
    expected.final(),
    expected.getAuthTag(),
  ]);
  const cipher = new NativeCipher({ key, baseNonce });
  const into = new Uint8Array(16400);
  cipher.sealChunk(0, plaintext, into);
  expect(sealed.equals(into)).toBe(true);
  expect(freed.splice(0)).toEqual([{ length: 16384, isWiped: false }]);
  const opened = new Uint8Array(16384);
  cipher.openChunk(0, into, opened);
  expect(opened).toEqual(plaintext);
  into[3]! ^= 1;
  expect(() => cipher.openChunk(0, into, opened)).toThrow(/could not be decrypted|decrypt/);
  expect(freed).toEqual([1, 2].map(() => ({ length: 16384, isWiped: true })));
  cipher.dispose();
  expect([...key, ...baseNonce].every((byte) => byte === 0)).toBe(true);
});

test("WebCrypto's arrays, too, and those behind a chunk that is not authentic", async () => {
  const [key, baseNonce] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(12))];
  const plaintext = randomBytes(3 * 16384);
  const sealed = [0, 1, 2].flatMap((index) => {
    const nonce = new Uint8Array(12);
    setChunkNonce(nonce, baseNonce, index);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    const chunk = plaintext.subarray(index * 16384, (index + 1) * 16384);
    return [cipher.update(chunk), cipher.final(), cipher.getAuthTag()];
  });
  const buffer = new Uint8Array(Buffer.concat(sealed)).buffer;
  new Uint8Array(buffer)[20_000]! ^= 1; // in the second
  const engine = await WebCryptoEngine.create({ key, baseNonce }, "open");
  const freed = watchFreed();
  const { length, error } = await engine.work({ index: 0, length: buffer.byteLength, buffer });
  expect(error).toMatchObject({ code: "DECRYPTION_FAILED" });
  expect(length).toBe(16384);
  expect(plaintext.subarray(0, 16384).equals(new Uint8Array(buffer, 0, 16384))).toBe(true);
  expect(freed).toEqual([1, 3].map(() => ({ length: 16384, isWiped: true })));
  engine.dispose();
  expect([...key, ...baseNonce].every((byte) => byte === 0)).toBe(true);
});
