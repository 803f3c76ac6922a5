// The core's calls by themselves, on an instance of one's own: lengths that no test can send, of messages of
// gigabytes and more, and arguments that the library never lets through.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { Instance } from "#build/core/instance.js";
import { times } from "./gcm-reference.js";
import { type BigKey, components, makeKey } from "./rsa-reference.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const block = (value: bigint) => Buffer.from(value.toString(16).padStart(32, "0"), "hex");
const toBig = (bytes: Uint8Array) => BigInt(`0x${hex(bytes)}`);

let instance: Instance;
beforeAll(async () => {
  instance = await Instance.create((await loadCore({ build: "simd" })).module);
});
const call = (name: string, ...numbers: number[]) => instance.function(name)(...numbers);
const [OK, BAD_ARGUMENT] = [0, 1];

describe("GCM, with lengths as the call says them", () => {
  const key = randomBytes(32);
  const ecb = (text: Uint8Array) => createCipheriv("aes-256-ecb", key, null).update(text);
  const h = () => toBig(ecb(Buffer.alloc(16)));
  function begin(): void {
    instance.params.set(key);
    expect(call("aesExpand", 0, 32)).toBe(OK);
  }
  const state = () =>
    new Uint8Array(instance.input.buffer, instance.constant("GCM_STATE"), 64).fill(0);
  const LENGTHS = [0, 1, 2 ** 29 - 1, 2 ** 29, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 36 - 32];

  test.each(LENGTHS)("text and additional data of %i bytes", (length) => {
    const iv = randomBytes(12);
    for (const [aad, text] of [
      [length, 3],
      [3, length],
      [length, length],
    ] as const) {
      begin();
      state();
      instance.input.set(iv);
      expect(call("gcmIv", 0, 12, 12)).toBe(OK);
      expect(call("gcmFinish", 0, aad, text)).toBe(OK);
      const lengths = (BigInt(aad) << 67n) | (BigInt(text) << 3n);
      const mask = toBig(ecb(Buffer.concat([iv, Buffer.from([0, 0, 0, 1])])));
      expect(hex(instance.output.subarray(0, 16))).toBe(hex(block(times(lengths, h()) ^ mask)));
    }
  });

  test.each([2 ** 29, 2 ** 32, 2 ** 32 + 16, 2 ** 40])("an IV of %i bytes", (length) => {
    // Its last piece: what came before is the hash so far, here 0.
    const last = randomBytes(16);
    begin();
    state();
    instance.input.set(last);
    expect(call("gcmIv", 0, 16, length)).toBe(OK);
    const first = times(times(toBig(last), h()) ^ (BigInt(length) << 3n), h());
    expect(call("gcmFinish", 0, 0, 0)).toBe(OK);
    expect(hex(instance.output.subarray(0, 16))).toBe(hex(ecb(block(first))));
  });
});

describe("hashes of gigabytes and more, as FIPS 180-4 pads them", () => {
  const MASK = (bits: bigint) => (1n << bits) - 1n;
  /** The first `bits` bits behind the point of the `root`-th root of a number. */
  function fraction(value: bigint, root: bigint, bits: bigint): bigint {
    const power = value << (root * bits);
    let [low, high] = [0n, power];
    while (low < high) {
      const middle = (low + high + 1n) / 2n;
      if (middle ** root <= power) low = middle;
      else high = middle - 1n;
    }
    return low & MASK(bits);
  }
  const primes = [2n];
  for (let n = 3n; primes.length < 80; n += 2n)
    if (primes.every((p) => n % p !== 0n)) primes.push(n);

  /** One block of SHA-256 or SHA-512 (section 6.2.2, 6.4.2), on words of `w` bits. */
  function sha2(w: bigint, state: bigint[], data: Uint8Array): bigint[] {
    const size = Number(w) / 8;
    const rounds = w === 32n ? 64 : 80;
    const turn = (x: bigint, n: number) => ((x >> BigInt(n)) | (x << (w - BigInt(n)))) & MASK(w);
    const [S0, S1, s0, s1] =
      w === 32n
        ? [[2, 13, 22], [6, 11, 25], [7, 18, 3], [17, 19, 10]] // biome-ignore format: a table
        : [[28, 34, 39], [14, 18, 41], [1, 8, 7], [19, 61, 6]]; // biome-ignore format: a table
    const big = (x: bigint, n: number[]) => turn(x, n[0]!) ^ turn(x, n[1]!) ^ turn(x, n[2]!);
    const small = (x: bigint, n: number[]) =>
      turn(x, n[0]!) ^ turn(x, n[1]!) ^ (x >> BigInt(n[2]!));
    const words: bigint[] = [];
    for (let i = 0; i < 16; i++) words.push(toBig(data.subarray(i * size, (i + 1) * size)));
    for (let i = 16; i < rounds; i++) {
      const sum =
        small(words[i - 2]!, s1!) + words[i - 7]! + small(words[i - 15]!, s0!) + words[i - 16]!;
      words.push(sum & MASK(w));
    }
    let [a, b, c, d, e, f, g, h] = state as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    for (let i = 0; i < rounds; i++) {
      const t1 =
        h + big(e, S1!) + ((e & f) ^ (~e & MASK(w) & g)) + fraction(primes[i]!, 3n, w) + words[i]!;
      const t2 = big(a, S0!) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK(w), c, b, a, (t1 + t2) & MASK(w)];
    }
    return [a, b, c, d, e, f, g, h].map((x, i) => (x + state[i]!) & MASK(w));
  }

  /** One block of SHA-1 (section 6.1.2). */
  function sha1(state: bigint[], data: Uint8Array): bigint[] {
    const turn = (x: bigint, n: bigint) => ((x << n) | (x >> (32n - n))) & MASK(32n);
    const words: bigint[] = [];
    for (let i = 0; i < 16; i++) words.push(toBig(data.subarray(i * 4, i * 4 + 4)));
    for (let i = 16; i < 80; i++) {
      words.push(turn(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1n));
    }
    let [a, b, c, d, e] = state as [bigint, bigint, bigint, bigint, bigint];
    for (let i = 0; i < 80; i++) {
      const [f, k] =
        i < 20
          ? [(b & c) ^ (~b & MASK(32n) & d), 0x5a827999n]
          : i < 40
            ? [b ^ c ^ d, 0x6ed9eba1n]
            : i < 60
              ? [(b & c) ^ (b & d) ^ (c & d), 0x8f1bbcdcn]
              : [b ^ c ^ d, 0xca62c1d6n];
      const t = turn(a, 5n) + f + e + k + words[i]!;
      [e, d, c, b, a] = [d, c, turn(b, 30n), a, t & MASK(32n)];
    }
    return [a, b, c, d, e].map((x, i) => (x + state[i]!) & MASK(32n));
  }

  const eight = (bits: bigint) => primes.slice(0, 8).map((p) => fraction(p, 2n, bits));
  const HASHES = [
    ["SHA-1", 0, 64, 32n, [0x67452301n, 0xefcdab89n, 0x98badcfen, 0x10325476n, 0xc3d2e1f0n], sha1],
    ["SHA-256", 1, 64, 32n, eight(32n), (s: bigint[], d: Uint8Array) => sha2(32n, s, d)],
    ["SHA-512", 2, 128, 64n, eight(64n), (s: bigint[], d: Uint8Array) => sha2(64n, s, d)],
  ] as const;

  describe.each(HASHES)("%s", (name, number, size, w, initial, compress) => {
    /** The digest of a message whose first `before` bytes, whole blocks, leave the initial state. */
    function reference(before: bigint, rest: Uint8Array): string {
      const field = size / 8;
      const padded = Math.ceil((rest.length + 1 + field) / size) * size;
      const data = Buffer.alloc(padded);
      data.set(rest);
      data[rest.length] = 0x80;
      data.writeBigUInt64BE(8n * (before + BigInt(rest.length)), padded - 8);
      let state: bigint[] = [...initial];
      for (let at = 0; at < padded; at += size)
        state = compress(state, data.subarray(at, at + size));
      return state.map((x) => x.toString(16).padStart(Number(w) / 4, "0")).join("");
    }

    test("the reference is the hash", () => {
      for (const length of [0, 1, 55, 56, 64, 111, 112, 200]) {
        const data = randomBytes(length);
        const node = createHash(name.replace("-", "")).update(data).digest("hex");
        expect(reference(0n, data)).toBe(node);
      }
    });

    test.each([2 ** 29, 2 ** 31, 2 ** 32 - 128, 2 ** 32, 2 ** 40])("after %i bytes", (before) => {
      for (const length of [0, 1, 77, 128, 200]) {
        const data = randomBytes(length);
        expect(call("hashBegin", number)).toBe(OK);
        // The bytes taken so far stand behind the chaining state.
        const { buffer, byteOffset } = instance.params;
        new DataView(buffer).setBigUint64(byteOffset + 64, BigInt(before), true);
        instance.input.set(data);
        expect(call("hashUpdate", number, length)).toBe(OK);
        expect(call("hashFinish", number)).toBe(OK);
        const digest = hex(instance.output.subarray(0, (Number(w) / 8) * initial.length));
        expect(digest).toBe(reference(BigInt(before), data));
      }
    });
  });
});

describe("arguments out of range are refused, and nothing traps", () => {
  let big: BigKey;
  beforeAll(() => {
    big = makeKey(1024);
    instance.params.set(randomBytes(32));
    call("aesExpand", 1, 32);
    instance.input.set(randomBytes(12));
    call("gcmIv", 1, 12, 12);
    const { n, d, p, q, dp, dq, qi } = components(big);
    let at = 0;
    for (const part of [n, d, p, q, dp, dq, qi]) {
      instance.input.set(part, at);
      at += part.length;
    }
    const lengths = [n, d, p, q, dp, dq, qi].map((part) => part.length);
    expect(call("rsaLoadPrivate", 0, 65537, ...lengths)).toBe(OK);
    instance.input.set(n);
    expect(call("rsaLoadPublic", 1, n.length, 65537)).toBe(OK);
  });

  const W = 65536;
  const NO_SLOT = [-1, 2, 15, 16, 17, 2 ** 31 - 1, -(2 ** 31)];
  test.each<[string, (slot: number) => number[]]>([
    ["aesCtr", (slot) => [slot, 16]],
    ["aesCbcEncrypt", (slot) => [slot, 16]],
    ["aesCbcDecrypt", (slot) => [slot, 16]],
    ["aesCfb8Decrypt", (slot) => [slot, 16]],
    ["gcmSeal", (slot) => [slot, 12, 0, 16]],
    ["gcmOpen", (slot) => [slot, 12, 0, 16]],
    ["gcmIv", (slot) => [slot, 12, 12]],
    ["gcmAad", (slot) => [slot, 1]],
    ["gcmText", (slot) => [slot, 1, 0, 1]],
    ["gcmFinish", (slot) => [slot, 0, 0]],
    ["gcmVerify", (slot) => [slot, 0, 0]],
    ["aesKwWrap", (slot) => [slot, 16]],
    ["aesKwUnwrap", (slot) => [slot, 24]],
    ["aesKwpWrap", (slot) => [slot, 16]],
    ["aesKwpUnwrap", (slot) => [slot, 24]],
  ])("%s without a key", (name, numbers) => {
    for (const slot of NO_SLOT)
      expect(call(name, ...numbers(slot)), `slot ${slot}`).toBe(BAD_ARGUMENT);
    expect(call(name, ...numbers(1))).not.toBe(BAD_ARGUMENT);
  });

  test.each<[string, number[], number[]]>([
    // What is just right, and what is one too many.
    ["aesCtr", [1, W], [1, W + 1]],
    ["aesCbcEncrypt", [1, W], [1, W + 16]],
    ["aesCbcEncrypt", [1, 32], [1, 33]],
    ["aesCbcDecrypt", [1, W], [1, W + 16]],
    ["aesCbcDecrypt", [1, 32], [1, 33]],
    ["aesCfb8Decrypt", [1, 9], [1, W + 1]],
    ["gcmSeal", [1, 12, 0, W], [1, 12, 0, W + 1]],
    ["gcmSeal", [1, 1, 0, 0], [1, 0, 0, 0]],
    ["gcmSeal", [1, 12, 4084, 0], [1, 12, 4085, 0]],
    ["gcmSeal", [1, 4096, 0, 0], [1, 4097, 0, 0]],
    ["gcmSeal", [1, 12, 9, 0], [1, 12, -1, 0]],
    ["gcmOpen", [1, 12, 0, W], [1, 12, 0, W + 1]],
    ["gcmOpen", [1, 1, 0, 0], [1, 0, 0, 0]],
    ["gcmIv", [1, W, 0], [1, W + 1, 0]],
    ["gcmIv", [1, 1, 0], [1, 0, 0]],
    ["gcmAad", [1, W], [1, W + 1]],
    ["gcmText", [1, W, 0, 1], [1, W + 1, 0, 1]],
    ["aesKwWrap", [1, W - 8], [1, W]],
    ["aesKwWrap", [1, 16], [1, 8]],
    ["aesKwWrap", [1, 24], [1, 25]],
    ["aesKwUnwrap", [1, 64], [1, W + 8]],
    ["aesKwpWrap", [1, W - 8], [1, W - 7]],
    ["aesKwpWrap", [1, 1], [1, 0]],
    ["aesKwpUnwrap", [1, 64], [1, W + 8]],
    ["aesExpand", [2, 16], [2, 20]],
    ["aesExpand", [15, 16], [16, 16]],
    ["aesExpand", [0, 16], [-1, 16]],
    ["aesForget", [15], [16]],
    ["aesForget", [0], [-1]],
    ["hashBegin", [2], [3]],
    ["hashBegin", [0], [-1]],
    ["hashUpdate", [0, W], [0, W + 1]],
    ["hashUpdate", [2, 0], [3, 0]],
    ["hashFinish", [2], [3]],
    ["hmacKey", [0, 64], [0, 65]],
    ["hmacKey", [2, 128], [2, 129]],
    ["hmacKey", [2, 0], [3, 0]],
    ["hmacNext", [2], [3]],
    ["pbkdf2Start", [2], [3]],
    ["pbkdf2Continue", [2, 1], [3, 1]],
    ["rsaEncrypt", [1, 0, 0, 0, 117], [1, 0, 0, 0, 118]],
    ["rsaEncrypt", [1, 1, 0, 0, 86], [1, 1, 0, 0, 87]],
    ["rsaEncrypt", [1, 1, 0, 0, 0], [1, 1, 0, 0, -1]],
    ["rsaEncrypt", [1, 1, 1, 2, 9], [1, 1, 3, 2, 9]],
    ["rsaEncrypt", [1, 1, 1, 2, 9], [1, 1, 1, 3, 9]],
    ["rsaEncrypt", [0, 0, 0, 0, 9], [2, 0, 0, 0, 9]],
    ["rsaEncrypt", [0, 0, 0, 0, 9], [4, 0, 0, 0, 9]],
    ["rsaDecrypt", [0, 2, 0, 0, 0, 117], [0, 2, 0, 0, 0, 118]],
    ["rsaDecrypt", [0, 2, 1, 0, 0, 86], [0, 2, 1, 0, 0, 87]],
    ["rsaDecrypt", [0, 2, 1, 0, 0, 0], [0, 2, 1, 0, 0, -1]],
    // 128 bytes have no room for SHA-512's two digests; and a public key decrypts nothing.
    ["rsaDecrypt", [0, 2, 1, 1, 1, 9], [0, 2, 1, 2, 1, 0]],
    ["rsaDecrypt", [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]],
    ["rsaDecrypt", [0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]],
    ["rsaDecrypt", [0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0]],
    ["rsaDecrypt", [0, 6, 0, 0, 0, 117], [0, 6, 0, 0, 0, 118]],
    ["rsaDecrypt", [0, 6, 1, 0, 0, 86], [0, 6, 1, 0, 0, 87]],
    ["rsaDecrypt", [0, 6, 1, 0, 0, 0], [0, 6, 1, 0, 0, -1]],
    ["rsaDecrypt", [0, 6, 1, 1, 1, 9], [0, 6, 1, 2, 1, 0]],
    ["rsaDecrypt", [0, 4, 0, 0, 0, 0], [1, 4, 0, 0, 0, 0]],
    ["rsaDecrypt", [0, 4, 0, 0, 0, 0], [2, 4, 0, 0, 0, 0]],
    ["rsaDecrypt", [0, 4, 0, 0, 0, 0], [4, 4, 0, 0, 0, 0]],
    ["rsaUnload", [3], [4]],
    ["rsaUnload", [3], [-1]],
    ["rsaLoadPublic", [3, W, 3], [3, W + 1, 3]],
    ["rsaLoadPublic", [3, 0, 3], [4, 0, 3]],
    ["rsaLoadPrivate", [3, 3, W, 0, 0, 0, 0, 0, 0], [3, 3, W, 1, 0, 0, 0, 0, 0]],
    ["rsaLoadPrivate", [3, 3, 0, 0, 0, 0, 0, 0, 0], [4, 3, 0, 0, 0, 0, 0, 0, 0]],
  ])("%s takes %j and not %j", (name, good, bad) => {
    instance.input.fill(0);
    expect(call(name, ...good)).not.toBe(BAD_ARGUMENT);
    expect(call(name, ...bad)).toBe(BAD_ARGUMENT);
  });
});
