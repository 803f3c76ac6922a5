import { describe, expect, test } from "vitest";
import { compile } from "./build.js";
import { aesOnlyCases, allCases } from "./cases.js";
import { ctSuite } from "./suite-ct.js";
import { Gate } from "./trace.js";
import { functionNames } from "./wasm.js";

ctSuite("core", "simd", allCases());
ctSuite("core-aes", "simd", aesOnlyCases());

// A gate that cannot fail proves nothing: leaks planted in the core's sources must be seen.
describe("a planted leak is seen", () => {
  const cases = allCases();
  const leaks = [
    {
      leak: "a table look-up in the key schedule",
      change: {
        file: "aes/key.ts",
        from: "word = subWord(rotr(word, 8)) ^ rcon;",
        to: "word = subWord(rotr(word, 8)) ^ rcon ^ <u32>load<u8>(PARAMS + 64 + (word & 255));",
      },
      seenIn: "AES-256 key schedule",
      as: /load at .* in .*aesExpand/,
    },
    {
      leak: "an early exit in the comparison of tags",
      change: {
        file: "ct.ts",
        from: "difference |= <u32>load<u8>(a + i) ^ <u32>load<u8>(b + i);",
        to: "if (load<u8>(a + i) != load<u8>(b + i)) return 0;",
      },
      seenIn: "AES-256-GCM, IV 12, AAD 0, 16 bytes: refuse",
      as: /block/,
    },
    {
      leak: "a branch that the compiler makes a selection of",
      change: {
        file: "rsa/padding.ts",
        from: "start = select(found, i + 1, start);",
        to: "start = found ? i + 1 : start;",
      },
      seenIn: "RSA-1024 v1.5: unwrapKey of 8 kinds of blocks",
      as: /select|block/,
    },
    {
      leak: "a division by a secret",
      change: {
        file: "rsa/padding.ts",
        from: "return select(good, k - start, NO_MESSAGE);",
        to: "return select(good, k - start + (k / (start | 1)) * 0, NO_MESSAGE) | (k % (start | 1) == k + 1 ? 1 : 0);",
      },
      seenIn: "RSA-1024 v1.5: unwrapKey of 8 kinds of blocks",
      as: /division/,
    },
    {
      leak: "the alignment of a secret counter",
      change: {
        file: "aes/ctr.ts",
        from: "if (kind == Count.Hidden) {",
        to: "if (kind == Count.Hidden && (counter.low & 1) != 0) {",
      },
      seenIn: "AES-256-GCM, IV 16, AAD 20, 1000 bytes: seal",
      as: /load|select|block/,
    },
  ];
  for (const { leak, change, seenIn, as } of leaks) {
    test(leak, () => {
      const wasm = compile([change]);
      const gate = new Gate(wasm, () => functionNames(wasm));
      const one = cases.find(({ name }) => name === seenIn);
      expect(gate.judge(one!).difference).toMatch(as);
    });
  }
});
