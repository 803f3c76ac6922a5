// The gate on the kernels by themselves: what an exported call gives to a product or an inverse can hardly be
// chosen, what a kernel is given can. The numbers are at the ends of their ranges, and of limbs and digits of
// nothing but zeros or ones. The core does not export these functions: a build of its own does.

import { type Change, compile } from "./build.js";
import { NUMBER_KINDS, number } from "./numbers.js";
import type { Abi, Case, Secrets } from "./trace.js";

/** What only relaxed SIMD has. */
const RELAXED_EXPORTS = `
    export { beginFused, isFused, multiplyFused, squareFused } from "./rsa/fused";
    export { multiplyHalves, prepareHalves, prepareStarts, raiseHalves } from "./rsa/halves";`;

/** What is used in its own file alone. */
const RELAXED_INTERNALS: Change[] = ["multiplyHalves", "prepareStarts"].map((name) => ({
  file: "rsa/halves.ts",
  from: `\nfunction ${name}`,
  to: `\nexport function ${name}`,
}));

/** What the build exports besides the ABI. */
const exportsFor = (target: "simd" | "relaxed"): Change => ({
  file: "index.ts",
  from: '} from "./rsa/calls";',
  to: `} from "./rsa/calls";${target === "relaxed" ? RELAXED_EXPORTS : ""}
    export {
      fromMontgomery, multiply, prepare, publicPower, square, toMontgomery,
    } from "./rsa/montgomery";
    export {
      add, difference, differenceFromOne, lessThan, multiplyAdd, readNumber, remainder, shiftIn, shiftLimbIn,
      reciprocal, subtractOnce, writeNumber,
    } from "./rsa/number";
    export { invert } from "./rsa/inverse";
    export { minusOneMultiple, squaredPower } from "./rsa/multiples";
    export { readLane, writeLane } from "./rsa/digits";
    export { multiplyLanes, squareLanes } from "./rsa/lanes";
    export { powerPrimes, preparePrimes } from "./rsa/power";
    export { TABLE } from "./rsa/scratch";
    import { ghash, prepareHash } from "./gcm/ghash";
    import { Key, KEY_SLOT_SIZE, KEYS } from "./aes/key";
    export function hashUnder(hash: usize, y: usize, from: usize, length: usize): void {
      const key = changetype<Key>(KEYS);
      key.powers = 0;
      prepareHash(key, v128.load(hash));
      v128.store(y, ghash(key, v128.load(y), from, length));
    }`,
});

/** A build of the core that exports its kernels. */
export function kernelBuild(target: "simd" | "relaxed", changes: readonly Change[] = []) {
  const internals = target === "relaxed" ? RELAXED_INTERNALS : [];
  return compile([exportsFor(target), ...internals, ...changes], target);
}

/** Whether such a build computes in digits of 50 bits here. */
export function isFused(kernels: BufferSource): boolean {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(kernels));
  return (exports.isFused as (() => number) | undefined)?.() === 1;
}

const NUMBER_SIZE = 2368;
const RUNS = 2 * NUMBER_KINDS;

/** Where numbers and what is prepared stand: in the windows. */
const at = (core: Abi) => {
  const [input, output] = [core.global("INPUT").value, core.global("OUTPUT").value] as number[];
  return {
    a: input!,
    b: input! + NUMBER_SIZE,
    out: input! + 2 * NUMBER_SIZE,
    long: input! + 4 * NUMBER_SIZE,
    m: output!,
    m2: output! + 5000,
    prepared: output! + 10_000,
  };
};

function write(core: Abi, to: number, value: bigint): void {
  const words = new Uint32Array(NUMBER_SIZE / 4);
  for (let i = 0; i < words.length && value > 0n; i++, value >>= 28n) {
    words[i] = Number(value & 0xfffffffn);
  }
  core.memory.set(new Uint8Array(words.buffer), to);
}

/** An odd modulus of exactly `bits` bits. */
const modulus = (bits: number, kind: number, random: Secrets) =>
  number(bits, kind, random) | (1n << BigInt(bits - 1)) | 1n;

/** A number below `limit`: at its ends, or of any kind. */
function below(limit: bigint, kind: number, random: Secrets): bigint {
  const ends = [0n, 1n, limit - 1n];
  return ends[kind % (NUMBER_KINDS + 3)] ?? number(limit.toString(2).length, kind, random) % limit;
}

function limbCases(bits: number, isLong: boolean): Case[] {
  const limbs = Math.ceil(bits / 28);
  /** Two numbers below the modulus, which is prepared. */
  const begin = (core: Abi, secrets: Secrets, run: number) => {
    const places = at(core);
    const m = modulus(bits, run + 1, secrets);
    write(core, places.m + 16, m);
    core.call("prepare", places.m, 3);
    const [a, b] = [below(m, run, secrets), below(m, 3 * run + 1, secrets)];
    write(core, places.a, a);
    write(core, places.b, b);
    return { ...places, m: places.m, n: m, x: a };
  };
  const name = (what: string) => `${what}, ${bits} bits`;
  return [
    {
      name: name("products and squares in limbs"),
      isLong,
      runs: RUNS,
      run: (core, secrets, run) => {
        const { a, b, out, m } = begin(core, secrets, run);
        core.call("multiply", out, a, b, m).call("square", out, a, m);
        core.call("toMontgomery", out, a, limbs, m).call("fromMontgomery", out, b, m);
        core.call("minusOneMultiple", m, 24).call("minusOneMultiple", m, 50);
        core.call("squaredPower", m, bits + 100).call("publicPower", out, a, 3, m);
      },
    },
    {
      name: name("sums, comparisons and remainders"),
      isLong,
      runs: RUNS,
      run: (core, secrets, run) => {
        const { a, b, out, long, m, n } = begin(core, secrets, run);
        core.call("add", out, a, b, limbs + 1).call("subtractOnce", out, m + 16, limbs + 1);
        core.read("lessThan", a, b, limbs);
        core.read("difference", a, b, limbs);
        core.read("differenceFromOne", a, limbs);
        core.call("shiftIn", a, run & 1, m + 16, limbs + 1);
        write(core, a, below(n, run, secrets));
        core.call("shiftLimbIn", a, m + 16, bits, limbs + 1, core.read("reciprocal", m + 16, bits));
        core.call("multiplyAdd", long, a, limbs, b, limbs);
        // As for a key: by an even number.
        write(core, b, n - 1n);
        write(core, a, number(bits + 60, run, secrets) | (1n << BigInt(bits + 59)));
        core.call("remainder", out, a, bits + 60, b, bits, limbs + 1);
        core.call("writeNumber", long, Math.ceil(bits / 8), out);
        core.call("readNumber", a, long, Math.ceil(bits / 8));
      },
    },
    {
      name: name("inverses"),
      isLong,
      runs: RUNS,
      run: (core, secrets, run) => {
        const { a, out, m } = begin(core, secrets, run);
        core.call("invert", out, a, m);
      },
    },
  ];
}

/** Digits of a number that `writeLane` could not have made: all lowest, all highest, zeros, both in turns. */
const DIGITS: ((at: number, low: number, high: number, random: () => number) => number)[] = [
  () => 0,
  (_, low) => low,
  (_, __, high) => high,
  (at, low, high) => (at % 2 === 0 ? low : high),
  (at, low) => (at % 5 < 2 ? low : 0),
  (at, _, high, random) => (at % 5 === 2 ? high : random()),
  (at, low, _, random) => (at % 7 === 3 ? low : random()),
  (_, __, ___, random) => random(),
];

function digitCases(rows: number, bits: number, isLong: boolean): Case[] {
  const [kernel, times] = bits === 24 ? ["Lanes", 8] : ["Fused", 4];
  const size = 704 * 16;
  return [
    {
      name: `products and squares modulo two numbers of ${rows} digits of ${bits} bits`,
      isLong,
      runs: 3 * DIGITS.length,
      run: (core, secrets, run) => {
        const start = core.global("INPUT").value as number;
        const f64 = new DataView(core.memory.buffer);
        const [low, high] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
        const random = () => Math.floor((secrets(4).readUInt32LE() / 2 ** 32) * 2 ** bits) + low;
        const put = (which: number, lane: number, kind: number, first?: number, last?: number) => {
          for (let i = 0; i < rows; i++) {
            let digit = DIGITS[kind % DIGITS.length]!(i, low, high, random);
            if (i === 0) digit = first ?? digit;
            if (i === rows - 1) digit = last ?? digit;
            f64.setFloat64(start + which * size + 16 * i + 8 * lane, digit, true);
          }
        };
        const top = 2 ** bits / times - 1;
        for (const lane of [0, 1]) {
          put(0, lane, run + lane, undefined, ((run % 3) - 1) * (top - 1));
          put(1, lane, 3 * run + lane, undefined, top - 1);
          put(2, lane, (run >> 1) + lane, -1, top);
        }
        const [a, b, m, out] = [0, 1, 2, 3].map((i) => start + i * size) as [
          number,
          number,
          number,
          number,
        ];
        if (bits === 50) core.call("beginFused", rows);
        core.call(`multiply${kernel}`, out, a, b, m, rows).call(`square${kernel}`, out, a, m, rows);
      },
    },
  ];
}

/** Exponents whose windows are all alike, both ends among them. */
function powerCase(bits: number, isLong: boolean): Case {
  const slow = bits > 500;
  return {
    name: `powers modulo two numbers of ${bits} bits`,
    isLong,
    runs: slow ? NUMBER_KINDS : RUNS,
    run: (core, secrets, run) => {
      const { a, b, out, long, m, m2, prepared } = at(core);
      const [p, q] = [modulus(bits, run + 1, secrets), modulus(bits, 3 * run, secrets)];
      write(core, m + 16, p);
      write(core, m2 + 16, q);
      core.call("prepare", m, 3).call("prepare", m2, 3).call("preparePrimes", prepared, m, m2);
      write(core, a, below(p, run, secrets));
      write(core, b, below(q, 3 * run + 1, secrets));
      // Windows of five bits: all 0, all 31, in turns, any.
      const windows = ["00", "ff", "e007", "f83e0f83e0", "07c1f07c1f"].map((hex) =>
        BigInt.asUintN(bits, BigInt(`0x${hex.repeat(Math.ceil(bits / 4 / hex.length))}`)),
      );
      write(core, out, windows[run % 7] ?? number(bits, run, secrets));
      write(core, long, windows[(run * 3) % 7] ?? number(bits, run + 2, secrets));
      core.call("powerPrimes", a, out, m, b, long, m2, prepared);
    },
  };
}

/** The public operation's kernel of the relaxed-SIMD build: x^e modulo one number. */
function halvesCase(bits: number, isLong: boolean): Case {
  return {
    name: `powers modulo one number of ${bits} bits, in halves`,
    isLong,
    runs: RUNS,
    run: (core, secrets, run) => {
      const { a, out, m, prepared } = at(core);
      // The modulus is public: what is done may depend on it.
      const n = modulus(bits, 8, () => Buffer.from([0x12, 0x34, 0x56, 0x78]));
      write(core, m + 16, n);
      core.call("prepare", m, 52).call("prepareHalves", prepared, m);
      write(core, a, below(n, run, secrets));
      core.call("raiseHalves", out, a, 65537, m, prepared);
    },
  };
}

function hashCases(): Case[] {
  return [16, 100, 600, 17_000].map((length) => ({
    name: `GHASH of ${length} bytes under any H`,
    isLong: length > 1000,
    runs: 16,
    run: (core, secrets, run) => {
      const { a, b, m } = at(core);
      const block = (kind: number) =>
        [Buffer.alloc(16), Buffer.alloc(16, 0xff), Buffer.alloc(16).fill(0x80, 0, 1), secrets(16)][
          kind % 4
        ]!;
      core.memory.set(block(run), a);
      core.memory.set(block(run >> 2), b);
      core.memory.set(secrets(length), m);
      core.call("hashUnder", a, b, m, length);
    },
  }));
}

/** @param fused whether the build computes in digits of 50 bits here */
export function kernelCases(fused: boolean): Case[] {
  return [
    ...limbCases(1024, false),
    // From here on columns are carried between; squares too; and at last squares are products.
    ...limbCases(3400, false),
    ...limbCases(7000, true),
    ...[12, 64, 124].flatMap((rows) => digitCases(rows, 24, false)),
    ...digitCases(684, 24, true),
    ...(fused ? [12, 32, 44].flatMap((rows) => digitCases(rows, 50, false)) : []),
    ...(fused ? [halvesCase(1024, false), halvesCase(3072, true)] : []),
    powerCase(160, false),
    powerCase(1536, true),
    ...hashCases(),
  ];
}
