import fc from "fast-check";
import {
  decodeLeaf,
  encodeLeaf,
  type KnownLeaf,
  type Leaf,
  type RequestLeaf,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { FIELDS } from "#build/escrow/leaf.js";

const BAD_ARGUMENT = expect.objectContaining({ code: "BAD_ARGUMENT" });
const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const LIMIT_EXCEEDED = expect.objectContaining({ code: "LIMIT_EXCEEDED" });
const time = new Date("2026-01-31T23:59:59Z");
const bytes = (value: number) => new Uint8Array(32).fill(value);
const hex = (value: number) => Buffer.from(bytes(value)).toString("hex");

// As docs/format.md has them.
const LEAVES: [KnownLeaf, string][] = [
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
      basis: "quorum",
    },
    `twinwrap/leaf/v1\ntype release\ntime 2026-01-31T23:59:59Z\nrecord ${hex(1)}\nowner ${hex(2)}\n` +
      `request ${hex(3)}\npolicy ${hex(4)}\napprovals ${hex(5)}\nrecipient ${hex(0xff)}\nbasis quorum\n`,
  ],
  [
    { type: "denial", time, request: bytes(3), approval: bytes(6) },
    `twinwrap/leaf/v1\ntype denial\ntime 2026-01-31T23:59:59Z\nrequest ${hex(3)}\napproval ${hex(6)}\n`,
  ],
  [
    { type: "policy", time, number: 12, policy: bytes(4) },
    `twinwrap/leaf/v1\ntype policy\ntime 2026-01-31T23:59:59Z\nnumber 12\npolicy ${hex(4)}\n`,
  ],
  [
    { type: "authority", time, number: 1, identity: bytes(7) },
    `twinwrap/leaf/v1\ntype authority\ntime 2026-01-31T23:59:59Z\nnumber 1\nidentity ${hex(7)}\n`,
  ],
  [
    {
      type: "request",
      time,
      request: bytes(3),
      policy: bytes(4),
      expires: new Date("2026-02-14T23:59:59Z"),
      notbefore: new Date("2026-02-01T23:59:59Z"),
      owners: [bytes(8)],
    },
    `twinwrap/leaf/v1\ntype request\ntime 2026-01-31T23:59:59Z\nrequest ${hex(3)}\npolicy ${hex(4)}\n` +
      "expires 2026-02-14T23:59:59Z\nnotbefore 2026-02-01T23:59:59Z\n" +
      `owner ${hex(8)}\n`,
  ],
  [
    { type: "veto", time, request: bytes(3), veto: bytes(6) },
    `twinwrap/leaf/v1\ntype veto\ntime 2026-01-31T23:59:59Z\nrequest ${hex(3)}\nveto ${hex(6)}\n`,
  ],
  [
    { type: "enrol", time, owner: bytes(2), control: bytes(0xa0) },
    `twinwrap/leaf/v1\ntype enrol\ntime 2026-01-31T23:59:59Z\nowner ${hex(2)}\ncontrol ${hex(0xa0)}\n`,
  ],
  [
    {
      type: "announce",
      time,
      number: 2,
      policy: bytes(4),
      notbefore: new Date("2026-02-07T23:59:59Z"),
    },
    "twinwrap/leaf/v1\ntype announce\ntime 2026-01-31T23:59:59Z\nnumber 2\n" +
      `policy ${hex(4)}\nnotbefore 2026-02-07T23:59:59Z\n`,
  ],
];
const [, REQUEST_TEXT] = LEAVES.find(([{ type }]) => type === "request")!;

test("every type is here", () => {
  const types = LEAVES.map(([{ type }]) => type).sort();
  expect(types).toEqual(Object.keys(FIELDS).sort());
});

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
            // What changed the type into one of a later edition is not read further.
            if (read.type === "unknown") expect(changed).toContain(`type ${read.name}\n`);
            else expect(encodeLeaf(read)).toBe(changed);
          },
        ),
        { numRuns: 2000 },
      );
    });
  },
);

test.each(["Escrow", "", "a b", "1st", "-", "ä", `a${"b".repeat(32)}`, "a_b", "__proto__"])(
  "type %j is none",
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
  for (const leaf of wrong) expect(() => encodeLeaf(leaf as KnownLeaf)).toThrow(BAD_FORMAT);
  const above = { ...policy, number: 2 ** 53 };
  expect(() => encodeLeaf(above as KnownLeaf)).toThrow(
    expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
  );
  for (const time of [new Date(Number.NaN), new Date("+010000-01-01T00:00:00Z")]) {
    expect(() => encodeLeaf({ ...escrow, time } as KnownLeaf)).toThrow(BAD_ARGUMENT);
  }
});

describe("a type of a later edition", () => {
  const later = (type: string, lines: string) =>
    `twinwrap/leaf/v1\ntype ${type}\ntime 2026-01-31T23:59:59Z\n${lines}`;

  test.each(["destroy", "drill", "rotate", "hold", "constructor", "a", `a${"-".repeat(31)}`])(
    "%s is read as what nobody knows yet, whatever it says",
    (type) => {
      for (const lines of ["", "record none\n", "what it may be: ä\n", "owner 1\nowner 1\n"]) {
        expect(decodeLeaf(later(type, lines))).toEqual({ type: "unknown", time, name: type });
      }
    },
  );

  test.each([
    ["no line end", later("drill", "a 1")],
    ["a control character", later("drill", "a \u0007\n")],
    ["half a surrogate pair", later("drill", "a \ud800\n")],
    ["no time", "twinwrap/leaf/v1\ntype drill\nrecord 1\n"],
    ["a time that is none", later("drill", "").replace("2026-01-31", "2026-02-31")],
    ["another edition", later("drill", "").replace("leaf/v1", "leaf/v2")],
  ])("is lines all the same: %s", (_, text) => {
    expect(() => decodeLeaf(text)).toThrow(BAD_FORMAT);
  });

  test("has at most 65,535 bytes, counted in UTF-8", () => {
    const room = 65535 - Buffer.byteLength(later("drill", "a \n"));
    const letters = `${"ä".repeat(Math.floor(room / 2))}${"a".repeat(room % 2)}`;
    const whole = later("drill", `a ${letters}\n`);
    expect(Buffer.byteLength(whole)).toBe(65535);
    expect(decodeLeaf(whole)).toMatchObject({ type: "unknown" });
    for (const more of [later("drill", `a ${letters}b\n`), later("drill", "x".repeat(1 << 20))]) {
      expect(() => decodeLeaf(more)).toThrow(/longer than 65535 bytes/);
    }
  });
});

describe("the owners of a request", () => {
  const tag = (number: number) => {
    const made = new Uint8Array(32);
    new DataView(made.buffer).setUint32(0, number);
    return made;
  };
  const leaf = (owners: Uint8Array[]): KnownLeaf => ({
    ...(LEAVES.find(([{ type }]) => type === "request")![0] as RequestLeaf),
    owners,
  });
  const many = (count: number) => Array.from({ length: count }, (_, i) => tag(i));

  test("are 1 to 500, which a leaf has room for", () => {
    for (const count of [1, 2, 500]) {
      const text = encodeLeaf(leaf(many(count)));
      expect(text.match(/^owner /gm)).toHaveLength(count);
      expect(decodeLeaf(text)).toEqual(leaf(many(count)));
      expect(text.length).toBeLessThanOrEqual(65535);
    }
    expect(() => encodeLeaf(leaf(many(501)))).toThrow(LIMIT_EXCEEDED);
    const text = encodeLeaf(leaf(many(500)));
    expect(() => decodeLeaf(`${text}owner ${"ff".repeat(32)}\n`)).toThrow(/more than 500/);
    expect(() => encodeLeaf(leaf([]))).toThrow(BAD_FORMAT);
    expect(() => decodeLeaf(REQUEST_TEXT.replace(/owner .*\n/g, ""))).toThrow(BAD_FORMAT);
  });

  test("are sorted, and each is there once", () => {
    for (const owners of [
      [tag(2), tag(1)],
      [tag(1), tag(1)],
      [tag(1), tag(3), tag(2)],
      [tag(1), tag(2), tag(1)],
    ]) {
      expect(() => encodeLeaf(leaf(owners))).toThrow(BAD_FORMAT);
      const lines = owners.map((owner) => `owner ${Buffer.from(owner).toString("hex")}\n`);
      const text = REQUEST_TEXT.replace(/(owner .*\n)+/, lines.join(""));
      expect(() => decodeLeaf(text)).toThrow(BAD_FORMAT);
    }
  });
});

test.each(["Quorum", "emergencies", "", "both", "quorum "])("basis %j is none", (basis) => {
  const [leaf, text] = LEAVES.find(([{ type }]) => type === "release")!;
  expect(() => decodeLeaf(text.replace("basis quorum", `basis ${basis}`))).toThrow(BAD_FORMAT);
  expect(decodeLeaf(text.replace("basis quorum", "basis emergency"))).toEqual({
    ...leaf,
    basis: "emergency",
  });
});
