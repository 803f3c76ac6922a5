// Montgomery products, inverses and remainders of the core by themselves: limbs of nothing but ones, and every
// length at which something changes, against BigInt. The core does not export them: a build of its own does.

import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { kernelBuild } from "../ct/kernels.js";
import { checkKernel, Places } from "./kernels.js";
import { bitLength, modPow, toBig } from "./rsa-reference.js";

const module = await WebAssembly.compile(await kernelBuild("simd"));
const core = new WebAssembly.Instance(module).exports as Record<string, CallableFunction> & {
  memory: WebAssembly.Memory;
  TABLE: WebAssembly.Global;
};

/** Bytes that a number has, and a modulus with its fields in front and R² behind. */
const [NUMBER, FIELDS] = [2368, 16];
const words = new Uint32Array(core.memory.buffer);
const [M, A, B, OUT] = [0, 1, 2, 3].map((i) => core.TABLE.value + i * 16_384) as [
  number,
  number,
  number,
  number,
];

function put(at: number, value: bigint): void {
  words.fill(0, at / 4, at / 4 + NUMBER / 4);
  for (let i = 0, rest = value; rest > 0n; i++, rest >>= 28n) {
    words[at / 4 + i] = Number(rest & 0xfffffffn);
  }
}

/** A number of so many limbs, each of which must have its 28 bits and no more. */
function get(at: number, limbs: number): bigint {
  const stored = words.subarray(at / 4, at / 4 + limbs);
  expect(Math.max(...stored)).toBeLessThan(2 ** 28);
  const digits = Array.from(stored, (limb) => limb.toString(16).padStart(7, "0"));
  return BigInt(`0x${digits.reverse().join("")}`);
}

const ones = (bits: number) => (1n << BigInt(bits)) - 1n;
const random = (bits: number) => toBig(randomBytes(Math.ceil(bits / 8))) & ones(bits);

/** Odd numbers of so many bits. */
const moduli = (bits: number) => [
  ones(bits),
  ones(bits) ^ (random(27) << 1n), // ones but for the lowest limb, so that quotients are anything
  (ones(bits) ^ random(bits)) | (1n << BigInt(bits - 1)) | 1n,
  (1n << BigInt(bits - 1)) | 1n,
  (1n << BigInt(bits - 1)) | ones(bits >> 1),
];

/** Factors below twice the modulus. */
function factors(m: bigint): bigint[] {
  const bits = bitLength(m);
  const sparse = BigInt(`0x${"0000000fffffff".repeat(bits / 56 + 1)}`) & ones(bits - 1);
  return [2n * m - 1n, m + (random(bits) % m), ones(bits), m - 1n, sparse, m, 1n, 0n];
}

/** Sets the modulus; gives the limbs of R, and of a result. */
function prepare(m: bigint): { rows: number; columns: number; R: bigint } {
  words.fill(0, M / 4, M / 4 + FIELDS / 4);
  put(M + FIELDS, m);
  core.prepare!(M, 3);
  const [bits, rows, columns] = words.subarray(M / 4, M / 4 + 3) as unknown as [
    number,
    number,
    number,
  ];
  expect(bits).toBe(bitLength(m));
  expect(rows * 28).toBeGreaterThanOrEqual(bits + 3);
  return { rows, columns, R: 1n << BigInt(28 * rows) };
}

// Columns are carried from 122 limbs on, in a square of its own also from 242 on another way.
const SIZES = [
  64,
  512,
  521,
  1024,
  28 * 120 - 3,
  28 * 122 - 3,
  4096,
  28 * 180 - 3,
  28 * 240 - 3,
  28 * 242 - 3,
  8704,
  16384,
];

describe("Montgomery products", () => {
  test.each(SIZES)("modulo numbers of %i bits", (bits) => {
    for (const m of moduli(bits)) {
      const { columns, R } = prepare(m);
      expect(get(M + FIELDS + NUMBER, columns)).toBe((R * R) % m);
      const list = factors(m);
      for (const [i, a] of list.entries()) {
        const b = list[(i * 3 + 1) % list.length]!;
        for (const [run, x, y] of [
          [() => core.multiply!(OUT, A, B, M), a, b],
          [() => core.multiply!(OUT, A, A, M), a, a],
          [() => core.square!(OUT, A, M), a, a],
        ] as const) {
          put(A, x);
          put(B, y);
          run();
          const result = get(OUT, columns);
          expect((result * R - x * y) % m).toBe(0n);
          expect(result < 2n * m).toBe(true);
        }
      }
      // One factor below 8m, the other below m.
      put(A, 8n * m - 1n);
      put(B, m - 1n);
      core.multiply!(OUT, A, B, M);
      expect((get(OUT, columns) * R - (8n * m - 1n) * (m - 1n)) % m).toBe(0n);
    }
  });

  test.each([512, 1031, 4096])("powers modulo numbers of %i bits, below the modulus", (bits) => {
    for (const m of moduli(bits)) {
      const { columns } = prepare(m);
      for (const x of [0n, 1n, m - 1n, m, m + 1n, 4n * m - 1n, ones(bits), random(bits)]) {
        for (const e of [3n, 5n, 65537n]) {
          put(A, x);
          core.publicPower!(OUT, A, Number(e), M);
          expect(get(OUT, columns)).toBe(modPow(x, e, m));
        }
      }
    }
  });

  test.each([512, 1024, 1031, 4096])(
    "there and back, and longer numbers, modulo %i bits",
    (bits) => {
      for (const m of moduli(bits)) {
        const { rows, columns, R } = prepare(m);
        for (const limbs of [1, rows - 1, rows, rows + 1, 2 * rows, 2 * rows + 1]) {
          if (limbs > 590) continue;
          for (const x of [ones(28 * limbs), random(28 * limbs), 0n, 1n]) {
            put(A, x);
            core.toMontgomery!(OUT, A, limbs, M);
            expect((get(OUT, columns) - x * R) % m).toBe(0n);
            core.fromMontgomery!(OUT, OUT, M);
            expect(get(OUT, columns)).toBe(x % m);
          }
        }
      }
    },
  );
});

describe("products modulo two numbers, 24 bits a digit", () => {
  const places = new Places(core);
  beforeAll(() => void words.fill(0, M / 4, OUT / 4 + 4096)); // limbs are no digits
  const kernel = {
    bits: 24,
    turn: (rows: number) => rows,
    times: 8,
    slack: 32,
    prepare: () => {},
    multiply: (rows: number) => core.multiplyLanes!(places.out, places.a, places.b, places.m, rows),
    square: (rows: number) => core.squareLanes!(places.out, places.a, places.m, rows),
  };
  test.each([4, 8, 12, 60, 64, 120, 124, 172, 344])("%i digits", (rows) =>
    checkKernel(places, kernel, rows),
  );
});

describe("inverses", () => {
  const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

  test.each([64, 71, 512, 521, 1024, 2048])("modulo numbers of %i bits", (bits) => {
    for (const m of moduli(bits)) {
      const { columns } = prepare(m);
      for (const x of [1n, 2n, 3n, m - 1n, m - 2n, m >> 1n, ones(bits - 1), random(bits) % m]) {
        if (x < 1n || gcd(x, m) !== 1n) continue;
        put(A, x);
        core.invert!(OUT, A, M);
        const inverse = get(OUT, columns);
        expect((inverse * x) % m).toBe(1n);
        expect(inverse < m).toBe(true);
      }
    }
  });
});

describe("plain numbers", () => {
  test.each([64, 100, 512, 1019])("remainders by numbers of %i bits", (bits) => {
    // p - 1, by which a key's exponents are checked, is even.
    for (const m of [...moduli(bits), ...moduli(bits).map((odd) => odd - 1n)]) {
      const count = Math.ceil((bits + 4) / 28);
      for (const length of [bits - 1, bits, bits + 1, 2 * bits, 2 * bits + 31]) {
        for (const x of [ones(length), random(length), m, m - 1n, m + 1n]) {
          put(A, x);
          put(B, m);
          core.remainder!(OUT, A, Math.max(length, bitLength(x)), B, bitLength(m), count);
          expect(get(OUT, count)).toBe(x % m);
        }
      }
    }
  });

  test("bytes to limbs, comparing, and products with carries over many limbs", () => {
    for (const bytes of [1, 3, 7, 8, 14, 63, 64, 65]) {
      const [x, y] = [ones(8 * bytes), random(8 * bytes)];
      for (const value of [x, y, 1n]) {
        const given = Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex");
        new Uint8Array(core.memory.buffer).set(given, B);
        core.readNumber!(OUT, B, bytes);
        expect(get(OUT, 40)).toBe(value);
      }
      const limbs = Math.ceil((8 * bytes) / 28);
      put(A, x);
      put(B, x);
      put(OUT, x);
      core.multiplyAdd!(OUT, A, limbs, B, limbs);
      expect(get(OUT, 2 * limbs)).toBe(x * x + x);
      for (const [a, b] of [
        [x, x],
        [x, x - 1n],
        [x - 1n, x],
        [x >> 29n, x],
        [x, x >> 29n],
        [y, x - y],
      ] as const) {
        put(A, a);
        put(B, b);
        expect(core.lessThan!(A, B, 40)).toBe(a < b ? -1 : 0);
        core.subtractOnce!(A, B, 40);
        expect(get(A, 40)).toBe(a < b ? a : a - b);
      }
    }
  });
});
