import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openssl } from "../openssl.js";
import { encryptAs, rc2, rc4 } from "./ciphers.js";

const bytes = (hex: string) => Buffer.from(hex, "hex");

test.each([
  [63, "0000000000000000", "0000000000000000", "ebb773f993278eff"],
  [64, "ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"],
  [64, "3000000000000000", "1000000000000001", "30649edf9be7d2c2"],
  [64, "88", "0000000000000000", "61a8a244adacccf0"],
  [64, "88bca90e90875a", "0000000000000000", "6ccf4308974c267f"],
  [64, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "1a807d272bbe5db1"],
  [128, "88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"],
  [
    129,
    "88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e",
    "0000000000000000",
    "5b78d3a43dfff1f1",
  ],
])("RC2, RFC 2268 section 5: %i effective bits, key %s", (bits, key, plain, cipher) => {
  // ECB; the block that follows is the padding's.
  expect(rc2(bytes(key), bits, bytes(plain)).subarray(0, 8)).toEqual(bytes(cipher));
});

test.each([
  ["0102030405", "b2396305f03dc027ccc3524a0a1118a8"],
  ["01020304050607", "293f02d47f37c9b633f2af5285feb46b"],
  ["0102030405060708", "97ab8a1bf0afb96132f2f67258da15a8"],
  ["0102030405060708090a0b0c0d0e0f10", "9ac7cc9a609d1ef7b2932899cde41b97"],
])("RC4, RFC 6229: key %s", (key, stream) => {
  expect(rc4(bytes(key), Buffer.alloc(16))).toEqual(bytes(stream));
});

const haveLegacy = spawnSync("openssl", ["list", "-providers", "-provider", "legacy"]).status === 0;

test.skipIf(!haveLegacy).each([
  ["CALG_RC2", 16, "rc2-cbc"],
  ["CALG_RC4", 16, "rc4"],
  ["CALG_DES", 8, "des-cbc"],
  ["CALG_3DES_112", 16, "des-ede-cbc"],
  ["CALG_3DES", 24, "des-ede3-cbc"],
] as const)(
  "%s with %i bytes is OpenSSL's %s (needs its legacy provider)",
  (algorithm, length, name) => {
    const key = randomBytes(length);
    const iv = randomBytes(8);
    const start = name === "rc4" ? [] : ["-iv", iv.toString("hex")];
    const providers = ["-provider", "legacy", "-provider", "default"];
    for (const size of [0, 7, 8, 1000]) {
      const plain = randomBytes(size);
      const args = ["enc", `-${name}`, "-K", key.toString("hex"), ...start, ...providers];
      expect(encryptAs(algorithm, key, plain, { iv })).toEqual(openssl(args, plain));
    }
  },
);
