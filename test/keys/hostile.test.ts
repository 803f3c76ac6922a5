import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seal } from "twinwrap";
import { loadCore } from "twinwrap/core";
import { identifyKey, readPrivateKey, readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { decodeSpki } from "#build/escrow/spki.js";
import { type BigKey, components, jwk, keyFromPrimes, toBytes } from "../core/rsa-reference.js";
import { isQuick } from "../quick.js";
import { e, filesOf, good, privateKeys, publicKeys } from "./hostile-keys.js";
import { outcome } from "./material.js";

// Keys made to break something, through every door that takes one: each form of a key file, and the
// core itself, sealing, and an authority's notes. All are refused with a typed error. What never ends fails by the timeout.

const core = await loadCore();

/** A modulus outside what a blob holds is the blob's fault; one over the limits, the file's. */
const REFUSED = ["BAD_KEY", "BAD_BLOB", "LIMIT_EXCEEDED"];

test.each(publicKeys)("public: %s", async (_, key) => {
  for (const [form, file] of filesOf(key)) {
    for (const read of [readPublicKey, readPrivateKey]) {
      expect(REFUSED, `${read.name}, ${form}`).toContain(await outcome(() => read(file)));
    }
    // What a file is can be told without its numbers being a key.
    expect([...REFUSED, "accepted"]).toContain(await outcome(() => identifyKey(file)));
  }
  const given = { n: toBytes(key.n), e: toBytes(key.e) };
  expect(await outcome(() => core.rsaPublicKey(given))).toBe("BAD_KEY");
  // What is sealed for, and what an authority's notes name.
  expect(await outcome(() => seal(new Blob(["x"]), { to: [given] }))).toBe("BAD_KEY");
  const [, spki] = filesOf(key).find(([form]) => form === "PUBLIC KEY, DER")!;
  expect(await outcome(() => decodeSpki(spki, "share"))).toBe("BAD_KEY");
});

test.each(privateKeys)("private: %s", async (_, key) => {
  for (const [form, file] of filesOf(key)) {
    for (const read of [readPublicKey, readPrivateKey]) {
      expect(REFUSED, `${read.name}, ${form}`).toContain(await outcome(() => read(file)));
    }
    expect([...REFUSED, "accepted"]).toContain(await outcome(() => identifyKey(file)));
  }
  const given = components({ ...good, ...key });
  expect(await outcome(() => core.rsaPrivateKey(given))).toBe("BAD_KEY");
});

describe("numbers of 16384 bits that make arithmetic slow", () => {
  const url = new URL("../core/primes-8192.json", import.meta.url);
  const { primes } = JSON.parse(readFileSync(url, "utf8")) as { primes: string[] };
  const [big, bigger] = primes.map((text) => BigInt(`0x${text}`)) as [bigint, bigint];
  const whole = keyFromPrimes(big, bigger, e);
  const file = (key: Partial<BigKey>) => {
    const members = Object.entries(jwk({ ...good, ...key })).filter(
      ([name]) => name === "kty" || name in key,
    );
    return Buffer.from(JSON.stringify(Object.fromEntries(members)));
  };
  const inverse = (a: bigint, m: bigint) => {
    let [low, high, x, y] = [m, a % m, 0n, 1n];
    while (high > 0n) {
      const quotient = low / high;
      [low, high, x, y] = [high, low - quotient * high, y, x - quotient * y];
    }
    return ((x % m) + m) % m;
  };
  /** Consecutive Fibonacci numbers take Euclid's algorithm longest; both odd, of almost 8192 bits. */
  const fibonacci = () => {
    let [a, b] = [1n, 1n];
    while (a < 2n ** 8188n || a % 2n === 0n || b % 2n === 0n) [a, b] = [b, a + b];
    return [a, b] as const;
  };
  const [a, b] = fibonacci();
  // With n a prime, every base to the power of d·e - 1 is 1: searching for the factors never ends.
  const prime = { n: big, e, d: inverse(e, big - 1n) };

  test.each([
    ["n, e and d, n a prime", prime],
    ["n, e and d, n all ones", { n: 2n ** 16384n - 1n, e, d: 2n ** 16384n - 3n }],
    ["n, e and d, d off by two", { n: whole.n, e, d: whole.d + 2n }],
    ["n, e and d, for n - 1 and d·e - 1 share all", { n: whole.n, e: 3n, d: (whole.n + 1n) / 3n }],
    ["n a square", { n: big * big, e, d: inverse(e, big * (big - 1n)) }],
    ["consecutive Fibonacci numbers as p and q, no d", { n: a * b, e, p: a, q: b }],
    ["a p of two bits", { n: 3n * (2n ** 16380n + 1n), e: 5n, d: 5n }],
    ["everything right but qi", { ...whole, qi: whole.qi + 1n }],
    ["everything right but d", { ...whole, d: whole.d + 2n }],
  ])("%s", async (_, key) => {
    const answers = [readPublicKey, readPrivateKey].map((read) => outcome(() => read(file(key))));
    // Numbers that only happen to fit a composite p are told when the key is used (FAULT).
    expect(["BAD_KEY", "accepted"]).toContain(await answers[0]);
    expect(await answers[1]).toBe(await answers[0]);
  });

  test("the largest key itself is read from n, e and d, from n, e, p and q, and whole", async () => {
    const { n, p, q, d } = whole;
    for (const numbers of [{ n, e, d }, { n, e, p, q }, whole]) {
      const key = await readPrivateKey(file(numbers));
      expect(Buffer.from(key.n).equals(toBytes(n))).toBe(true);
      core.rsaPrivateKey(key).dispose();
    }
  });
});

test("what is refused leaves nothing behind: memory does not grow with it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const files = [...publicKeys, ...privateKeys].flatMap(([, key]) => filesOf(key));
  const given = privateKeys.map(([, key]) => components({ ...good, ...key }));
  const round = async () => {
    for (const [, file] of files) await outcome(() => readPrivateKey(file));
    for (const key of given) await outcome(() => core.rsaPrivateKey(key));
  };
  const used = async () => {
    collect();
    await setTimeout(5);
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    return arrayBuffers + heapUsed;
  };
  for (let i = 0; i < 5; i++) await round();
  let before = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4; i++) before = Math.min(before, await used());
  const rounds = isQuick ? 12 : 40;
  for (let i = 0; i < rounds; i++) await round();
  const broughtIn = rounds * files.reduce((sum, [, file]) => sum + file.length, 0);
  // Buffers are given back beside the collection, not in it, and whenever there is time.
  await expect.poll(async () => (await used()) - before).toBeLessThan(broughtIn / 20);
});

test("the good key, by the same means, is accepted by every door", async () => {
  const open = { n: good.n, e: good.e };
  for (const key of [open, good]) {
    for (const [form, file] of filesOf(key)) {
      const { n } = readPublicKey(file);
      expect(Buffer.from(n).equals(toBytes(good.n)), form).toBe(true);
      if (key === good) expect(await outcome(() => readPrivateKey(file)), form).toBe("accepted");
    }
  }
  core.rsaPublicKey(components(good)).dispose();
  core.rsaPrivateKey(components(good)).dispose();
});
