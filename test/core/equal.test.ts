// Comparing: in the core what was computed from a secret, in JavaScript what is public.
import { randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { describe, expect, test } from "vitest";
import { equalBytes } from "#build/bytes.js";
import { AesCore } from "#build/core/aes-core.js";
import { Instance } from "#build/core/instance.js";

const core = await loadCore();

describe.each([
  ["core.equal", (a: Uint8Array, b: Uint8Array) => core.equal(a, b)],
  ["equalBytes", equalBytes],
])("%s", (_, equal) => {
  test("is true of the same bytes, and false if any one bit is another", () => {
    for (const length of [0, 1, 16, 32, 64, 1000]) {
      const bytes = randomBytes(length);
      expect(equal(bytes, Buffer.from(bytes))).toBe(true);
      for (let at = 0; at < length; at++) {
        const other = Buffer.from(bytes);
        other[at]! ^= 1 << (at % 8);
        expect(equal(bytes, other)).toBe(false);
      }
      expect(equal(bytes, Buffer.concat([bytes, Buffer.of(0)]))).toBe(false);
    }
  });
});

test("core.equal takes byte strings of half a window", () => {
  const bytes = randomBytes(32_768);
  expect(core.equal(bytes, Buffer.from(bytes))).toBe(true);
  const longer = randomBytes(32_769);
  const bad = expect.objectContaining({ code: "BAD_ARGUMENT" });
  expect(() => core.equal(longer, longer)).toThrow(bad);
  expect(() => core.equal("text" as unknown as Uint8Array, bytes)).toThrow(bad);
  expect(() => core.equal(bytes, undefined as unknown as Uint8Array)).toThrow(bad);
});

test("equalBytes reads every byte, whatever the bytes are", () => {
  /** What is read of a, in order. */
  const reads = (a: Uint8Array, b: Uint8Array) => {
    const seen: (string | symbol)[] = [];
    const watched = new Proxy(a, {
      get: (target, name) => {
        seen.push(name);
        return Reflect.get(target, name);
      },
    });
    equalBytes(watched, b);
    return seen.join(" ");
  };
  const bytes = randomBytes(32);
  const others = [0, 13, 31].map((at) => Buffer.from(bytes).fill(bytes[at]! ^ 1, at, at + 1));
  const all = [bytes, ...others, randomBytes(32)].map((other) => reads(bytes, other));
  expect(all[0]).toMatch(/\b0 .*\b31 /);
  expect(new Set(all).size).toBe(1);
});

test("a tag is compared in the core alone: the calls are the same, whichever byte is wrong", async () => {
  const own = await Instance.create(core.module);
  const calls: string[] = [];
  const original = own.function.bind(own);
  own.function = (name) => {
    const call = original(name);
    return (...numbers) => {
      calls.push(`${name} ${numbers.join(" ")}`);
      return call(...numbers);
    };
  };
  const key = new AesCore(own).aesGcm(randomBytes(32));
  const iv = randomBytes(12);
  const sealed = key.encrypt(iv, randomBytes(100));
  const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });
  const seen = Array.from({ length: 16 }, (_, at) => {
    const message = Buffer.from(sealed);
    message[100 + at]! ^= 0x20;
    calls.length = 0;
    expect(() => key.decrypt(iv, message)).toThrow(failed);
    const run = key.decryptor(iv);
    run.update(message);
    expect(() => run.final()).toThrow(failed);
    return calls.join(", ");
  });
  expect(seen[0]).toMatch(/gcmOpen .*gcmVerify/);
  expect(new Set(seen).size).toBe(1);
});
