// Leaks for the gate's own test: one of each kind of thing that it must see, planted in the core's sources. One
// build has all of them; a global says which of them leaks.

import type { Change } from "./build.js";
import { kernelBuild } from "./kernels.js";

export interface Leak {
  leak: string;
  file: string;
  /** What stands in the file; `LEAKS` in `to` is whether this leak leaks. */
  from: string;
  to: string;
  /** The cases that must see it, and what they must say. */
  seenIn: string[];
  as: RegExp;
}

const FILLED = "f64x2.splat";

export const LEAKS: Leak[] = [
  {
    leak: "a table look-up in the key schedule",
    file: "aes/key.ts",
    from: "word = subWord(rotr(word, 8)) ^ rcon;",
    to: `word = subWord(rotr(word, 8)) ^ rcon;
      if (LEAKS) word ^= <u32>load<u8>(PARAMS + 64 + (word & 255));`,
    seenIn: ["AES-256 key schedule"],
    as: /load at .* in .*aesExpand/,
  },
  {
    leak: "an early exit in the comparison of tags",
    file: "ct.ts",
    from: "difference |= <u32>load<u8>(a + i) ^ <u32>load<u8>(b + i);",
    to: `{
      if (LEAKS && load<u8>(a + i) != load<u8>(b + i)) return 0;
      difference |= <u32>load<u8>(a + i) ^ <u32>load<u8>(b + i);
    }`,
    seenIn: [
      "AES-256-GCM, IV 12, AAD 0, 16 bytes: refuse",
      "AES-256-GCM in pieces, IV 12, refused",
      "comparing 32 bytes: others",
    ],
    as: /block/,
  },
  {
    leak: "a branch that the compiler makes a selection of",
    file: "rsa/padding.ts",
    from: "start = select(found, i + 1, start);",
    to: "start = LEAKS ? (found ? i + 1 : start) : select(found, i + 1, start);",
    seenIn: ["RSA-1024 v1.5: unwrapKey of 8 kinds of blocks"],
    as: /select|block/,
  },
  {
    leak: "a division by a secret",
    file: "rsa/padding.ts",
    from: "return select(good, k - start, NO_MESSAGE);",
    to: `if (LEAKS) start += (k / (start | 1)) >> 31;
      return select(good, k - start, NO_MESSAGE);`,
    seenIn: ["RSA-1024 v1.5: unwrapKey of 8 kinds of blocks"],
    as: /division/,
  },
  {
    leak: "the remainder of a secret",
    file: "kw/kw.ts",
    from: "let good = zeroMask(load<u32>(OUTPUT) ^ PADDED_IV);",
    to: `let good = zeroMask(load<u32>(OUTPUT) ^ PADDED_IV);
      if (LEAKS) good |= <u32>(load<u64>(OUTPUT) % (load<u64>(OUTPUT, 8) | 1) == 1);`,
    seenIn: ["AES-256-KWP, 33 to 40 bytes: unwrap"],
    as: /division/,
  },
  {
    leak: "the alignment of a secret counter",
    file: "aes/ctr.ts",
    from: "if (kind == Count.Hidden) {",
    to: "if (kind == Count.Hidden && (!(LEAKS) || (counter.low & 1) != 0)) {",
    seenIn: ["AES-256-GCM, IV 16, AAD 20, 1000 bytes: seal"],
    as: /load|select|block/,
  },
  {
    leak: "a secret counter that comes to its end",
    file: "aes/ctr.ts",
    from: "const next = (low & 0xffffffff00000000) | ((low + i) & 0xffffffff);",
    to: `const next = (low & 0xffffffff00000000) | ((low + i) & 0xffffffff);
      if (LEAKS && <u32>(low + i) == 0) store<u8>(OUTPUT, 0);`,
    seenIn: ["AES-256-GCM, IV 16, any first counter"],
    as: /block/,
  },
  {
    leak: "vectors that are divided",
    file: "rsa/lanes.ts",
    from: "const d0 = v128.load(a);",
    to: `if (LEAKS) v128.store(a, f64x2.div(f64x2.mul(v128.load(a), ${FILLED}(3)), ${FILLED}(3)));
      const d0 = v128.load(a);`,
    seenIn: [
      "products and squares modulo two numbers of 12 digits of 24 bits",
      "RSA-1024 v1.5: unwrapKey of 8 kinds of blocks",
    ],
    as: /division/,
  },
  {
    leak: "square roots of vectors",
    file: "rsa/lanes.ts",
    from: "const d1 = v128.load(a, 16);",
    to: `if (LEAKS) v128.store(COLUMNS, f64x2.sqrt(v128.load(a, 16)));
      const d1 = v128.load(a, 16);`,
    seenIn: ["products and squares modulo two numbers of 12 digits of 24 bits"],
    as: /square root/,
  },
  {
    leak: "the lesser of two vectors",
    file: "rsa/lanes.ts",
    from: "const d2 = v128.load(a, 32);",
    to: `if (LEAKS) v128.store(a, f64x2.min(v128.load(a, 32), ${FILLED}(1e9)), 32);
      const d2 = v128.load(a, 32);`,
    seenIn: ["products and squares modulo two numbers of 12 digits of 24 bits"],
    as: /minimum/,
  },
  {
    leak: "a product that is subnormal",
    file: "rsa/lanes.ts",
    from: "const d3 = v128.load(a, 48);",
    to: `const d3 = v128.load(a, 48);
      if (LEAKS) v128.store(COLUMNS, f64x2.mul(f64x2.mul(d3, ${FILLED}(1e-300)), ${FILLED}(1e-20)));`,
    seenIn: [
      "products and squares modulo two numbers of 12 digits of 24 bits",
      "RSA-1024 v1.5: unwrapKey of 8 kinds of blocks",
    ],
    as: /a subnormal number in a product/,
  },
  {
    leak: "a square root and an unsigned conversion",
    file: "rsa/digits.ts",
    from: "const digit = carry + <i64>(three & mask);",
    to: `const digit = carry + <i64>(three & mask);
      if (LEAKS) store<f64>(out, sqrt<f64>(<f64>(three & mask)));`,
    seenIn: ["RSA-1024: loading a private key"],
    as: /square root|conversion/,
  },
  {
    leak: "a comparison of floating-point numbers",
    file: "rsa/digits.ts",
    from: "store<f64>(out, <f64>(digit - (carry << bits)));",
    to: `store<f64>(out, <f64>(digit - (carry << bits)));
      if (LEAKS) {
        if (load<f64>(out) == 0.5) store<f64>(out, 0);
      }`,
    seenIn: ["RSA-1024: loading a private key"],
    as: /comparison/,
  },
  {
    leak: "the zeros in front of a secret",
    file: "rsa/inverse.ts",
    from: "const odd = -(g & 1);",
    to: `const odd = -(g & 1);
      if (LEAKS) MATRIX.u = clz(g);`,
    seenIn: ["inverses, 1024 bits"],
    as: /zeros/,
  },
  {
    leak: "a column between whose carry is left out",
    file: "rsa/lanes.ts",
    from: "const high = rounded(x, rounder);",
    to: `const high = rounded(x, rounder);
      if (LEAKS && !v128.any_true(high)) continue;`,
    seenIn: [
      "products and squares modulo two numbers of 64 digits of 24 bits",
      "products and squares modulo two numbers of 124 digits of 24 bits",
    ],
    as: /block/,
  },
  {
    leak: "a column of limbs between whose carry is left out",
    file: "rsa/montgomery.ts",
    from: "    store<u64>(t, carry & MASK);\n",
    to: `    if (LEAKS && carry == 0) continue;
      store<u64>(t, carry & MASK);\n`,
    seenIn: ["products and squares in limbs, 3400 bits"],
    as: /block/,
  },
  {
    leak: "a second message under a key",
    file: "gcm/gcm.ts",
    from: "if (!key.hasHash) prepareHash(key, v128.load(STATE));",
    to: `if (!key.hasHash) prepareHash(key, v128.load(STATE));
      else if (LEAKS && (load<u8>(changetype<usize>(key)) & 1)) prepareHash(key, key.hash);`,
    seenIn: ["AES-256-GCM, three messages under one key, IV 12"],
    as: /block/,
  },
  {
    leak: "a message whose counter begins like the one before",
    file: "aes/ctr.ts",
    from: "compare(place, group(0));",
    to: `if (LEAKS && (load<u8>(changetype<usize>(group(0))) & 1)) compare(place, group(1));
      compare(place, group(0));`,
    seenIn: ["AES-256-GCM, three long messages whose counters begin alike"],
    as: /block/,
  },
  {
    leak: "SHA-512 that takes what fills up a block",
    file: "hash/hash.ts",
    from: "const missing = min(size - held, length);",
    to: `const missing = min(size - held, length);
      if (LEAKS && hash == SHA512 && length > 0 && (load<u8>(data) & 1)) store<u8>(context, load<u8>(context));`,
    seenIn: [
      "SHA-512 in pieces: parts of blocks, up to a block, over one, nothing",
      "HKDF with SHA-512: two blocks in pieces, a key of a block",
    ],
    as: /block/,
  },
  {
    leak: "OAEP with another hash than SHA-1",
    file: "rsa/padding.ts",
    from: "good &= ~found | equalMask(byte, 1);",
    to: `if (LEAKS && hash != 0 && found) good &= equalMask(byte, 1);
      else good &= ~found | equalMask(byte, 1);`,
    seenIn: [
      "RSA-1024 OAEP SHA-256: unwrapKey of 8 kinds of blocks",
      "RSA-1536 OAEP SHA-512: unwrapKey of 8 kinds of blocks",
    ],
    as: /block|select/,
  },
  {
    leak: "primes of unequal length",
    file: "rsa/operation.ts",
    from: "subtractLifted(RESULT, REMAINDER, p);",
    to: `if (LEAKS && p.rows != q.rows && (get(RESULT, 0) & 1)) set(BLINDED, 591, 0);
      subtractLifted(RESULT, REMAINDER, p);`,
    seenIn: ["RSA-1024 with a p of 300 bits v1.5: unwrapKey of 8 kinds of blocks"],
    as: /block/,
  },
  {
    leak: "an IV over the window",
    file: "gcm/gcm.ts",
    from: "if (total == 0) {",
    to: `if (total == 0) {
      if (LEAKS && (load<u8>(INPUT) & 1)) store<u8>(OUTPUT, 0);`,
    seenIn: ["AES-256-GCM, an IV in two pieces, the first of 1000 bytes"],
    as: /block/,
  },
  {
    leak: "a limb of nothing but ones",
    file: "rsa/montgomery.ts",
    from: "let t = carry + load<u64>(COLUMNS) + <u64>limb0 * b0;",
    to: `let t = carry + load<u64>(COLUMNS) + <u64>limb0 * b0;
      if (LEAKS && limb0 == MASK) store<u32>(PIECE, 0);`,
    seenIn: [
      "products and squares in limbs, 1024 bits",
      "RSA-1024 v1.5: unwrapKey of chosen numbers",
    ],
    as: /block/,
  },
  {
    leak: "a limb of nothing but zeros",
    file: "rsa/montgomery.ts",
    from: "const limb1 = <u64>load<u32>(x, 4);",
    to: `const limb1 = <u64>load<u32>(x, 4);
      if (LEAKS && limb1 == 0) store<u32>(PIECE, 0);`,
    seenIn: ["products and squares in limbs, 3400 bits"],
    as: /block/,
  },
  {
    leak: "a quotient of nothing but ones",
    file: "rsa/montgomery.ts",
    from: "const quotient1 = (<u32>t * inverse) & MASK;",
    to: `const quotient1 = (<u32>t * inverse) & MASK;
      if (LEAKS && quotient1 == MASK) store<u32>(PIECE, 0);`,
    seenIn: ["products and squares in limbs, 1024 bits"],
    as: /block/,
  },
  {
    leak: "the lowest digit that there is",
    file: "rsa/lanes.ts",
    from: "const a0 = v128.load(a);",
    // -2^23
    to: `const a0 = v128.load(a);
      if (LEAKS && load<u64>(a) == 0xc160000000000000) v128.store(COLUMNS, v128.load(COLUMNS));`,
    seenIn: ["products and squares modulo two numbers of 12 digits of 24 bits"],
    as: /block/,
  },
  {
    leak: "a window of nothing but ones",
    file: "rsa/power.ts",
    from: "const one = i32x4.splat(1);",
    to: `const one = i32x4.splat(1);
      if (LEAKS && p == 31 && q == 31) v128.store(out, one);`,
    seenIn: ["powers modulo two numbers of 160 bits"],
    as: /block|select/,
  },
  {
    leak: "a block of GHASH that is zero",
    file: "gcm/ghash.ts",
    from: "let p = zero(), q = zero();",
    to: `let p = zero(), q = zero();
      if (LEAKS && !v128.any_true(y)) return y;`,
    seenIn: ["GHASH of 16 bytes under any H"],
    as: /block/,
  },
];

/** Those of the relaxed-SIMD build, in what only it has: digits of 50 bits, where they are computed in. */
export const FUSED_LEAKS: Leak[] = [
  {
    leak: "the lowest digit of 50 bits that there is",
    file: "rsa/fused.ts",
    from: "const d0 = v128.load(a);",
    // -2^49
    to: `const d0 = v128.load(a);
      if (LEAKS && load<u64>(a) == 0xc300000000000000) v128.store(COLUMNS, v128.load(COLUMNS));`,
    seenIn: ["products and squares modulo two numbers of 12 digits of 50 bits"],
    as: /block/,
  },
  {
    leak: "vectors of digits of 50 bits that are divided",
    file: "rsa/fused.ts",
    from: "const d1 = v128.load(a, 16);",
    to: `const d1 = v128.load(a, 16);
      if (LEAKS) v128.store(COLUMNS, f64x2.div(d1, ${FILLED}(3)));`,
    seenIn: ["products and squares modulo two numbers of 12 digits of 50 bits"],
    as: /division/,
  },
  {
    leak: "a subnormal product and sum in one step",
    file: "rsa/fused.ts",
    from: "const d2 = v128.load(a, 32);",
    to: `const d2 = v128.load(a, 32);
      if (LEAKS) v128.store(COLUMNS, fma(fma(d2, ${FILLED}(1e-300), ${FILLED}(0)), ${FILLED}(1e-30), ${FILLED}(0)));`,
    seenIn: [
      "products and squares modulo two numbers of 12 digits of 50 bits",
      "RSA-1024 v1.5: unwrapKey of 8 kinds of blocks",
    ],
    as: /a subnormal number in a product/,
  },
  {
    leak: "a digit that is zero, of a number in halves",
    file: "rsa/halves.ts",
    from: "const w0 = v128.load64_splat(from);",
    to: `const w0 = v128.load64_splat(from);
      if (LEAKS && load<u64>(from) == 0) v128.store(c, v128.load(c));`,
    seenIn: ["powers modulo one number of 1024 bits, in halves"],
    as: /block/,
  },
  {
    leak: "a quotient that is zero",
    file: "rsa/number.ts",
    from: "let below: u32 = 0;",
    to: `let below: u32 = 0;
      if (LEAKS && quotient == 0) set(a, 590, 0);`,
    seenIn: ["sums, comparisons and remainders, 1024 bits"],
    as: /block/,
  },
];

/** The kernels' build with all of these in it: the one whose number `LEAK` has, from 1, leaks. */
export function leakyBuild(leaks: readonly Leak[], target: "simd" | "relaxed") {
  const changes: Change[] = leaks.map(({ file, from, to }, i) => ({
    file,
    from,
    to: to.replaceAll("LEAKS", `LEAK == ${i + 1}`),
  }));
  const files = new Set(leaks.map(({ file }) => file));
  return kernelBuild(target, [
    ...changes,
    { file: "memory.ts", from: "", to: "export let LEAK: i32 = 0;" },
    { file: "index.ts", from: "", to: 'export { LEAK } from "./memory";' },
    ...[...files].map((file) => ({
      file,
      from: "",
      to: `import { LEAK } from "${file.includes("/") ? "../" : "./"}memory";`,
    })),
  ]);
}
