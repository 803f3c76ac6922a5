import vm from "node:vm";
import { TwinwrapError } from "twinwrap";
import { describe, expect, test } from "vitest";
import {
  bytesOf,
  listOf,
  needBytes,
  needDate,
  needSignal,
  needStableBytes,
  needText,
  objectOf,
  optionsOf,
  whole,
} from "#build/arguments.js";

const foreign = <T>(code: string, values = {}) => vm.runInNewContext(code, values) as T;

/** The message of the BAD_ARGUMENT that `call` throws. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(TwinwrapError);
    expect((error as TwinwrapError).code).toBe("BAD_ARGUMENT");
    return (error as Error).message;
  }
  throw new Error("it was taken");
}

describe("bytes", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  shared.set([1, 2, 3]);
  const { buffer } = Uint8Array.of(9, 1, 2, 3, 9);
  test.each([
    ["a Uint8Array", Uint8Array.of(1, 2, 3)],
    ["a Buffer out of a pool", Buffer.from([1, 2, 3])],
    ["a Uint8Array of another realm", foreign("Uint8Array.of(1, 2, 3)")],
    ["an ArrayBuffer", Uint8Array.of(1, 2, 3).buffer],
    ["an ArrayBuffer of another realm", foreign("Uint8Array.of(1, 2, 3).buffer")],
    ["a part of an ArrayBuffer", new DataView(buffer, 1, 3)],
    ["a DataView of another realm", foreign("new DataView(buffer, 1, 3)", { buffer })],
    ["an array of another type", new Int8Array(buffer, 1, 3)],
    ["shared memory", shared],
  ])("are taken from %s", (_, value) => {
    for (const need of [needBytes, needStableBytes, bytesOf(3)]) {
      const bytes = need(value, "the key");
      expect(bytes).toBeInstanceOf(Uint8Array);
      expect([...bytes]).toEqual([1, 2, 3]);
    }
    // A Buffer's slice() is no copy.
    const stable = needStableBytes(value, "the key");
    expect(Object.getPrototypeOf(stable)).toBe(Uint8Array.prototype);
  });

  test("count as bytes whatever the type of the array", () => {
    expect([...needBytes(Uint16Array.of(0x0201, 0x0403), "the key")]).toEqual([1, 2, 3, 4]);
  });

  test("are the caller's own memory, but for shared memory that is looked at more than once", () => {
    const bytes = Uint8Array.of(1);
    expect(needBytes(bytes, "the key")).toBe(bytes);
    expect(needStableBytes(bytes, "the key")).toBe(bytes);
    expect(needBytes(bytes.buffer, "the key").buffer).toBe(bytes.buffer);
    expect(needStableBytes(shared, "the key").buffer).not.toBe(shared.buffer);
  });

  test("may be none, unless their memory is gone", () => {
    for (const empty of [new Uint8Array(0), Buffer.alloc(0), new ArrayBuffer(0)]) {
      expect(needBytes(empty, "the key")).toHaveLength(0);
    }
    const gone = new Uint8Array(5);
    const views = [
      gone,
      gone.buffer,
      new DataView(gone.buffer),
      new Uint16Array(gone.buffer, 0, 1),
    ];
    structuredClone(gone, { transfer: [gone.buffer] });
    for (const view of views) {
      expect(refusal(() => needBytes(view, "the key"))).toBe(
        "the key has no memory any more: its buffer was transferred or cut",
      );
    }
    const growing = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }]) as ArrayBuffer;
    const cut = new Uint8Array(growing, 4, 4);
    (growing as ArrayBuffer & { resize(length: number): void }).resize(2);
    expect(refusal(() => needBytes(cut, "the key"))).toContain("no memory any more");
  });

  test.each([
    ["secret", "text"],
    [undefined, "undefined"],
    [null, "null"],
    [5, "a number"],
    [5n, "a bigint"],
    [Symbol("secret"), "a symbol"],
    [() => "secret", "a function"],
    [[1, 2, 3], "an array"],
    [{ length: 3, secret: "secret" }, "an object"],
    [{ byteLength: 3, [Symbol.toStringTag]: "Uint8Array" }, "an object (Uint8Array)"],
    [Object.create(Uint8Array.prototype), "an object"],
    [new Map(), "an object (Map)"],
    [Promise.resolve(Uint8Array.of(1)), "a promise: await it"],
    [new SharedArrayBuffer(3), "an object (SharedArrayBuffer)"],
    [new Proxy(Uint8Array.of(1), {}), "an object"],
    [Proxy.revocable({}, {}), "an object"],
  ])("are not %o", (value, found) => {
    expect(refusal(() => needBytes(value, "the key"))).toBe(
      `the key must be bytes (a Uint8Array, another view or an ArrayBuffer), not ${found}`,
    );
  });

  test("have the length that they should", () => {
    expect(refusal(() => bytesOf(32)(new Uint8Array(31), "the key"))).toBe(
      "the key must be 32 bytes long",
    );
    expect(refusal(() => bytesOf(1, 16)(new Uint8Array(17), "the key"))).toBe(
      "the key must be 1 to 16 bytes long",
    );
  });
});

test("whole numbers are whole, and in range", () => {
  for (const value of [1, 64]) expect(whole(1, 64)(value, "jobs")).toBe(value);
  for (const value of [0, 65, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "2", 2n, null, {}]) {
    expect(refusal(() => whole(1, 64)(value, "jobs"))).toBe(
      "jobs must be a whole number from 1 to 64",
    );
  }
});

test("a Date and an AbortSignal may be of another realm, an object that looks like one is none", () => {
  expect(needDate(foreign("new Date(5)"), "created").getTime()).toBe(5);
  for (const value of [5, "2026-01-01", {}, Object.create(Date.prototype)]) {
    expect(refusal(() => needDate(value, "created"))).toContain("created must be a Date, not ");
  }
  const { signal } = new AbortController();
  expect(needSignal(signal, "signal")).toBe(signal);
  for (const value of [5, null, {}, { aborted: false }, new AbortController()]) {
    expect(refusal(() => needSignal(value, "signal"))).toContain(
      "signal must be an AbortSignal, not ",
    );
  }
});

test("options are known ones, each of its kind", () => {
  const options = optionsOf<{ name: string; size?: number }>(
    { name: needText, size: whole(0, 9) },
    ["name"],
  );
  expect(options({ name: "a", size: undefined }, "options")).toEqual({ name: "a" });
  expect(options(Object.create({ name: "inherited" }), "options")).toEqual({ name: "inherited" });
  expect(refusal(() => options({}, "options"))).toBe("options.name must be text, not undefined");
  expect(refusal(() => options(undefined, "options"))).toContain("options.name must be text");
  expect(refusal(() => options({ name: "a", sise: 1 }, "options"))).toBe(
    'options: there is no "sise"; known are name, size',
  );
  expect(refusal(() => options({ name: "a", "my secret!": 1 }, "options"))).not.toContain("secret");
  const none = optionsOf<{ size?: number }>({ size: whole(0, 9) });
  expect(none(undefined, "options")).toEqual({});
  for (const value of [null, 5, "text", [], new Uint8Array(1), () => {}, new Map(), new Date()]) {
    expect(refusal(() => none(value, "options"))).toContain("options must be an object, not ");
  }
  expect(refusal(() => none(Promise.resolve({}), "options"))).toContain("await it");
  const hostile = {
    get name() {
      throw new Error("never mind");
    },
  };
  expect(refusal(() => options(hostile, "options"))).toBe("options: its name can't be read");
});

test("an object is what its members are", () => {
  const key = objectOf<{ n: Uint8Array; e: Uint8Array }>({ n: needBytes, e: needBytes });
  expect(key({ n: new ArrayBuffer(2), e: Uint8Array.of(3), other: 1 }, "key")).toEqual({
    n: new Uint8Array(2),
    e: Uint8Array.of(3),
  });
  expect(refusal(() => key({ n: "AQAB", e: Uint8Array.of(3) }, "key"))).toContain(
    "key.n must be bytes",
  );
  expect(refusal(() => key("-----BEGIN PUBLIC KEY-----", "key"))).toBe(
    "key must be an object with n, e, not text",
  );
  expect(refusal(() => listOf(key)([key], "keys"))).toContain(
    "keys[0] must be an object with n, e",
  );
  const list = Object.defineProperty([1], 0, { get: () => expect.unreachable("hidden") });
  expect(refusal(() => listOf(key)(list, "keys"))).toBe("keys can't be read");
  expect(refusal(() => listOf(key)({ length: 1 }, "keys"))).toBe(
    "keys must be an array, not an object",
  );
});
