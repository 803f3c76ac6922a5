import { createPrivateKey, generatePrimeSync } from "node:crypto";
import fc from "fast-check";
import {
  bitLength,
  checkPublicKey,
  type RsaPrivateKey,
  readPrivateKey,
  readPublicKey,
  validatePrivateKey,
  wipePrivateKey,
  writePrivateKey,
  writePublicKey,
} from "twinwrap/keys";
import { beforeAll, describe, expect, test } from "vitest";
import { fromBigInt, toBigInt } from "#build/keys/numbers.js";
import { type BigKey, keyFromPrimes, makeKey } from "../core/rsa-reference.js";
import { testKey } from "./material.js";

const SECRETS = ["d", "p", "q", "dp", "dq", "qi"] as const;
type Jwk = Record<string, string>;

let key: RsaPrivateKey;
let jwk: Jwk;
beforeAll(async () => {
  key = await readPrivateKey(Buffer.from(testKey()));
  jwk = createPrivateKey(testKey()).export({ format: "jwk" }) as Jwk;
});

const read = (members: Jwk) => readPrivateKey(Buffer.from(JSON.stringify(members)));
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));
const number = (value: bigint) => Buffer.from(fromBigInt(value)).toString("base64url");
const valueIn = (name: string) => toBigInt(Buffer.from(jwk[name]!, "base64url"));

describe("public keys", () => {
  const e = Uint8Array.of(1, 0, 1);
  const modulus = (bits: number) => fromBigInt((1n << BigInt(bits - 1)) + 1n);
  const check = (bits: number, exponent: Uint8Array, options = {}) => {
    try {
      checkPublicKey({ n: modulus(bits), e: exponent }, options);
      return "good";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  test("sizes", () => {
    expect(check(511, e, { allowWeak: true })).toBe("BAD_KEY");
    expect(check(512, e, { allowWeak: true })).toBe("good");
    expect(check(512, e)).toBe("WEAK_KEY");
    expect(check(2047, e)).toBe("WEAK_KEY");
    expect(check(2048, e)).toBe("good");
    expect(check(16384, e)).toBe("good");
    expect(check(16385, e, { allowWeak: true })).toBe("BAD_KEY");
    expect(check(1_000_000, e)).toBe("BAD_KEY");
  });

  test("exponents", () => {
    expect(check(2048, Uint8Array.of(3))).toBe("good");
    expect(check(2048, Uint8Array.of(3), { forWrap: true })).toBe("WEAK_KEY");
    expect(check(2048, Uint8Array.of(255, 255), { forWrap: true })).toBe("WEAK_KEY");
    expect(check(2048, e, { forWrap: true })).toBe("good");
    expect(check(2048, Uint8Array.of(3), { forWrap: true, allowWeak: true })).toBe("good");
    expect(check(2048, Uint8Array.of(0, 255, 255, 255, 255))).toBe("good");
    for (const bad of [[], [0], [1], [2], [1, 0, 0], [1, 0, 0, 0, 1]]) {
      expect(check(2048, Uint8Array.from(bad), { allowWeak: true }), String(bad)).toBe("BAD_KEY");
    }
  });

  test("an even or missing modulus", () => {
    const bad = (n: Uint8Array) => () => checkPublicKey({ n, e });
    expect(bad(fromBigInt(1n << 2047n))).toThrow(/even/);
    expect(bad(new Uint8Array(0))).toThrow(/0 bits/);
    expect(bad(new Uint8Array(300))).toThrow(/0 bits/);
  });

  test("bit lengths", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 200n }), fc.nat(3), (value, zeros) => {
        const bytes = Uint8Array.from([...new Uint8Array(zeros), ...fromBigInt(value)]);
        expect(bitLength(bytes)).toBe(value === 0n ? 0 : value.toString(2).length);
        expect(toBigInt(bytes)).toBe(value);
      }),
    );
  });
});

describe("private keys", () => {
  test("each altered number is found, and the relation named", async () => {
    const relations = {
      n: "n is not the product",
      d: "d·e is not 1 modulo p - 1",
      p: "n is not the product",
      q: "n is not the product",
      dp: "dp is not d modulo p - 1",
      dq: "dq is not d modulo q - 1",
      qi: "qi is not the inverse",
    };
    for (const [name, message] of Object.entries(relations)) {
      const altered = { ...jwk, [name]: number(valueIn(name) + 2n) };
      const error = { code: "BAD_KEY", message: expect.stringContaining(message) };
      await expect(read(altered), name).rejects.toMatchObject(error);
      const own = { ...key, [name]: fromBigInt(valueIn(name) + 2n) };
      expect(() => validatePrivateKey(own), name).toThrow(expect.objectContaining(error));
      await expect(writePrivateKey(own, "pem"), name).rejects.toMatchObject(error);
    }
    await expect(read({ ...jwk, e: "AQAD" })).rejects.toMatchObject({ code: "BAD_KEY" });
  });

  test("a public key that is none is not written, and a public one is no private one", async () => {
    const { n, e } = key;
    const even = n.slice();
    even[even.length - 1]! &= 0xfe;
    for (const form of ["pem", "der", "jwk", "msblob"] as const) {
      const write = () => writePublicKey({ n: even, e }, form);
      expect(write, form).toThrow(expect.objectContaining({ code: "BAD_KEY" }));
      await expect(readPrivateKey(writePublicKey({ n, e }, form)), form).rejects.toMatchObject({
        code: "BAD_KEY",
        message: "this is a public key; the private key is needed",
      });
    }
  });

  test("numbers that only look right", async () => {
    const [n, d, p, q, qi] = ["n", "d", "p", "q", "qi"].map(valueIn) as bigint[];
    const order = (p! - 1n) * (q! - 1n);
    const bad: Jwk[] = [
      { p: number(n!), q: number(1n) },
      { p: number(1n), q: number(n!) },
      { p: number(0n), q: number(0n) },
      { d: number(d! + order) },
      { d: number(0n) },
      { qi: number(qi! + p!) },
      { p: jwk.q!, q: jwk.p! },
    ];
    for (const change of bad) {
      await expect(read({ ...jwk, ...change })).rejects.toMatchObject({ code: "BAD_KEY" });
    }
  });

  test("d, CRT values and primes that are missing are computed", async () => {
    expect(await read(without("dp", "dq", "qi"))).toEqual(key);
    expect(await read(without("qi"))).toEqual(key);
    // With n, e and d alone the primes come out, the larger one first.
    const swapped = toBigInt(key.p) < toBigInt(key.q);
    const factored = await read(without("p", "q", "dp", "dq", "qi"));
    expect(factored.p).toEqual(swapped ? key.q : key.p);
    expect(factored.d).toEqual(key.d);
    expect(() => validatePrivateKey(factored)).not.toThrow();
    const computed = await read(without("d", "dp", "dq", "qi"));
    expect([computed.p, computed.dp, computed.qi]).toEqual([key.p, key.dp, key.qi]);
    for (const lacking of [without("d", "p"), without("d", "q")]) {
      await expect(read(lacking)).rejects.toThrow(/neither d nor both primes/);
    }
  });

  test("n, e and a d that does not belong to them", async () => {
    const bare = without("p", "q", "dp", "dq", "qi");
    for (const d of [1n, 2n, valueIn("d") + 1n, valueIn("d") + 2n, valueIn("n") - 1n]) {
      await expect(read({ ...bare, d: number(d) })).rejects.toThrow(/d does not belong to n and e/);
    }
    // A d of any length would make the search as slow as somebody wishes.
    const long = number(1n << 100_000n);
    await expect(read({ ...bare, d: long })).rejects.toThrow(/d is longer than n/);
  });

  test("the public half of a key whose d does not belong is refused, too", () => {
    const bare = { ...without("p", "q", "dp", "dq", "qi"), d: number(valueIn("d") + 2n) };
    const readHalf = (members: Jwk) => readPublicKey(Buffer.from(JSON.stringify(members)));
    expect(() => readHalf(bare)).toThrow(/d does not belong to n and e/);
    expect(() => readHalf({ ...jwk, d: bare.d })).toThrow(/d·e is not 1/);
    expect(readHalf({ ...bare, d: jwk.d! })).toEqual({ n: key.n, e: key.e });
  });

  test("the primes are found from every d that serves, whatever p - 1 and q - 1 share", async () => {
    const factored = async ({ n, e, p, q }: BigKey, d: bigint) => {
      const found = await read({ kty: "RSA", n: number(n), e: number(e), d: number(d) });
      expect([found.p, found.q].map(toBigInt).sort()).toEqual([p, q].sort());
      expect(toBigInt(found.d)).toBe(d);
    };
    for (const bits of [512, 513, 1024, 1031, 2048]) {
      const big = makeKey(bits, 3n);
      await factored(big, big.d);
    }
    const lopsided = makeKey(1024, 2n ** 32n - 1n, 470);
    await factored(lopsided, lopsided.d);
    // p - 1 and q - 1 share a factor of 100 bits; d is taken modulo lcm, as OpenSSL does, and larger.
    const shared = generatePrimeSync(100, { bigint: true });
    const primeAbove = () => generatePrimeSync(512, { bigint: true, add: shared * 2n, rem: 1n });
    for (;;) {
      const [p, q] = [primeAbove(), primeAbove()];
      const order = ((p - 1n) * (q - 1n)) / shared / 2n;
      if (p === q || order % 65537n === 0n) continue;
      const big = keyFromPrimes(p, q, 65537n);
      for (const d of [big.d % order, (big.d % order) + order, big.d]) await factored(big, d);
      break;
    }
  });

  test("leading zeros change nothing", async () => {
    const zero = (text: string) =>
      Buffer.concat([Buffer.alloc(2), Buffer.from(text, "base64url")]).toString("base64url");
    const { kty, ...numbers } = jwk;
    const padded = Object.entries(numbers).map(([name, text]) => [name, zero(text)]);
    expect(await read({ kty, ...Object.fromEntries(padded) })).toEqual(key);
    const own = Object.entries(key).map(([name, value]) => [name, Uint8Array.from([0, ...value])]);
    for (const form of ["pem", "der", "jwk", "msblob"] as const) {
      const wide = Object.fromEntries(own) as RsaPrivateKey;
      expect(await writePrivateKey(wide, form)).toEqual(await writePrivateKey(key, form));
      expect(writePublicKey(wide, form)).toEqual(writePublicKey(key, form));
    }
  });

  test("wiping leaves nothing but the public half", async () => {
    const copy = await readPrivateKey(Buffer.from(testKey()));
    wipePrivateKey(copy);
    for (const name of SECRETS) expect(copy[name].every((byte) => byte === 0)).toBe(true);
    expect([copy.n, copy.e]).toEqual([key.n, key.e]);
  });
});
