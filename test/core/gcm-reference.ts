// GCM's field as SP 800-38D writes it, on BigInt.
import { createCipheriv } from "node:crypto";

/** A product in GCM's field, as SP 800-38D, section 6.3, has it, bit by bit; x^0 is the top bit. */
export function times(x: bigint, y: bigint): bigint {
  let product = 0n;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= y;
    y = y & 1n ? (y >> 1n) ^ (0xe1n << 120n) : y >> 1n;
  }
  return product;
}

/** The IV of 16 bytes whose first counter block is `counter`: GHASH backwards. */
export function ivFor(key: Uint8Array, counter: string): Uint8Array {
  const ecb = createCipheriv(`aes-${key.length * 8}-ecb`, key, null);
  const h = BigInt(`0x${ecb.update(new Uint8Array(16)).toString("hex")}`);
  let inverse = 1n << 127n; // 1; then h^(2^128 - 2) by squaring
  let square = h;
  for (let i = 1; i < 128; i++) {
    square = times(square, square);
    inverse = times(inverse, square);
  }
  const iv = times(times(BigInt(`0x${counter}`), inverse) ^ 128n, inverse);
  return new Uint8Array(Buffer.from(iv.toString(16).padStart(32, "0"), "hex"));
}
