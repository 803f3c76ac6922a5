import { describe, expect, test } from "vitest";
import { rc4 } from "#build/keys/rc4.js";

/** Key, offset into the key stream, and the 16 bytes that stand there: RFC 6229, section 2. */
const VECTORS: [key: string, at: number, stream: string][] = [
  ["0102030405", 0, "b2396305f03dc027ccc3524a0a1118a8"],
  ["0102030405", 16, "6982944f18fc82d589c403a47a0d0919"],
  ["0102030405", 240, "28cb1132c96ce286421dcaadb8b69eae"],
  ["0102030405", 256, "1cfcf62b03eddb641d77dfcf7f8d8c93"],
  ["0102030405", 4096, "ff25b58995996707e51fbdf08b34d875"],
  ["01020304050607", 0, "293f02d47f37c9b633f2af5285feb46b"],
  ["01020304050607", 4096, "e74b0b9731227fd37c0ec08a47ddd8b8"],
  ["0102030405060708", 4096, "3fb46e2c8f0f068edce8cdcd7dfc5862"],
  ["0102030405060708090a", 4096, "08b6be45124a43e2eb77953f84dc8553"],
  ["0102030405060708090a0b0c0d0e0f10", 0, "9ac7cc9a609d1ef7b2932899cde41b97"],
  ["0102030405060708090a0b0c0d0e0f10", 16, "5248c4959014126a6e8a84f11d1a9e1c"],
  ["0102030405060708090a0b0c0d0e0f10", 4096, "a36a4c301ae8ac13610ccbc12256cacc"],
  [
    "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    0,
    "eaa6bd25880bf93d3f5d1e4ca2611d91",
  ],
  [
    "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    4096,
    "f3e4c0a2e02d1d01f7f0a74618af2b48",
  ],
  ["833222772a", 0, "80ad97bdc973df8a2e879e92a497efda"],
  ["833222772a", 4096, "bf42c3018c2f7c66bfde524975768115"],
  ["8b37641910833222772a", 4096, "5f6bfc73815874d97100f086979357d8"],
];

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

describe("RC4", () => {
  test.each(VECTORS)("RFC 6229: key %s at %i", (key, at, stream) => {
    const out = rc4(hex(key), new Uint8Array(at + 16));
    expect(Buffer.from(out.subarray(at)).toString("hex")).toBe(stream);
  });

  test("leaves its input alone, and takes what it gave back", () => {
    const [key, data] = [hex("0102030405"), hex("00112233")];
    const locked = rc4(key, data);
    expect([key, data]).toEqual([hex("0102030405"), hex("00112233")]);
    expect(locked).toEqual(hex("b2284136")); // the stream b2 39 63 05 over the data
    expect(rc4(key, locked)).toEqual(data);
    expect(rc4(key, new Uint8Array(0)).length).toBe(0);
  });

  test.each([0, 257])("refuses a key of %i bytes", (length) => {
    expect(() => rc4(new Uint8Array(length), new Uint8Array(1))).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT" }),
    );
  });
});
