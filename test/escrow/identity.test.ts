// Which keys are an authority's: what an identity may say. chain.test.ts has who signs it.
import { loadCore } from "twinwrap/core";
import { formatIdentity, parseIdentity, type Signer, signNote } from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { keysHash, parseIdentityText } from "#build/escrow/identity.js";
import { formatSpki } from "#build/escrow/spki.js";
import { BAD_FORMAT, fill, hex, OVER_LIMIT, sha256, signer, spareKey } from "./material.js";

const core = await loadCore();
const hash = (byte: number) => new Uint8Array(fill(byte));
const ORIGIN = "authority.example";
type Text = Parameters<typeof formatIdentity>[0];
type Ended = Text["ended"][0];

const log = signer(ORIGIN, 1);
const newLog = signer("log-2.example", 50);

const identityText = (change: Partial<Text> = {}): Text => ({
  origin: ORIGIN,
  number: 1,
  previous: hash(3),
  log,
  wrapKeys: [spareKey(100)],
  paddings: ["oaep"],
  ended: [],
  ...change,
});
const note = (text: Text, ...by: Signer[]) => signNote(core, formatIdentity(text), ...by);

/** Logs that ended. */
const ended = (count: number): Ended[] =>
  Array.from({ length: count }, (_, i) => ({
    name: i === 0 ? ORIGIN : `ended-${i}.example`,
    publicKey: signer("any", 100 + i).publicKey,
    kept: { size: i, root: hash(i) },
    end: { size: 2 * i, root: hash(i + 1) },
  }));
const wraps = (count: number) => Array.from({ length: count }, (_, i) => spareKey(200 + i));
const later = (change: Partial<Text>) => ({ number: 2, log: newLog, ...change });
const point = (kept: number, end: number): Ended[] => {
  const [one] = ended(1) as [Ended];
  const at = (size: number) => ({ size, root: hash(1) });
  return [{ ...one, kept: at(kept), end: at(end) }];
};

describe("the text of an identity", () => {
  test.each<[string, Partial<Text>]>([
    ["as it is", {}],
    ["both paddings", { paddings: ["oaep", "pkcs1-v1_5"] }],
    ["a later one", { number: 2, wrapKeys: wraps(2) }],
    ["number 1024", { number: 1024 }],
    ["64 RSA keys", { wrapKeys: wraps(64) }],
    ["63 logs that ended", later({ ended: ended(63) })],
    ["a log of which nothing is kept", later({ ended: point(0, 2 ** 53 - 1) })],
    ["a log of which all is kept", later({ ended: point(9, 9) })],
    ["a name of 255 bytes", later({ log: { ...newLog, name: `${"é".repeat(127)}a` } })],
  ])("is read back as it was written: %s", async (_, change) => {
    const text = identityText(change);
    const { hash: found, ...parsed } = parseIdentity(core, await note(text, log));
    const key = ({ name, publicKey }: Text["log"]) => [name, hex(publicKey)];
    const plain = (one: Text) => ({
      ...one,
      log: key(one.log),
      ended: one.ended.map(({ kept, end, ...by }) => [key(by), kept, end]),
    });
    expect(plain(parsed)).toEqual(plain(text));
    expect(hex(found)).toBe(hex(sha256("twinwrap/v1/authority\n", formatIdentity(text))));
  });

  test("has these lines", () => {
    const [one] = point(3, 5) as [Ended];
    const text = later({ wrapKeys: wraps(2), paddings: ["oaep", "pkcs1-v1_5"], ended: [one] });
    const b64 = (key: Uint8Array) => Buffer.from(key).toString("base64");
    expect(formatIdentity(identityText(text)).split("\n")).toEqual([
      "twinwrap/authority/v1",
      `origin ${ORIGIN}`,
      "number 2",
      `previous ${"03".repeat(32)}`,
      `log log-2.example ${b64(newLog.publicKey)}`,
      `wrap ${formatSpki(spareKey(200))}`,
      `wrap ${formatSpki(spareKey(201))}`,
      "alg rsa-oaep-sha1 rsa-pkcs1-v1_5",
      `ended ${ORIGIN} ${b64(one.publicKey)}`,
      `kept 3 ${"01".repeat(32)}`,
      `end 5 ${"01".repeat(32)}`,
      "",
    ]);
  });

  test.each<[string, Partial<Text>]>([
    ["a name of 256 bytes", later({ log: { ...newLog, name: "é".repeat(128) } })],
    ["65 RSA keys", { wrapKeys: wraps(65) }],
    ["64 logs that ended", later({ ended: ended(64) })],
    ["number 1025", { number: 1025 }],
  ])("can't have %s", (_, change) => {
    expect(() => formatIdentity(identityText(change))).toThrow(OVER_LIMIT);
  });

  test.each<[string, Partial<Text>]>([
    ["number 0", { number: 0 }],
    ["a first log key under another name", { log: signer("other.example", 1) }],
    ["a log that ended before the first", { ended: ended(2).slice(1) }],
    ["no RSA key", { wrapKeys: [] }],
    [
      "the log key of a log that ended",
      later({ log: { ...newLog, ...ended(2)[1]!, name: "b" }, ended: ended(2) }),
    ],
    ["the name of a log that ended", later({ log: { ...newLog, name: ORIGIN }, ended: ended(2) })],
    ["a log that ended twice", later({ ended: [...ended(2), ended(2)[1]!] })],
    ["a log that is kept beyond its end", later({ ended: point(6, 5) })],
    ["an end of a fraction", later({ ended: point(0, 0.5) })],
    ["an RSA key twice", { wrapKeys: [spareKey(1), spareKey(2), spareKey(1)] }],
    ["v1.5 alone", { paddings: ["pkcs1-v1_5"] }],
    ["v1.5 first", { paddings: ["pkcs1-v1_5", "oaep"] }],
    ["no padding", { paddings: [] }],
    ["a reserved origin", { origin: "twinwrap/x", log: { ...log, name: "twinwrap/x" } }],
  ])("can't be: %s", (_, change) => {
    expect(() => formatIdentity(identityText(change))).toThrow(BAD_FORMAT);
  });

  const text = formatIdentity(identityText(later({ ended: point(3, 5) })));
  test.each<[string, string | RegExp, string]>([
    ["the padding's other name", "alg rsa-oaep-sha1", "alg oaep"],
    ["a line of the first edition", "alg rsa-oaep-sha1", "padding oaep"],
    ["two log keys", /(log .*\n)/, "$1$1"],
    ["a policy behind all", /$/, `policy ${"00".repeat(32)}\n`],
    ["nothing before it", /previous .*/, "previous none"],
    ["end and kept exchanged", /(kept .*\n)(end .*\n)/, "$2$1"],
    ["no end", /end .*\n/, ""],
    ["nothing kept", /kept .*\n/, ""],
    ["a leading zero", "kept 3 ", "kept 03 "],
    ["a point without its root", /kept .*/, "kept 3"],
    ["capitals in a root", /kept .*/, `kept 3 ${"AB".repeat(32)}`],
    ["more leaves than can be counted", "end 5 ", "end 9007199254740992 "],
    ["a log without its origin", /log \S+ /, "log "],
  ])("has one spelling: %s", (_, from, to) => {
    parseIdentityText(text);
    const other = text.replace(from, to);
    expect(other).not.toBe(text);
    expect(() => parseIdentityText(other)).toThrow(BAD_FORMAT);
  });
});

test("the keys have a hash of their own, which nothing else of the identity is in", () => {
  const of = (change: Partial<Text>) => hex(keysHash(core, identityText(change)));
  const lines = formatIdentity(identityText())
    .split(/(?<=\n)/)
    .filter((line) => /^(origin|log|wrap|alg) /.test(line));
  expect(lines).toHaveLength(4);
  expect(of({})).toBe(hex(sha256("twinwrap/v1/keys\n", ...lines)));
  expect(of({ previous: hash(9), number: 7 })).toBe(of({}));
  const others: Partial<Text>[] = [
    { wrapKeys: [spareKey(101)] },
    { wrapKeys: wraps(2) },
    { wrapKeys: wraps(2).reverse() },
    { log: signer(ORIGIN, 2) },
    { log: signer("x", 1) },
    { origin: "x" },
    { paddings: ["oaep", "pkcs1-v1_5"] },
  ];
  expect(new Set([{}, ...others].map(of)).size).toBe(1 + others.length);
});
