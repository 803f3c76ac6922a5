import { createPublicKey, randomBytes } from "node:crypto";
import { generateKeyPair, open, seal } from "twinwrap";
import { type Core, loadCore, type Rsadp } from "twinwrap/core";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { nativeRsadp } from "#build/keys/native-rsa.js";
import { failing } from "../authority/office.js";
import { some } from "../quick.js";
import { type BigKey, components, jwk, makeKey, rawEncrypt, toBytes } from "./rsa-reference.js";
import { rsaBlocksSuite } from "./suite-rsa-blocks.js";

// RSADP by the platform, padding by the core: what comes out is what the core alone gives.

describe("by node:crypto", () => {
  rsaBlocksSuite({ build: "simd" }, nativeRsadp);
});

let core: Core;
let key: BigKey;
beforeAll(async () => {
  core = await loadCore();
  key = makeKey(1024);
});

const PKCS1 = { padding: "pkcs1-v1_5" } as const;
const OAEP = { padding: "oaep" } as const;
const open_ = (rsadp?: Rsadp) => core.rsaPrivateKey(components(key), rsadp);

/** What a call gives, or the code of its error. */
function outcome(work: () => Uint8Array): string {
  try {
    return Buffer.from(work()).toString("hex");
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test("10,000 broken blocks and numbers give what the core alone gives", () => {
  const [ours, platform] = [open_(), open_(nativeRsadp(components(key)))];
  const k = 128;
  const block = (i: number): Uint8Array => {
    const bytes = Buffer.from(randomBytes(k));
    // One in two looks like a padding at first sight; some begin with zeros.
    bytes.fill(0, 0, i % 2 === 0 ? 1 : (i % 7) + 1);
    if (i % 2 === 0) bytes[1] = 2 + (i % 3 === 0 ? 1 : 0);
    return bytes;
  };
  const all = some([...Array(10_000).keys()], 40);
  for (const i of all) {
    const ciphertext = i % 11 === 0 ? new Uint8Array(randomBytes(k)) : rawEncrypt(key, block(i));
    for (const [name, work] of [
      ["v1.5", (one: typeof ours) => one.unwrapKey(ciphertext, { ...PKCS1, length: 32 })],
      ["OAEP", (one: typeof ours) => one.unwrapKey(ciphertext, { ...OAEP, length: 32 })],
      ["decrypt", (one: typeof ours) => one.decrypt(ciphertext, PKCS1)],
      ["checked", (one: typeof ours) => one.decryptChecked(ciphertext, i % 2 ? PKCS1 : OAEP)],
    ] as const) {
      expect([name, i, outcome(() => work(platform))]).toEqual([
        name,
        i,
        outcome(() => work(ours)),
      ]);
    }
  }
});

test("numbers at the edges give what the core alone gives", () => {
  const [ours, platform] = [open_(), open_(nativeRsadp(components(key)))];
  for (const number of [0n, 1n, key.p, key.q, key.n - 1n, key.n, key.n + 1n, 2n ** 1024n - 1n]) {
    const ciphertext = toBytes(number, 128);
    const unwrapped = (one: typeof ours) =>
      outcome(() => one.unwrapKey(ciphertext, { ...PKCS1, length: 32 }));
    expect([number, unwrapped(platform)]).toEqual([number, unwrapped(ours)]);
    if (number >= key.n) expect(unwrapped(platform)).toBe("DECRYPTION_FAILED");
  }
});

test("a platform that is wrong is not believed, and its block is wiped", () => {
  const ciphertext = rawEncrypt(key, randomBytes(128).fill(0, 0, 1));
  const right = nativeRsadp(components(key));
  const given: Uint8Array[] = [];
  const wrong: Record<string, Rsadp> = {
    "one bit": (bytes) => {
      const block = right(bytes);
      block[127]! ^= 1;
      given.push(block);
      return block;
    },
    "the ciphertext": (bytes) => bytes,
    "n more": (bytes) => {
      const block = toBytes(BigInt(`0x${Buffer.from(right(bytes)).toString("hex")}`) + key.n, 129);
      return block.subarray(1);
    },
    "a byte less": (bytes) => right(bytes).subarray(1),
    nothing: () => new Uint8Array(0),
    "text of this length": () => "x".repeat(128) as never,
    "an error": () => {
      throw new Error("out of order");
    },
  };
  for (const [what, rsadp] of Object.entries(wrong)) {
    const one = open_(rsadp);
    const unwrap = () => one.unwrapKey(ciphertext, { ...PKCS1, length: 32 });
    expect([what, outcome(unwrap)]).toEqual([what, "FAULT"]);
  }
  expect(given[0]!.every((byte) => byte === 0)).toBe(true);
  // Meanwhile this core may have worked with so many other keys that this one's place was given away.
  const busy = open_((bytes) => {
    for (let i = 0; i < 8; i++) open_().decrypt(ciphertext, PKCS1);
    return right(bytes);
  });
  const expected = outcome(() => open_().unwrapKey(ciphertext, { ...PKCS1, length: 32 }));
  expect(outcome(() => busy.unwrapKey(ciphertext, { ...PKCS1, length: 32 }))).toBe(expected);
  // Nor is a key of the caller's changed: the ciphertext is the same afterwards.
  const before = Buffer.from(ciphertext);
  open_(wrong["the ciphertext"]).dispose();
  expect(Buffer.from(ciphertext).equals(before)).toBe(true);
});

test("it opens files, where node:crypto is, and is refused where it is not", async () => {
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const sealed = await (await seal(Buffer.from("figures"), { to: [publicKey] })).bytes();
  const opened = await open(sealed, { key: privateKey, rsa: "native" });
  expect(Buffer.from(await opened.bytes()).toString()).toBe("figures");
  await expect(open(sealed, { key: privateKey, rsa: "fast" as "core" })).rejects.toEqual(
    failing("BAD_ARGUMENT"),
  );
  const hidden = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
  try {
    await expect(open(sealed, { key: privateKey, rsa: "native" })).rejects.toEqual(
      failing("UNSUPPORTED"),
    );
  } finally {
    hidden.mockRestore();
  }
});

test("a key of lengths that are odd works like any other", async () => {
  const odd = makeKey(1024, 65537n, 300);
  const pem = createPublicKey({ key: jwk(odd), format: "jwk" });
  expect(pem.asymmetricKeyDetails?.modulusLength).toBe(1024);
  const numbers = components(odd);
  const platform = core.rsaPrivateKey(numbers, nativeRsadp(numbers));
  const message = randomBytes(32);
  const ciphertext = core.rsaPublicKey(numbers).encrypt(message, OAEP);
  expect(Buffer.from(platform.decrypt(ciphertext, OAEP)).equals(message)).toBe(true);
});
