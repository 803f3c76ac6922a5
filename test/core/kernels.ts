// Products of numbers in digits, as functions of the kernel: of digits at the ends of their ranges, against BigInt.
import { randomInt } from "node:crypto";
import { expect } from "vitest";

/** Digits, lowest first. */
type Digits = number[];

const value = (digits: Digits, bits: number) =>
  digits.reduceRight((sum, digit) => (sum << BigInt(bits)) + BigInt(digit), 0n);
const size = (x: bigint) => (x < 0n ? -x : x);

/** Where digit `i` of the number at `at` stands; `turn` of them in a lane. */
const place = (at: number, i: number, lane: number, turn: number) =>
  at / 8 + 2 * (i % turn) + lane + Math.floor(i / turn);

/** Four places in a core's memory for numbers: two factors, the modulus, the result. */
export class Places {
  readonly memory: Float64Array;
  readonly a: number;
  readonly b: number;
  readonly m: number;
  readonly out: number;

  constructor(core: { memory: WebAssembly.Memory; TABLE: WebAssembly.Global }) {
    this.memory = new Float64Array(core.memory.buffer);
    const table: number = core.TABLE.value;
    [this.a, this.b, this.m, this.out] = [0, 1, 2, 3].map((i) => table + i * 16_384) as [
      number,
      number,
      number,
      number,
    ];
  }

  write(at: number, digits: Digits, lane: number, turn: number): void {
    const { memory } = this;
    for (let i = 0; i < 4; i++) memory.fill(0, at / 8 + 2 * turn, at / 8 + 2 * turn + 8);
    digits.forEach((digit, i) => {
      memory[place(at, i, lane, turn)] = digit;
    });
  }

  read(at: number, rows: number, lane: number, turn: number): Digits {
    return Array.from({ length: rows }, (_, i) => this.memory[place(at, i, lane, turn)]!);
  }
}

/** Numbers whose digits are all the lowest, the highest, both in turns, and random. */
function patterns(rows: number, bits: number): Digits[] {
  const [low, high] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const random = () => Math.floor((randomInt(2 ** 40) / 2 ** 40) * 2 ** bits) + low;
  const kinds: ((i: number) => number)[] = [
    () => low,
    () => high,
    (i) => (i % 2 === 0 ? low : high),
    (i) => (i % 3 === 0 ? high : low),
    (i) => (i % 5 < 2 ? low : 0),
    random,
    random,
  ];
  return kinds.map((kind) => Array.from({ length: rows }, (_, i) => kind(i)));
}

/** Moduli: -1 modulo 2^bits, and R is `times` of them or a little more. */
const moduli = (rows: number, bits: number, times: number): Digits[] =>
  patterns(rows, bits).map((digits) => [-1, ...digits.slice(1, -1), 2 ** bits / times - 1]);

/** Factors between -m and m, and next to both. */
function factors(modulus: Digits, bits: number): Digits[] {
  const top = modulus.at(-1)!;
  return [
    modulus,
    modulus.map((digit) => -digit),
    ...patterns(modulus.length, bits).flatMap((digits) => [
      [...digits.slice(0, -1), top - 1],
      [...digits.slice(0, -1), 1 - top],
    ]),
    modulus.map((_, i) => (i === 0 ? 1 : 0)),
    modulus.map(() => 0),
  ];
}

export interface Kernel {
  bits: number;
  /** Digits in a lane, of so many. */
  turn: (rows: number) => number;
  /** R is at least so many moduli. */
  times: number;
  /** What a digit of a result may be beyond half of 2^bits: carries that are left. */
  slack: number;
  prepare: (rows: number) => void;
  multiply: (rows: number) => void;
  square?: (rows: number) => void;
}

/** The product and the square of many numbers of so many digits. */
export function checkKernel(places: Places, kernel: Kernel, rows: number): void {
  const { bits, slack } = kernel;
  const turn = kernel.turn(rows);
  const lanes = turn === rows ? 2 : 1;
  const R = 1n << BigInt(bits * rows);
  const halves = turn !== rows;
  kernel.prepare(rows);
  const all = moduli(rows, bits, kernel.times);
  for (let at = 0; at < all.length; at++) {
    // In the other lane the next modulus, so that nothing may be mixed up.
    const m = [all[at]!, all[(at + 1) % all.length]!].slice(0, lanes);
    const choices = m.map((digits) => factors(digits, bits));
    // halves.ts keeps the modulus without its lowest digit.
    for (const [lane, digits] of m.entries()) {
      places.write(places.m, halves ? [0, ...digits.slice(1)] : digits, lane, turn);
    }
    for (let i = 0; i < choices[0]!.length; i++) {
      const j = (i * 5 + at) % choices[0]!.length;
      const a = choices.map((list) => list[i]!);
      const b = choices.map((list) => list[j]!);
      for (const [run, other] of [
        [kernel.multiply, b],
        [kernel.square, a],
      ] as const) {
        if (!run) continue;
        for (let lane = 0; lane < lanes; lane++) {
          places.write(places.a, a[lane]!, lane, turn);
          places.write(places.b, b[lane]!, lane, turn);
        }
        run(rows);
        for (let lane = 0; lane < lanes; lane++) {
          const digits = places.read(places.out, rows, lane, turn);
          const [x, y, n] = [a[lane]!, other[lane]!, m[lane]!].map((d) => value(d, bits)) as [
            bigint,
            bigint,
            bigint,
          ];
          expect(digits.every(Number.isSafeInteger)).toBe(true);
          const result = value(digits, bits);
          expect((result * R - x * y) % n).toBe(0n);
          expect(size(result) <= size(n)).toBe(true);
          const largest = Math.max(...digits.slice(0, -1).map(Math.abs));
          expect(largest).toBeLessThanOrEqual(2 ** (bits - 1) + slack);
        }
      }
    }
  }
}
