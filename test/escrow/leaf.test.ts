import fc from "fast-check";
import { decodeLeaf, encodeLeaf, type Leaf } from "twinwrap/escrow";
import { describe, expect, test } from "vitest";

const BAD_ARGUMENT = expect.objectContaining({ code: "BAD_ARGUMENT" });
const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const time = new Date("2026-01-31T23:59:59Z");
const bytes = (value: number) => new Uint8Array(32).fill(value);
const hex = (value: number) => Buffer.from(bytes(value)).toString("hex");

// As docs/format.md has them.
const LEAVES: [Leaf, string][] = [
  [
    { type: "escrow", time, record: bytes(1), owner: bytes(2) },
    `twinwrap/leaf/v1\ntype escrow\ntime 2026-01-31T23:59:59Z\nrecord ${hex(1)}\nowner ${hex(2)}\n`,
  ],
  [
    { type: "verified", time, record: bytes(1), owner: bytes(2) },
    `twinwrap/leaf/v1\ntype verified\ntime 2026-01-31T23:59:59Z\nrecord ${hex(1)}\nowner ${hex(2)}\n`,
  ],
  [
    {
      type: "release",
      time,
      record: bytes(1),
      owner: bytes(2),
      request: bytes(3),
      policy: bytes(4),
      approvals: bytes(5),
      recipient: bytes(0xff),
    },
    `twinwrap/leaf/v1\ntype release\ntime 2026-01-31T23:59:59Z\nrecord ${hex(1)}\nowner ${hex(2)}\n` +
      `request ${hex(3)}\npolicy ${hex(4)}\napprovals ${hex(5)}\nrecipient ${hex(0xff)}\n`,
  ],
  [
    { type: "veto", time, request: bytes(3), approval: bytes(6) },
    `twinwrap/leaf/v1\ntype veto\ntime 2026-01-31T23:59:59Z\nrequest ${hex(3)}\napproval ${hex(6)}\n`,
  ],
  [
    { type: "policy", time, number: 12, policy: bytes(4) },
    `twinwrap/leaf/v1\ntype policy\ntime 2026-01-31T23:59:59Z\nnumber 12\npolicy ${hex(4)}\n`,
  ],
  [
    { type: "authority", time, number: 1, identity: bytes(7) },
    `twinwrap/leaf/v1\ntype authority\ntime 2026-01-31T23:59:59Z\nnumber 1\nidentity ${hex(7)}\n`,
  ],
];

describe.each(LEAVES.map(([leaf, text]) => [leaf.type, leaf, text] as const))(
  "%s",
  (_, leaf, text) => {
    test("is written and read", () => {
      expect(encodeLeaf(leaf)).toBe(text);
      expect(decodeLeaf(text)).toEqual(leaf);
    });

    test("with a line missing, twice, swapped, or one too many", () => {
      const lines = text.split(/(?<=\n)/);
      for (let i = 0; i < lines.length; i++) {
        const refused = (changed: string[]) =>
          expect(() => decodeLeaf(changed.join(""))).toThrow(BAD_FORMAT);
        refused(lines.filter((_, at) => at !== i));
        refused(lines.flatMap((line, at) => (at === i ? [line, line] : [line])));
        refused(lines.flatMap((line, at) => (at === i ? ["\n", line] : [line])));
        refused(lines.flatMap((line, at) => (at === i ? [line, "more x\n"] : [line])));
        const next = lines[i + 1];
        if (next)
          refused(lines.map((line, at) => (at === i ? next : at === i + 1 ? lines[i]! : line)));
        refused(lines.map((line, at) => (at === i ? ` ${line}` : line)));
        refused(lines.map((line, at) => (at === i ? line.replace("\n", " \n") : line)));
        refused(lines.map((line, at) => (at === i ? line.replace("\n", "\r\n") : line)));
        refused(
          lines
            .map((line, at) => (at === i ? line.replace(" ", "  ") : line))
            .slice(i === 0 ? 99 : 0),
        );
      }
      expect(() => decodeLeaf(text.slice(0, -1))).toThrow(BAD_FORMAT);
      expect(() => decodeLeaf(`\ufeff${text}`)).toThrow(BAD_FORMAT);
    });

    test("any other text is refused or is written back the same", () => {
      fc.assert(
        fc.property(
          fc.nat(text.length - 1),
          fc.constantFrom("", "0", "1", "a", "A", "Z", " ", "\n", "-", "é", "\0"),
          fc.nat(1),
          (at, by, cut) => {
            const changed = text.slice(0, at) + by + text.slice(at + cut);
            let read: Leaf;
            try {
              read = decodeLeaf(changed);
            } catch (error) {
              expect(error).toMatchObject({ code: "BAD_FORMAT" });
              return;
            }
            expect(encodeLeaf(read)).toBe(changed);
          },
        ),
        { numRuns: 2000 },
      );
    });
  },
);

test.each(["destroy", "drill", "rotate", "Escrow", "", "constructor", "__proto__"])(
  "type %j is refused",
  (type) => {
    const text = LEAVES[0]![1].replace("type escrow", `type ${type}`);
    expect(() => decodeLeaf(text)).toThrow(BAD_FORMAT);
  },
);

test.each([
  ["a time with fractions", "time 2026-01-31T23:59:59.000Z"],
  ["a time of another zone", "time 2026-01-31T23:59:59+00:00"],
  ["a time without Z", "time 2026-01-31T23:59:59"],
  ["a date", "time 2026-01-31"],
  ["a day that is not", "time 2026-02-30T23:59:59Z"],
  ["hour 24", "time 2026-01-31T24:00:00Z"],
  ["year 10000", "time +010000-01-01T00:00Z"],
])("%s is refused", (_, line) => {
  const text = LEAVES[0]![1].replace(/time .*/, line);
  expect(() => decodeLeaf(text)).toThrow(BAD_FORMAT);
});

test.each(["0", "-1", "+1", "01", "1.0", "1e3", "0x1", "", " 1", "9007199254740992", "NaN"])(
  "number %j is refused",
  (number) => {
    const text = LEAVES[4]![1].replace("number 12", `number ${number}`);
    expect(() => decodeLeaf(text)).toThrow(BAD_FORMAT);
  },
);

test("values that can't stand in a leaf are not written", () => {
  const [escrow] = LEAVES[0]!;
  const [policy] = LEAVES[4]!;
  const wrong = [
    { ...escrow, record: new Uint8Array(31) },
    { ...escrow, record: new Uint8Array(33) },
    { ...policy, number: 0 },
    { ...policy, number: 1.5 },
  ];
  for (const leaf of wrong) expect(() => encodeLeaf(leaf as Leaf)).toThrow(BAD_FORMAT);
  const above = { ...policy, number: 2 ** 53 };
  expect(() => encodeLeaf(above as Leaf)).toThrow(
    expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
  );
  for (const time of [new Date(Number.NaN), new Date("+010000-01-01T00:00:00Z")]) {
    expect(() => encodeLeaf({ ...escrow, time } as Leaf)).toThrow(BAD_ARGUMENT);
  }
});

test("a leaf has at most 4096 bytes", () => {
  expect(() => decodeLeaf(`${LEAVES[0]![1]}${"x".repeat(4096)}\n`)).toThrow(/4096/);
});
