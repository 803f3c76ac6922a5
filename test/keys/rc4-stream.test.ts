import { expect, test } from "vitest";
import { Rc4 } from "#build/keys/rc4.js";

// RFC 6229, section 2: the key stream of 0102030405 at 0 and at 4096, from a cipher that is fed in
// pieces of every length.
test.each([1, 7, 16, 255, 256, 4096, 5000])("RC4 in pieces of %i bytes", (piece) => {
  const cipher = new Rc4(Uint8Array.of(1, 2, 3, 4, 5));
  const parts: Uint8Array[] = [];
  for (let left = 4112; left > 0; left -= piece) {
    parts.push(cipher.update(new Uint8Array(Math.min(left, piece))));
  }
  const stream = Buffer.concat(parts);
  expect(stream.subarray(0, 16).toString("hex")).toBe("b2396305f03dc027ccc3524a0a1118a8");
  expect(stream.subarray(4096).toString("hex")).toBe("ff25b58995996707e51fbdf08b34d875");
});

test("a cipher that was disposed of has nothing of its key stream left", () => {
  const cipher = new Rc4(Uint8Array.of(1, 2, 3, 4, 5));
  cipher.update(new Uint8Array(100));
  cipher.dispose();
  expect(cipher.update(new Uint8Array(1000))).toEqual(new Uint8Array(1000));
});

test("a key of 256 bytes that is one of 128 said twice is the same", () => {
  const [key, nothing] = [Uint8Array.from({ length: 128 }, (_, i) => i * 7), new Uint8Array(300)];
  const stream = new Rc4(key).update(nothing.slice());
  expect(new Rc4(Uint8Array.from([...key, ...key])).update(nothing.slice())).toEqual(stream);
});
