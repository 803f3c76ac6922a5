import { createPrivateKey, createPublicKey, type JsonWebKey } from "node:crypto";
import {
  identifyKey,
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
} from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { TwinwrapError } from "#build/errors.js";
import { testKey } from "./material.js";

// Key files broken by structure: every element of the DER and every member of the JWK changed in
// each way that matters, every byte of the blobs. What is not refused with a typed error must be a
// key that node reads from the same bytes, or the key that was there.

const secret = createPrivateKey(testKey());
const open = createPublicKey(secret);
const original = await readPrivateKey(Buffer.from(testKey()));
const REFUSED = ["BAD_FORMAT", "BAD_KEY", "BAD_BLOB", "LIMIT_EXCEEDED"];
const PASSPHRASE = "correct horse";

const text = (number: Uint8Array) => Buffer.from(number).toString("base64url");
const modulus = (key: RsaPublicKey | undefined) => key && [text(key.n), text(key.e)];
const jwkOf = (key: JsonWebKey) => [key.n, key.e];

/** The key, or undefined if it was refused with one of the codes; anything else fails the test. */
async function attempt<Key>(
  read: () => Key | Promise<Key>,
  codes: string[],
  what: string,
): Promise<Key | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    if (!codes.includes(error.code)) expect(`${what}: ${error.code}`).toBe(`${what}: ${codes}`);
    return undefined;
  }
}

/** An element of DER that can be written wrongly. */
interface Element {
  tag: number;
  /** What stands before the children: the first byte of a BIT STRING. */
  start: Buffer;
  children: Element[];
  /** In place of the length that is right. */
  length?: Buffer;
}

function parse(der: Buffer): Element[] | undefined {
  const elements: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der[at]!;
    let length = der[at + 1] ?? 0;
    at += 2;
    if (length > 0x80) {
      const count = length & 0x7f;
      if (count > 4 || at + count > der.length) return undefined;
      length = der.readUIntBE(at, count);
      at += count;
    }
    if (at + length > der.length) return undefined;
    const content = der.subarray(at, at + length);
    at += length;
    // BIT STRINGs and OCTET STRINGs hold DER again, here.
    const start = tag === 3 ? content.subarray(0, 1) : content.subarray(0, 0);
    const inner = tag === 0x30 || tag === 3 || tag === 4 ? content.subarray(start.length) : content;
    const children = inner !== content || tag === 0x30 || tag === 4 ? parse(inner) : undefined;
    elements.push(
      children === undefined || (tag === 4 && children.length !== 1)
        ? { tag, start: content, children: [] }
        : { tag, start, children },
    );
  }
  return elements;
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  return length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
}

function write(element: Element): Buffer {
  const content = Buffer.concat([element.start, ...element.children.map(write)]);
  const length = element.length ?? lengthOf(content.length);
  return Buffer.concat([Buffer.of(element.tag), length, content]);
}

type Change = [what: string, apply: (element: Element, siblings: Element[]) => unknown];

const TAGS = [0, 1, 2, 3, 4, 5, 6, 0x10, 0x24, 0x30, 0x31, 0x80, 0x81, 0xa0, 0xa1, 0xff];

function changesOf(element: Element): Change[] {
  const length = write(element).length - 1 - lengthOf(contentLength(element)).length;
  const wrong = [
    ...[0, 1, length - 1, length + 1, 0x7f].filter((n) => n >= 0 && n !== length).map(lengthOf),
    ...[[0x80], [0x81, length & 0xff], [0x82, length >> 8, length & 0xff], [0xff]].map(Buffer.from),
    Buffer.from([0x83, 0, length >> 8, length & 0xff]),
    Buffer.from([0x83, 0xff, 0xff, 0xff]),
    Buffer.from([0x84, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x88, ...Array(8).fill(0xff)]),
  ].filter((bytes) => !bytes.equals(lengthOf(length)));
  const content = (bytes: Buffer) => (changed: Element) => {
    changed.start = bytes;
    changed.children = [];
  };
  return [
    ...TAGS.filter((tag) => tag !== element.tag).map((tag): Change => {
      return [`tag ${tag}`, (changed) => Object.assign(changed, { tag })];
    }),
    ...wrong.map((bytes): Change => {
      return [
        `length ${bytes.toString("hex")}`,
        (changed) => Object.assign(changed, { length: bytes }),
      ];
    }),
    ["empty", content(Buffer.alloc(0))],
    ["zero", content(Buffer.of(0))],
    ["negative", content(Buffer.of(0xff, 1))],
    [
      "a zero in front",
      (changed) => Object.assign(changed, { start: Buffer.from([0, ...changed.start]) }),
    ],
    ["far too long", content(Buffer.alloc(30_000, 0x55))],
    [
      "an element more",
      (changed) => changed.children.push({ tag: 0, start: Buffer.alloc(0), children: [] }),
    ],
    ["gone", (changed, siblings) => siblings.splice(siblings.indexOf(changed), 1)],
    ["twice", (changed, siblings) => siblings.splice(siblings.indexOf(changed), 0, changed)],
    ["with its siblings in reverse", (_, siblings) => siblings.reverse()],
  ];
}

const contentLength = (element: Element): number =>
  element.start.length + element.children.reduce((sum, child) => sum + write(child).length, 0);

/** Every change to every element. */
function* broken(der: Buffer): Generator<[what: string, file: Buffer]> {
  const count = (elements: Element[]): number =>
    elements.reduce((sum, { children }) => sum + 1 + count(children), 0);
  const find = (elements: Element[], index: { left: number }): [Element, Element[]] | undefined => {
    for (const element of elements) {
      if (index.left-- === 0) return [element, elements];
      const found = find(element.children, index);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const tree = () => parse(der)!;
  for (let index = 0; index < count(tree()); index++) {
    for (const [what, apply] of changesOf(find(tree(), { left: index })![0])) {
      const root = tree();
      const [element, siblings] = find(root, { left: index })!;
      apply(element, siblings);
      const file = Buffer.concat(root.map(write));
      if (!file.equals(der)) yield [`element ${index}, ${what}`, file];
    }
  }
}

/** What node reads from the bytes as any structure that we take. */
function nodeReads(file: Buffer, isPrivate: boolean): unknown[] | undefined {
  for (const type of isPrivate ? (["pkcs8", "pkcs1"] as const) : (["spki", "pkcs1"] as const)) {
    try {
      const options = { key: file, format: "der", type } as const;
      const key = isPrivate
        ? createPrivateKey(options as never)
        : createPublicKey(options as never);
      return jwkOf(key.export({ format: "jwk" }));
    } catch {
      // another structure, or none
    }
  }
  return undefined;
}

describe("DER: every element changed in every way", () => {
  test.each(["spki", "pkcs1"] as const)("public, %s", async (type) => {
    const der = open.export({ format: "der", type });
    let [tried, taken] = [0, 0];
    for (const [what, file] of broken(der)) {
      const key = await attempt(() => readPublicKey(file), REFUSED, what);
      await attempt(() => readPrivateKey(file), REFUSED, what);
      await attempt(() => identifyKey(file), REFUSED, what);
      tried++;
      if (key === undefined) continue;
      taken++;
      expect([what, modulus(key)]).toEqual([what, nodeReads(file, false)]);
    }
    expect(tried).toBeGreaterThan(90);
    expect(taken).toBeLessThan(tried / 10);
  });

  test.each(["pkcs8", "pkcs1"] as const)("private, %s", async (type) => {
    const der = secret.export({ format: "der", type });
    let tried = 0;
    for (const [what, file] of broken(der)) {
      const key = await attempt(() => readPrivateKey(file), REFUSED, what);
      await attempt(() => readPublicKey(file), REFUSED, what);
      await attempt(() => identifyKey(file), REFUSED, what);
      tried++;
      if (key === undefined) continue;
      expect([what, key]).toEqual([what, original]);
      expect([what, modulus(key)]).toEqual([what, nodeReads(file, true)]);
    }
    expect(tried).toBeGreaterThan(300);
  });

  test("locked", async () => {
    const passphrase = PASSPHRASE;
    const der = Buffer.from(
      await writePrivateKey(original, "der", { passphrase, iterations: 1000 }),
    );
    const codes = [...REFUSED, "WRONG_PASSPHRASE"];
    let tried = 0;
    for (const [what, file] of broken(der)) {
      const key = await attempt(() => readPrivateKey(file, { passphrase }), codes, what);
      await attempt(() => readPublicKey(file), [...REFUSED, "PASSPHRASE_NEEDED"], what);
      if (key !== undefined) expect([what, key]).toEqual([what, original]);
      tried++;
    }
    expect(tried).toBeGreaterThan(300);
  });
});

describe("JWK: every member changed in every way", () => {
  const jwk = secret.export({ format: "jwk" }) as Record<string, string>;
  const numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
  const values: unknown[] = [
    ...[undefined, null, 0, 1, -1, 1.5, true, false, [], {}, ["AQAB"], { n: "AQAB" }],
    ...["", " ", "A", "AA", "AAA", "AQ", "AQ==", "AQAB+", "AQAB/", "AQAB\n", "-_", "é", "\ud83d"],
    ...["A".repeat(60_000), "_".repeat(60_000), "RSA", "rsa", "EC", "__proto__"],
  ];

  test.each([...numbers, "kty", "oth", "keys", "alg"])("%s", async (name) => {
    for (const value of values) {
      const file = Buffer.from(JSON.stringify({ ...jwk, [name]: value }));
      const what = `${name} = ${JSON.stringify(value)?.slice(0, 30)}`;
      const key = await attempt(() => readPrivateKey(file), REFUSED, what);
      const half = await attempt(() => readPublicKey(file), REFUSED, what);
      await attempt(() => identifyKey(file), REFUSED, what);
      // Whatever was left out was computed: the key is the same.
      if (key !== undefined) expect([what, modulus(key)]).toEqual([what, modulus(original)]);
      expect(modulus(half)).toEqual(modulus(key));
    }
  });

  test.each([
    ["nested", `{"kty":${"[".repeat(60_000)}`],
    ["nested and closed", `{"kty":${"[".repeat(30_000)}${"]".repeat(30_000)}}`],
    ["many members", `{${Array.from({ length: 8000 }, (_, i) => `"${i}":0`).join()}}`],
    ["cut", JSON.stringify(jwk).slice(0, -1)],
    ["something behind it", `${JSON.stringify(jwk)}x`],
    ["a prototype", `{"__proto__":${JSON.stringify(jwk)}}`],
  ])("%s", async (what, content) => {
    for (const read of [readPrivateKey, readPublicKey, identifyKey]) {
      expect(await attempt<unknown>(() => read(Buffer.from(content)), REFUSED, what)).toBe(
        undefined,
      );
    }
  });
});

describe("blobs and PVK files: every byte", async () => {
  const blob = Buffer.from(await writePrivateKey(original, "msblob"));
  const pvk = Buffer.from(await writePrivateKey(original, "pvk"));
  /** Bytes of d, which may be missing, and fields whose other values mean the same key. */
  const D = 128;
  const same = (key: RsaPrivateKey | undefined, what: string) => {
    if (key !== undefined) expect([what, modulus(key)]).toEqual([what, modulus(original)]);
    return key !== undefined;
  };

  test.each([
    ["MS blob", blob, [5]],
    ["PVK", pvk, [24 + 5]],
  ] as const)("%s: altered", async (name, file, harmless) => {
    const taken = new Set<number>();
    for (let at = 0; at < file.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const altered = Buffer.from(file);
        altered[at]! ^= flip;
        const key = await attempt(() => readPrivateKey(altered), REFUSED, `${name}, ${at}`);
        if (same(key, `${name}, ${at}`)) taken.add(at);
      }
    }
    expect([...taken]).toEqual(harmless); // CALG_RSA_SIGN in place of CALG_RSA_KEYX
  });

  test.each([
    ["MS blob", blob, [blob.length - D]],
    ["PVK", pvk, []],
  ] as const)("%s: cut, and with bytes behind it", async (name, file, whole) => {
    const taken: number[] = [];
    for (let length = 0; length < file.length; length++) {
      const cut = file.subarray(0, length);
      const key = await attempt(() => readPrivateKey(cut), REFUSED, `${name}, ${length} bytes`);
      if (same(key, `${name}, ${length} bytes`)) taken.push(length);
    }
    expect(taken).toEqual(whole);
    for (const [length, accepted] of [
      [8, true],
      [64, true],
      [65, false],
    ] as const) {
      const longer = Buffer.concat([file, Buffer.alloc(length)]);
      const key = await attempt(() => readPrivateKey(longer), REFUSED, `${length} more`);
      expect([length, same(key, `${length} more`)]).toEqual([length, accepted]);
    }
  });
});
