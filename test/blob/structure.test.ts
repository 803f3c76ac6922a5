import fc from "fast-check";
import {
  CryptoApiError,
  cngBlobType,
  decodeBlob,
  decodeCngRsaKey,
  decodePvk,
  decodeStrongName,
  describeBlob,
  encodeSimpleBlob,
  isStrongName,
  NTE_ERRORS,
} from "twinwrap/blob";
import { describe, expect, test } from "vitest";
import { isQuick, some, stride } from "../quick.js";

// Blobs and PVK files, broken by structure: every header field with every value that matters, every
// length, cut at each byte, with whatever stands behind. What must come of each is worked out here a
// second time, from docs/format.md: its tables of layouts and of decisions.

const REFUSALS = Object.keys(NTE_ERRORS);
const PVK_MAGIC = 0xb0b5f11e;

/** Lengths of the session keys by ALG_ID, as the table in docs/format.md has them. */
const SESSION: Record<number, [number, number]> = {
  26113: [8, 8],
  26114: [5, 128],
  26115: [24, 24],
  26121: [16, 16],
  26126: [16, 16],
  26127: [24, 24],
  26128: [32, 32],
  26625: [5, 16],
};
const RSA = [0xa400, 0x2400];

const u32 = (bytes: Buffer, at: number) => (at + 4 > bytes.length ? -1 : bytes.readUInt32LE(at));

/** The BLOBHEADER's fault, if it has one. */
function headerFault(bytes: Buffer, types: number[], algorithms: number[]): string | undefined {
  if (bytes.length < 8) return "NTE_BAD_DATA";
  if (!types.includes(bytes[0]!)) return "NTE_BAD_TYPE";
  if (bytes[1] !== 2) return "NTE_BAD_VER";
  if (bytes.readUInt16LE(2) !== 0) return "NTE_BAD_DATA";
  return algorithms.includes(u32(bytes, 4)) ? undefined : "NTE_BAD_ALGID";
}

/** Whether a modulus of so many bits can have this most significant byte. */
const fits = (bits: number, byte: number) => byte < 2 ** (((bits - 1) % 8) + 1);

/** What must come of a blob: an error's name, or "accepted". */
function verdict(bytes: Buffer): string {
  const bType = bytes[0];
  const isRsa = bType === 6 || bType === 7;
  const algorithms = isRsa ? RSA : Object.keys(SESSION).map(Number);
  const fault = headerFault(bytes, [1, 6, 7, 8], algorithms);
  if (fault !== undefined) return fault;
  const accepted = (holds: boolean) => (holds ? "accepted" : "NTE_BAD_DATA");
  if (bType === 1) {
    if (bytes.length < 12) return "NTE_BAD_DATA";
    if (u32(bytes, 8) !== 0xa400) return "NTE_BAD_ALGID";
    const block = bytes.length - 12;
    return accepted(block >= 48 && block <= 2048 + 64);
  }
  if (bType === 8) {
    const size = u32(bytes, 8);
    const [least, most] = SESSION[u32(bytes, 4)]!;
    const trailing = bytes.length - 12 - size;
    return accepted(size >= least && size <= most && trailing >= 0 && trailing <= 64);
  }
  const bits = u32(bytes, 12);
  const k = Math.ceil(bits / 8);
  const sound =
    u32(bytes, 8) === (bType === 6 ? 0x31415352 : 0x32415352) &&
    bits >= 384 &&
    bits <= 16384 &&
    fits(bits, bytes[20 + k - 1] ?? 0);
  if (!sound) return "NTE_BAD_DATA";
  const shortest = 20 + k + (bType === 7 ? 5 * Math.ceil(k / 2) : 0);
  if (bType === 7 && bytes.length === shortest) return "accepted"; // d is missing
  const trailing = bytes.length - shortest - (bType === 7 ? k : 0);
  return accepted(trailing >= 0 && trailing <= 64);
}

/** The same of a PVK file, as far as it shows without its passphrase. */
function pvkVerdict(bytes: Buffer): string {
  if (u32(bytes, 0) !== PVK_MAGIC) return "NTE_BAD_DATA";
  const [version, keySpec, encryptType] = [4, 8, 12].map((at) => u32(bytes, at));
  const [salt, size] = [u32(bytes, 16), u32(bytes, 20)];
  if (version! > 0) return "NTE_BAD_VER";
  if (keySpec !== 1 && keySpec !== 2) return "NTE_BAD_DATA";
  if (encryptType !== 0 && encryptType !== 1) return "NTE_BAD_DATA";
  if (salt > 0 !== (encryptType === 1) || size < 0) return "NTE_BAD_DATA";
  const end = 24 + salt + size;
  if (end > bytes.length) return "NTE_BAD_DATA";
  const blob = bytes.subarray(24 + salt, end);
  const fault = headerFault(blob, [7], RSA) ?? (encryptType === 0 ? verdict(blob) : "accepted");
  if (fault !== "accepted") return fault;
  if (encryptType === 1 && blob.length < 8 + 12 + 48 + 5 * 24) return "NTE_BAD_DATA";
  return bytes.length - end <= 64 ? "accepted" : "NTE_BAD_DATA";
}

const CNG_MAGICS = [0x31415352, 0x32415352, 0x33415352];

/** The same of an RSA key of CNG. */
function cngVerdict(bytes: Buffer): string {
  const [bits, e, n, p, q] = [4, 8, 12, 16, 20].map((at) => u32(bytes, at)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const k = Math.ceil(bits / 8);
  const kind = CNG_MAGICS.indexOf(u32(bytes, 0));
  const within = (value: number, low: number, high: number) => value >= low && value <= high;
  const [low, high] = kind === 0 ? [0, 0] : [1, k];
  const sound = within(bits, 384, 16384) && within(e, 1, k) && n === k;
  if (!sound || !within(p, low, high) || !within(q, low, high)) return "NTE_BAD_DATA";
  const trailing = bytes.length - (24 + e + k + p + q + (kind === 2 ? 2 * p + q + k : 0));
  return within(trailing, 0, 64) && fits(bits, bytes[24 + e]!) ? "accepted" : "NTE_BAD_DATA";
}

const isClass = (algId: number, algClass: number) =>
  algId >= 0 && algId < 65536 && (algId & 0xe000) === algClass;

/** Whether it is to be read as the public half of a strong name key. */
const beginsStrongName = (bytes: Buffer) =>
  bytes.length >= 14 &&
  bytes[12] === 6 &&
  isClass(u32(bytes, 0), 0x2000) &&
  isClass(u32(bytes, 4), 0x8000);

/** The same of the public half of a strong name key. */
function strongNameVerdict(bytes: Buffer): string {
  const end = 12 + u32(bytes, 8);
  if (end > bytes.length) return "NTE_BAD_DATA";
  const fault = verdict(bytes.subarray(12, end));
  if (fault !== "accepted") return fault;
  return bytes.length - end <= 64 ? "accepted" : "NTE_BAD_DATA";
}

/** The verdict on whatever a file begins as. */
function verdictOn(bytes: Buffer): string {
  if (u32(bytes, 0) === PVK_MAGIC) return pvkVerdict(bytes);
  if (beginsStrongName(bytes)) return strongNameVerdict(bytes);
  return CNG_MAGICS.includes(u32(bytes, 0)) ? cngVerdict(bytes) : verdict(bytes);
}

/** What does come of it, and where. */
function answer(bytes: Buffer): { nte: string; offset?: number } {
  try {
    const isFile = u32(bytes, 0) === PVK_MAGIC;
    if (isFile) decodePvk(bytes);
    else if (isStrongName(bytes)) decodeStrongName(bytes);
    else if (cngBlobType(bytes) !== undefined) decodeCngRsaKey(bytes);
    else decodeBlob(bytes);
    return { nte: "accepted" };
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    return { nte: error.nte, offset: error.offset };
  }
}

/** Checks the decoder against the verdict, and the description against the decoder. */
function check(bytes: Buffer, what: string): void {
  const expected = verdictOn(bytes);
  const { nte, offset } = answer(bytes);
  const { fields, problem } = describeBlob(bytes, { secrets: true });
  const explained = fields.map(({ hex }) => hex).join("");
  const said = problem === undefined ? "accepted" : problem.nte;
  const holds =
    nte === expected &&
    said === expected &&
    offset === problem?.offset &&
    (offset ?? 0) <= bytes.length &&
    explained === bytes.toString("hex");
  if (holds) return; // expect() only where it fails: there are hundreds of thousands of cases
  const found = { what, nte, said, offset, explained };
  const wanted = { what, nte: expected, said: expected, offset: problem?.offset };
  expect(found).toEqual({ ...wanted, explained: bytes.toString("hex") });
}

const numbers = (length: number, seed: number) =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff));
const words = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
};
const HEADER = (type: number, algorithm: number) => [words(0x200 | type), words(algorithm)];

/** 520 bits: an odd number of bytes, so that half of them is not whole. */
const K = 65;
const simple = Buffer.concat([...HEADER(1, 0x6610), words(0xa400), numbers(K, 3)]);
const plaintext = Buffer.concat([...HEADER(8, 0x6610), words(32), numbers(32, 5)]);
const publicKey = Buffer.concat([
  ...HEADER(6, 0xa400),
  words(0x31415352, 8 * K, 65537),
  numbers(K, 7),
]);
const privateKey = Buffer.concat([
  ...HEADER(7, 0xa400),
  words(0x32415352, 8 * K, 65537),
  numbers(K + 5 * 33 + K, 9),
]);
const pvk = Buffer.concat([words(PVK_MAGIC, 0, 1, 0, 0, privateKey.length), privateKey]);
const locked = Buffer.concat([
  words(PVK_MAGIC, 0, 2, 1, 16, privateKey.length),
  numbers(16, 11),
  privateKey,
]);
const cngPublic = Buffer.concat([words(0x31415352, 8 * K, 3, K, 0, 0), numbers(3 + K, 13)]);
const cngPrivate = Buffer.concat([
  words(0x32415352, 8 * K, 3, K, 33, 32),
  numbers(3 + K + 33 + 32, 15),
]);
const cngFull = Buffer.concat([
  words(0x33415352, 8 * K, 3, K, 33, 32),
  numbers(3 + K + 3 * 33 + 2 * 32 + K, 17),
]);
const strongName = Buffer.concat([words(0x2400, 0x8004, publicKey.length), publicKey]);
const every = Object.entries({
  ...{ simple, plaintext, publicKey, privateKey, pvk, locked },
  ...{ cngPublic, cngPrivate, cngFull, strongName },
});

/** Bytes of each one's headers. */
const HEADERS: Record<string, number> = {
  simple: 12,
  plaintext: 12,
  publicKey: 20,
  privateKey: 20,
  pvk: 24 + 20,
  locked: 24 + 16 + 8,
  cngPublic: 24,
  cngPrivate: 24,
  cngFull: 24,
  strongName: 12 + 20,
};

/** Values at which something may turn over, for a field of 32 bits. */
const INTERESTING = [
  ...Array.from({ length: 33 }, (_, bit) => [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]).flat(),
  ...[2 ** 32 - 8, 2 ** 32 - 2, 384, 376, 392, 16384, 16376, 16392, 520, 519, 521, 512, 528],
  ...[0xa400, 0x2400, 0x2200, 0xaa01, 0x8004, PVK_MAGIC, ...CNG_MAGICS, 0x32535344],
  ...Object.keys(SESSION).map(Number),
].filter((value) => value >= 0 && value < 2 ** 32);

describe.each(every)("%s", (name, blob) => {
  test("as it is", () => {
    expect(answer(blob)).toEqual({ nte: "accepted" });
    check(blob, name);
  });

  test("every byte of the headers with every value", () => {
    for (let at = 0; at < HEADERS[name]!; at++) {
      for (let value = 0; value < 256; value += value < 3 ? 1 : stride(7)) {
        const altered = Buffer.from(blob);
        altered[at] = value;
        check(altered, `${name}, byte ${at} = ${value}`);
      }
    }
  });

  test("every four bytes of the headers with every value that matters", () => {
    for (let at = 0; at + 4 <= HEADERS[name]!; at++) {
      for (const value of some(INTERESTING, 3)) {
        const altered = Buffer.from(blob);
        altered.writeUInt32LE(value, at);
        check(altered, `${name}, at ${at} = ${value}`);
      }
    }
  });

  test("cut at each byte", () => {
    for (let length = 0; length < blob.length; length++) {
      check(Buffer.from(blob.subarray(0, length)), `${name}, ${length} bytes`);
    }
  });

  test("with bytes behind it, zeros as Windows leaves them and others", () => {
    for (let length = 0; length <= 80; length++) {
      for (const filler of [0, 1, 0xff]) {
        check(Buffer.concat([blob, Buffer.alloc(length, filler)]), `${name} and ${length} bytes`);
      }
    }
  });

  test("several fields at once, and cut or longer", () => {
    const field = fc.record({
      at: fc.nat(HEADERS[name]! - 4),
      value: fc.constantFrom(...INTERESTING),
    });
    const change = fc.record({
      fields: fc.array(field, { maxLength: 3 }),
      length: fc.nat(blob.length + 80),
    });
    fc.assert(
      fc.property(change, ({ fields, length }) => {
        const altered = Buffer.concat([blob, Buffer.alloc(80)]).subarray(0, length);
        for (const { at, value } of fields) {
          if (at + 4 <= altered.length) altered.writeUInt32LE(value, at);
        }
        check(altered, JSON.stringify({ fields, length }));
      }),
      { numRuns: isQuick ? 500 : 3000 },
    );
  });
});

describe("every length", () => {
  test("of a session key, said and there", () => {
    for (const algorithm of Object.keys(SESSION).map(Number)) {
      for (let size = 0; size <= 140; size += size < 34 ? 1 : stride(3)) {
        for (const there of [size - 1, size, size + 64, size + 65].filter((n) => n >= 0)) {
          const blob = Buffer.concat([...HEADER(8, algorithm), words(size), numbers(there, 1)]);
          check(blob, `${algorithm}, ${size} of ${there}`);
        }
      }
    }
  });

  test("of an RSA block", () => {
    const lengths = [...Array(130).keys(), 255, 256, 257, 2047, 2048, 2112, 2113, 5000];
    for (const length of lengths) {
      check(Buffer.concat([...HEADER(1, 0x6610), words(0xa400), numbers(length, 1)]), `${length}`);
    }
  });

  test("of a modulus, said and there", () => {
    const sizes = [...Array(80).keys(), 127, 128, 129, 2047, 2048, 2049, 8192, 0x1fffffff];
    for (const bits of sizes.flatMap((k) => [8 * k - 1, 8 * k, 8 * k + 1])) {
      const k = Math.ceil(bits / 8);
      if (bits < 0 || k > 9000) continue;
      for (const more of [-1, 0, 1, 8, 64, 65]) {
        const head = (type: number, magic: number) =>
          Buffer.concat([...HEADER(type, 0x2400), words(magic, bits, 3)]);
        const body = (length: number) => Buffer.alloc(Math.max(length + more, 0), 0x5a);
        const half = Math.ceil(k / 2);
        const open = Buffer.concat([head(6, 0x31415352), body(k)]);
        const secret = [k + 5 * half, 2 * k + 5 * half].map((length) =>
          Buffer.concat([head(7, 0x32415352), body(length)]),
        );
        for (const blob of [open, ...secret]) check(blob, `${bits} bits, ${more} more`);
        const [, whole] = secret;
        for (const size of [whole!.length - 1, whole!.length, whole!.length + 1]) {
          const file = Buffer.concat([words(PVK_MAGIC, 0, 1, 0, 0, size), whole!]);
          check(file, `PVK, ${bits} bits, ${more} more, cbPvk ${size}`);
        }
      }
    }
  });

  test("of a PVK file's salt and key, said and there", () => {
    for (const salt of [0, 1, 7, 16, 17, 1000, 2 ** 31, 2 ** 32 - 1]) {
      for (const size of [0, 7, 8, 187, 188, privateKey.length, 5000, 2 ** 32 - 1]) {
        for (const there of [0, 8, 16, 24, 300, 2000]) {
          for (const type of [0, 1, 2, 3]) {
            const head = words(PVK_MAGIC, 0, 1, type, salt, size);
            const file = Buffer.concat([head, numbers(Math.min(salt, 1000), 1), privateKey]);
            check(Buffer.from(file.subarray(0, 24 + there)), JSON.stringify({ salt, size, there }));
          }
        }
      }
    }
  });
});

test("what a length claims is not allocated", () => {
  const claims = [
    Buffer.concat([...HEADER(8, 0x6602), words(2 ** 32 - 1)]),
    Buffer.concat([...HEADER(6, 0xa400), words(0x31415352, 2 ** 32 - 8, 3)]),
    Buffer.concat([...HEADER(7, 0xa400), words(0x32415352, 2 ** 32 - 8, 3)]),
    Buffer.concat([...HEADER(7, 0xa400), words(0x32415352, 16384, 3)]),
    words(PVK_MAGIC, 0, 1, 1, 2 ** 32 - 1, 2 ** 32 - 1, 0, 0),
    words(PVK_MAGIC, 0, 1, 0, 0, 2 ** 32 - 1, 0x207, 0xa400, 0x32415352, 16384, 3),
  ];
  const before = process.memoryUsage().arrayBuffers;
  for (const blob of claims) {
    expect(REFUSALS).toContain(answer(blob).nte);
    expect(REFUSALS).toContain(describeBlob(blob).problem?.nte);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
});

test("the layouts here are those that are written", () => {
  const reversed = Uint8Array.from(numbers(K, 3)).reverse();
  const written = encodeSimpleBlob({ aiKeyAlg: 0x6610, encryptedKey: reversed });
  expect(simple.equals(written)).toBe(true);
});
