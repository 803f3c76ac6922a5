import { createCipheriv, randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { free } from "#build/bytes.js";
import { NativeCipher } from "#build/envelope/native.js";

// What the engine "native" leaves behind; that it seals and opens like the others is in engines.test.ts.

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

test("arrays of OpenSSL's are wiped, and given back where the engine can", () => {
  const freed: { length: number; isWiped: boolean }[] = [];
  Object.assign(ArrayBuffer.prototype, {
    transfer(this: ArrayBuffer, length: number) {
      expect(length).toBe(0);
      const bytes = new Uint8Array(this);
      freed.push({ length: bytes.length, isWiped: bytes.every((byte) => byte === 0) });
      return new ArrayBuffer(0);
    },
  });
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
