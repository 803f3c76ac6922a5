import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bitString,
  DerReader,
  encodeDer,
  integer,
  octetString,
  oid,
  sequence,
  smallInteger,
} from "#build/keys/der.js";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");
const badFormat = expect.objectContaining({ code: "BAD_FORMAT" });

describe("writing (X.690)", () => {
  test.each([
    [smallInteger(0), "020100"],
    [smallInteger(127), "02017f"],
    [smallInteger(128), "02020080"],
    [smallInteger(600_000), "02030927c0"],
    [integer(bytes("0000ff")), "020200ff"],
    [oid("1.2.840.113549.1.1.1"), "06092a864886f70d010101"],
    [oid("2.16.840.1.101.3.4.1.42"), "060960864801650304012a"],
    [oid("1.3.6.1.4.1.11591.4.11"), "06092b06010401da47040b"],
    [sequence(), "3000"],
    [octetString(sequence(smallInteger(1))), "04053003020101"],
    [bitString(smallInteger(1)), "030400020101"],
  ])("%#", (node, expected) => {
    expect(hex(encodeDer(node))).toBe(expected);
  });

  test.each([
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65535, "0482ffff"],
    [65536, "0483010000"],
  ])("a length of %i", (length, head) => {
    const der = encodeDer(octetString(new Uint8Array(length)));
    expect(hex(der).startsWith(head)).toBe(true);
    expect(der.length).toBe(head.length / 2 + length);
    expect(new DerReader(der).octetString().length).toBe(length);
  });
});

describe("reading", () => {
  const readers: Record<string, (reader: DerReader) => unknown> = {
    integer: (reader) => reader.integer(),
    sequence: (reader) => reader.sequence(),
    octetString: (reader) => reader.octetString(),
    bitString: (reader) => reader.bitString(),
    oid: (reader) => reader.oid(),
    optionalNull: (reader) => reader.optionalNull(),
  };

  test.each([
    ["integer", "0200", "no bytes"],
    ["integer", "020180", "negative"],
    ["integer", "02020001", "a byte too many"],
    ["integer", "0202007f", "a byte too many for 127"],
    ["integer", "02020000", "a byte too many for 0"],
    ["integer", "030101", "another tag"],
    ["integer", "0202", "cut"],
    ["integer", "02", "cut before the length"],
    ["integer", "", "nothing"],
    ["octetString", "0480", "indefinite length"],
    ["octetString", "04810101", "a long form that is not needed"],
    ["octetString", "0482000100", "a length with a leading zero"],
    ["octetString", "048400000001ff", "a length of four bytes"],
    ["octetString", `04817f${"00".repeat(127)}`, "127 bytes in the long form"],
    ["octetString", `04820080${"00".repeat(128)}`, "128 bytes in a length of two"],
    ["octetString", `048200ff${"00".repeat(255)}`, "255 bytes in a length of two"],
    ["octetString", `0483000100${"00".repeat(256)}`, "256 bytes in a length of three"],
    ["octetString", `0483008000${"00".repeat(32768)}`, "a length of three with a leading zero"],
    ["octetString", `048300ffff${"00".repeat(65535)}`, "65535 bytes in a length of three"],
    ["octetString", `048400010000${"00".repeat(65536)}`, "a length of four bytes, needed or not"],
    ["octetString", "0482ffff00", "longer than what is there"],
    ["octetString", `0481ff${"00".repeat(254)}`, "a byte too few"],
    ["octetString", "0482", "cut inside the length"],
    ["bitString", "0300", "no count of unused bits"],
    ["bitString", "03020780", "unused bits"],
    ["oid", "0600", "empty"],
    ["oid", "06028001", "an arc with a leading zero"],
    ["oid", "060188", "an arc that breaks off"],
    ["oid", "0608ffffffffffffff7f", "a huge arc"],
    ["optionalNull", "050100", "a NULL with a byte"],
  ])("%s refuses %s (%s)", (name, input) => {
    expect(() => readers[name]!(new DerReader(bytes(input)))).toThrow(badFormat);
  });

  test.each([
    ["integer", "020100", "00"],
    ["integer", "02017f", "7f"],
    ["integer", "02020080", "80"],
    ["integer", "020200ff", "ff"],
    ["integer", "02020100", "0100"],
    ["octetString", `048180${"00".repeat(128)}`, "00".repeat(128)],
    ["octetString", `0481ff${"00".repeat(255)}`, "00".repeat(255)],
    ["octetString", `04820100${"00".repeat(256)}`, "00".repeat(256)],
    ["octetString", `0483010000${"00".repeat(65536)}`, "00".repeat(65536)],
    ["octetString", `047f${"00".repeat(127)}`, "00".repeat(127)],
  ])("%s takes the shortest form: %s", (name, input, content) => {
    const reader = new DerReader(bytes(input));
    expect(hex(readers[name]!(reader) as Uint8Array)).toBe(content);
    reader.end();
  });

  test("lengths have three bytes at most, even where as much as four say follows", () => {
    const long = new Uint8Array(6 + 2 ** 24);
    long.set(bytes("048401000000"));
    expect(() => new DerReader(long).octetString()).toThrow(badFormat);
    long.set(bytes("0483ffffff"));
    expect(new DerReader(long).octetString().length).toBe(2 ** 24 - 1);
  });

  test("twelve levels and not one more", () => {
    const descend = (levels: number) => {
      let at = new DerReader(bytes(nested(levels)));
      for (let i = 0; i < levels; i++) at = at.sequence();
      at.end();
    };
    descend(12);
    expect(() => descend(13)).toThrow(/nested too deeply/);
  });

  test("arcs of up to 28 bits", () => {
    const oids = [2 ** 28 - 1, 2 ** 28].map((arc) => encodeDer(oid(`1.2.${arc}`)));
    expect(new DerReader(oids[0]!).oid()).toBe(`1.2.${2 ** 28 - 1}`);
    expect(() => new DerReader(oids[1]!).oid()).toThrow(badFormat);
  });

  test("nothing may follow, and nesting has an end", () => {
    const reader = new DerReader(bytes("02010102"));
    reader.integer();
    expect(() => reader.end()).toThrow(badFormat);
    const deep = new DerReader(bytes(nested(20)));
    expect(() => {
      for (let at = deep; ; ) at = at.sequence();
    }).toThrow(/nested too deeply/);
  });

  function nested(levels: number): string {
    let inner = "";
    for (let i = 0; i < levels; i++) {
      inner = `30${(inner.length / 2).toString(16).padStart(2, "0")}${inner}`;
    }
    return inner;
  }

  test("small integers know their limit", () => {
    const read = (input: string, limit: number) =>
      new DerReader(bytes(input)).smallInteger(limit, "it");
    expect(read("02030927c0", 1e7)).toBe(600_000);
    expect(read("02030927c0", 600_000)).toBe(600_000);
    expect(() => read("02030927c0", 599_999)).toThrow(/it is above 599999/);
    expect(() => read(`0220${"7f".repeat(32)}`, 2 ** 40)).toThrow(/it is above/);
    // Seven bytes of which all but the first would fit.
    expect(() => read("020701000000000000", 2 ** 53)).toThrow(/it is above/);
    expect(read("02067fffffffffff", 2 ** 47 - 1)).toBe(2 ** 47 - 1);
  });

  test("what is written is read back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (number) => {
        const value = BigInt(`0x${hex(number)}`);
        const read = new DerReader(encodeDer(integer(number))).integer();
        expect(BigInt(`0x${hex(read)}`)).toBe(value);
      }),
    );
    const arcs = fc.array(fc.nat(2 ** 28 - 1), { maxLength: 8 });
    fc.assert(
      fc.property(fc.nat(2), fc.nat(39), arcs, (first, second, rest) => {
        const dotted = [first, second, ...rest].join(".");
        expect(new DerReader(encodeDer(oid(dotted))).oid()).toBe(dotted);
      }),
    );
  });
});
