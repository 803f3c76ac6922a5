import { describe, expect, test } from "vitest";
import { Rc2 } from "#build/capi/rc2.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

describe("RC2", () => {
  // RFC 2268, section 5: all of its examples.
  test.each([
    ["00000000 00000000", 63, "00000000 00000000", "ebb773f9 93278eff"],
    ["ffffffff ffffffff", 64, "ffffffff ffffffff", "278b27e4 2e2f0d49"],
    ["30000000 00000000", 64, "10000000 00000001", "30649edf 9be7d2c2"],
    ["88", 64, "00000000 00000000", "61a8a244 adacccf0"],
    ["88bca90e 90875a", 64, "00000000 00000000", "6ccf4308 974c267f"],
    ["88bca90e 90875a7f 0f79c384 627bafb2", 64, "00000000 00000000", "1a807d27 2bbe5db1"],
    ["88bca90e 90875a7f 0f79c384 627bafb2", 128, "00000000 00000000", "2269552a b0f85ca6"],
    [
      "88bca90e 90875a7f 0f79c384 627bafb2 16f80a6f 85920584 c42fceb0 be255daf 1e",
      129,
      "00000000 00000000",
      "5b78d3a4 3dfff1f1",
    ],
  ])("RFC 2268, section 5: %s, %i effective bits", (key, bits, plain, cipher) => {
    const rc2 = new Rc2(bytes(key), bits);
    const block = new Uint8Array(24);
    rc2.encryptBlock(bytes(`00 ${plain}`), 1, block, 8);
    expect(hex(block)).toBe(hex(bytes(`${"00".repeat(8)} ${cipher} ${"00".repeat(8)}`)));
    rc2.decryptBlock(block, 8, block, 16);
    expect(hex(block.subarray(16))).toBe(hex(bytes(plain)));
  });

  test("keys and effective bits that there are none of", () => {
    const badArgument = expect.objectContaining({ code: "BAD_ARGUMENT" });
    for (const length of [0, 129]) {
      expect(() => new Rc2(new Uint8Array(length), 64)).toThrow(badArgument);
    }
    for (const bits of [0, 1025, 40.5, Number.NaN]) {
      expect(() => new Rc2(new Uint8Array(16), bits)).toThrow(badArgument);
    }
  });
});
