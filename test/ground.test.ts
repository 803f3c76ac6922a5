import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as bytes from "#build/bytes.js";
import {
  decodeJcs,
  encodeJcs,
  formatTime,
  type Json,
  Members,
  parseJson,
  parseTime,
} from "#build/jcs.js";

const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const text = (value: Uint8Array) => Buffer.from(value).toString("utf8");

describe("text forms of bytes, against node's Buffer", () => {
  const any = fc.uint8Array({ maxLength: 200 });

  test("hexadecimal, base64 and base64url", () => {
    fc.assert(
      fc.property(any, (value) => {
        const buffer = Buffer.from(value);
        expect(bytes.toHex(value)).toBe(buffer.toString("hex"));
        expect(bytes.toBase64(value)).toBe(buffer.toString("base64"));
        expect(bytes.toBase64Url(value)).toBe(buffer.toString("base64url"));
        expect(Buffer.from(bytes.fromHex(buffer.toString("hex"))).equals(buffer)).toBe(true);
        expect(Buffer.from(bytes.fromBase64(buffer.toString("base64"))).equals(buffer)).toBe(true);
        expect(Buffer.from(bytes.fromBase64Url(buffer.toString("base64url"))).equals(buffer)).toBe(
          true,
        );
      }),
    );
  });

  // RFC 4648, section 10
  test.each([
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
  ])("base32 of %j", (plain, encoded) => {
    expect(bytes.toBase32(Buffer.from(plain))).toBe(encoded);
    expect(text(bytes.fromBase32(encoded))).toBe(plain);
  });

  test("any other spelling is refused", () => {
    for (const bad of ["A", "AB=", "AAAA=", "AB", "AAB", "AA+A", "AA A", "AAAAA", "é"]) {
      expect(() => bytes.fromBase64Url(bad)).toThrow(BAD_FORMAT);
    }
    for (const bad of ["A", "AA", "AB==", "AAB=", "AA=A", "====", "A===", "AA-A", "AAA\n"]) {
      expect(() => bytes.fromBase64(bad)).toThrow(BAD_FORMAT);
    }
    for (const bad of ["a", "mz", "MY", "m1", "mzxw6y"])
      expect(() => bytes.fromBase32(bad)).toThrow(BAD_FORMAT);
    for (const bad of ["a", "0g", "0x00", " 00"])
      expect(() => bytes.fromHex(bad)).toThrow(BAD_FORMAT);
  });

  test("what is decoded has one spelling only", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{0,12}$/), (spelling) => {
        let value: Uint8Array;
        try {
          value = bytes.fromBase64Url(spelling);
        } catch {
          return;
        }
        expect(bytes.toBase64Url(value)).toBe(spelling);
      }),
    );
  });

  test("UTF-8 is strict and keeps a BOM", () => {
    for (const bad of [
      [0x80],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe2, 0x82],
    ]) {
      expect(() => bytes.fromUtf8(Uint8Array.from(bad))).toThrow(BAD_FORMAT);
    }
    expect(bytes.fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });
});

test("secrets get buffers of their own, and are wiped", () => {
  const pooled = Buffer.from("secret");
  const copy = bytes.copyBytes(pooled);
  expect(copy.buffer.byteLength).toBe(6);
  expect(bytes.concatBytes(pooled, pooled).buffer.byteLength).toBe(12);
  bytes.wipe(copy, undefined);
  expect([...copy]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(pooled.toString()).toBe("secret");
});

test("equal bytes", () => {
  const a = randomBytes(50);
  expect(bytes.equalBytes(a, Buffer.from(a))).toBe(true);
  for (let bit = 0; bit < 400; bit++) {
    const b = Buffer.from(a);
    b[bit >> 3]! ^= 1 << (bit & 7);
    expect(bytes.equalBytes(a, b)).toBe(false);
  }
  expect(bytes.equalBytes(a, a.subarray(1))).toBe(false);
  // A part of it from its beginning, whichever comes first.
  for (const length of [0, 1, 49]) {
    expect(bytes.equalBytes(a, a.subarray(0, length))).toBe(false);
    expect(bytes.equalBytes(a.subarray(0, length), a)).toBe(false);
  }
  expect(bytes.equalBytes(a.subarray(0, 0), new Uint8Array(0))).toBe(true);
});

test("a number without its leading zeros", () => {
  for (const [number, short] of [
    ["00", "00"],
    ["000000", "00"],
    ["0001", "01"],
    ["0100", "0100"],
    ["00ff00", "ff00"],
    ["", ""],
  ] as const) {
    const view = bytes.withoutLeadingZeros(Buffer.from(number, "hex"));
    expect(Buffer.from(view).toString("hex")).toBe(short);
  }
});

test("random bytes beyond what one call of the platform gives", () => {
  const value = bytes.randomBytes(200_001);
  // Every part was filled: 64 zero bytes in a row do not happen by chance.
  for (let at = 0; at + 64 <= value.length; at += 64) {
    expect(value.subarray(at, at + 64).some((byte) => byte !== 0)).toBe(true);
  }
});

describe("canonical JSON", () => {
  // RFC 8785, sections 3.2.2 and 3.2.3 (without the fractions, which are not part of the form here)
  test("the RFC's examples", () => {
    const strings = {
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\u002f",
      literals: [null, true, false],
    };
    expect(text(encodeJcs(strings))).toBe(
      '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const names = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\u{1f600}": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    expect(Object.values(JSON.parse(text(encodeJcs(names))))).toEqual([
      "One", // integer-like names come first in any JavaScript object
      "Carriage Return",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ]);
  });

  const value = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger().map((n) => n + 0),
      fc.string({ unit: "grapheme" }),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie("json"), { maxKeys: 4 }) as fc.Arbitrary<Json>,
    ),
  })).json;

  test("is what JSON.parse reads, whatever the order of members", () => {
    fc.assert(
      fc.property(value, (json) => {
        const encoded = encodeJcs(json);
        expect(JSON.parse(text(encoded))).toEqual(JSON.parse(JSON.stringify(json)));
        expect(encodeJcs(decodeJcs(encoded, 1 << 20))).toEqual(encoded);
      }),
    );
  });

  test.each([
    "",
    " 1",
    "1 ",
    "01",
    "-0",
    "1.0",
    "1e3",
    "9007199254740992",
    "1.5",
    "\ufeff1",
    '"\\u0041"',
    '"\\/"',
    '"\\ud800"',
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1,"a":2}',
    '{"__proto__":1,"__proto__":2}',
    "[1,]",
    "[1, 2]",
    "nul",
    "'a'",
    `${"[".repeat(9)}${"]".repeat(9)}`,
  ])("%j is refused", (spelling) => {
    expect(() => decodeJcs(Buffer.from(spelling), 1000)).toThrow(BAD_FORMAT);
  });

  test("limits", () => {
    const deep = `${"[".repeat(8)}${"]".repeat(8)}`;
    expect(text(encodeJcs(decodeJcs(Buffer.from(deep), 1000)))).toBe(deep);
    expect(() => decodeJcs(Buffer.from(`[${deep}]`), 1000)).toThrow(/nested/);
    // Brackets in texts are no nesting, whatever stands before a quotation mark.
    for (const text of ["[".repeat(20), '"[[[[[[[[[[', "\\", '\\"[[[[[[[[[[{{{', '[\\\\"\\']) {
      const encoded = encodeJcs({ [text]: [text] });
      expect(decodeJcs(encoded, 1000)).toEqual({ [text]: [text] });
    }
    const parse = (text: string, values: number) => () => parseJson(text, values, "not JSON");
    expect(parse("[".repeat(1 << 24), 1 << 24)).toThrow(/nested/);
    expect(() => encodeJcs(JSON.parse(`[${deep}]`) as Json)).toThrow(/nested/);
    expect(() => encodeJcs(JSON.parse(`{"a":${deep}}`) as Json)).toThrow(/nested/);
    expect(() => decodeJcs(Buffer.from('"12345"'), 6)).toThrow(BAD_FORMAT);
    expect(decodeJcs(Buffer.from('"12345"'), 7)).toBe("12345");
    expect(() => decodeJcs(Buffer.from('"üü"'), 5)).toThrow(BAD_FORMAT);
    expect(decodeJcs(Buffer.from('"üü"'), 6)).toBe("üü");
    for (const bad of [Number.NaN, 0.5, 2 ** 53, "\ud800", { "\udc00": 1 }]) {
      expect(() => encodeJcs(bad as Json)).toThrow(BAD_FORMAT);
    }
  });

  test("members have exact limits, in bytes of UTF-8 and of what base64url holds", () => {
    const of = (value: Json) => new Members({ it: value }, "test");
    const long = "ü".repeat(5);
    expect(of(long).text("it", 10)).toBe(long);
    expect(() => of(long).text("it", 9)).toThrow(BAD_FORMAT);
    for (const good of [3, 4, 7]) expect(of(good).integer("it", 3, 7)).toBe(good);
    for (const bad of [2, 8, "3"]) expect(() => of(bad).integer("it", 3, 7)).toThrow(BAD_FORMAT);
    const b64 = (length: number) => Buffer.alloc(length, 0xee).toString("base64url");
    for (const good of [3, 4, 5]) expect(of(b64(good)).bytes("it", 3, 5)).toHaveLength(good);
    for (const bad of [0, 2, 6, 7]) {
      expect(() => of(b64(bad)).bytes("it", 3, 5), `${bad}`).toThrow(BAD_FORMAT);
    }
    for (const length of [1, 16, 24, 32]) {
      expect(of(b64(length)).bytes("it", length)).toHaveLength(length);
      for (const bad of [length - 1, length + 1]) {
        expect(() => of(b64(bad)).bytes("it", length)).toThrow(BAD_FORMAT);
      }
    }
    const list = (length: number) => of(Array(length).fill(1)).list("it", 2, (item) => item);
    expect(list(0)).toEqual([]);
    expect(list(2)).toEqual([1, 1]);
    expect(() => list(3)).toThrow(BAD_FORMAT);
    expect(() => of(1).list("it", 2, (item) => item)).toThrow(BAD_FORMAT);
    expect(of("b").oneOf("it", ["a", "b"])).toBe("b");
    expect(() => of("c").oneOf("it", ["a", "b"])).toThrow(BAD_FORMAT);
    expect(of(1).exactly("it", 1)).toBe(1);
    expect(() => of("1").exactly("it", 1)).toThrow(BAD_FORMAT);
    for (const wrong of [1, "a", null, [], true])
      expect(() => of(wrong).members("it")).toThrow(BAD_FORMAT);
  });

  test("a member named __proto__ is a member", () => {
    const encoded = Buffer.from('{"__proto__":{"a":1}}');
    const members = new Members(decodeJcs(encoded, 100), "test");
    expect(() => members.end()).toThrow(/__proto__/);
    expect(text(encodeJcs(members.rest()))).toBe(encoded.toString());
    expect(members.has("toString")).toBe(false);
  });

  test("times", () => {
    const at = (time: string) => new Members({ time }, "test").time("time");
    expect(formatTime(at("2026-02-28T23:59:59Z"))).toBe("2026-02-28T23:59:59Z");
    for (const bad of [
      "2026-02-29T00:00:00Z",
      "2026-02-28T24:00:00Z",
      "2026-02-28T00:00:00z",
      "2026-02-28 00:00:00Z",
      "+010000-01-01T00:00Z",
      "",
    ]) {
      expect(() => at(bad)).toThrow(BAD_FORMAT);
      expect(parseTime(bad)).toBeUndefined();
    }
    for (const time of [new Date(Number.NaN), new Date(Date.UTC(10000, 0)), new Date(-1e15)]) {
      expect(() => formatTime(time)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    expect(formatTime(new Date(Date.UTC(9999, 11, 31, 23, 59, 59, 999)))).toBe(
      "9999-12-31T23:59:59Z",
    );
  });
});
