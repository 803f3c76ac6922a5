import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { amend, inspect, open, rewrap, type SealOptions, seal } from "twinwrap";
import { loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { encodeFrame } from "#build/envelope/header.js";
import { isQuick, stride } from "../quick.js";
import { canonical, openIndependently, sealIndependently } from "./independent.js";
import { makePair, type Pair } from "./keys.js";

let alice: Pair;
let bob: Pair;
beforeAll(async () => {
  [alice, bob] = await Promise.all([makePair(), makePair()]);
});

const b64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
/** Wraps for nobody. */
const manyWraps = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    fingerprint: b64url(Buffer.alloc(32, i)),
    alg: "rsa-oaep-sha1",
    simpleblob: "",
  }));

/** A file with a wrap more. */
async function rewrapped(file: Buffer, from: Pair, to: Pair) {
  const { patch } = await rewrap(file, { key: from.privateKey, add: [{ key: to.publicKey }] });
  const copy = Buffer.from(file);
  Buffer.from(patch!.bytes).copy(copy, patch!.offset);
  return { file: copy, wraps: (await inspect(copy)).wraps };
}

const opens = async (file: Uint8Array, pair: Pair) =>
  Buffer.from(await (await open(file, { key: pair.privateKey })).bytes());

describe("any change of a byte is noticed", () => {
  const plaintext = Buffer.from("The quick brown fox jumps over the lazy dog. ".repeat(800)); // 3 chunks
  let sealed: Buffer;
  let slotB: { from: number; to: number };
  beforeAll(async () => {
    sealed = Buffer.from(await (await seal(plaintext, { to: [alice.publicKey] })).bytes());
    const { slotsOffset, slotLength, bodyOffset } = await inspect(sealed);
    slotB = { from: slotsOffset + slotLength, to: bodyOffset };
  });

  const refused = async (file: Uint8Array) => {
    const error = await opens(file, alice).then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(BAD_FORMAT|DECRYPTION_FAILED|NOT_A_RECIPIENT)$/),
    });
  };

  test("flipped: every byte of the header that counts, and many of the body", async () => {
    const file = new Uint8Array(sealed);
    for (let at = 0; at < file.length; at += stride(5) * (at < 4096 + 600 ? 1 : 61)) {
      if (at >= slotB.from && at < slotB.to) continue;
      file[at]! ^= 1 << (at % 8);
      await refused(file);
      file[at]! ^= 1 << (at % 8);
    }
    expect((await opens(file, alice)).equals(plaintext)).toBe(true);
  });

  test("flipped: every byte and bit of the body's first 56, salt and commitment", async () => {
    const file = new Uint8Array(sealed);
    const failed = { code: "DECRYPTION_FAILED" };
    for (let at = slotB.to; at < slotB.to + 56; at++) {
      for (const bit of isQuick ? [1] : [1, 0x80]) {
        file[at]! ^= bit;
        await expect(opens(file, alice), `byte ${at - slotB.to}`).rejects.toMatchObject(failed);
        file[at]! ^= bit;
      }
    }
    expect((await opens(file, alice)).equals(plaintext)).toBe(true);
  });

  test("flipped in the slot that does not count: the file opens all the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: slotB.from, max: slotB.to - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, xor) => {
          const file = new Uint8Array(sealed);
          file[at]! ^= xor;
          expect((await opens(file, alice)).equals(plaintext)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("cut anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length - 1 }), (length) =>
        refused(sealed.subarray(0, length)),
      ),
      { numRuns: isQuick ? 50 : 200 },
    );
  });

  test("cut inside salt or commitment: told from a wrong key", async () => {
    for (let length = 0; length < 56; length++) {
      const cut = sealed.subarray(0, slotB.to + length);
      const truncated = { code: "BAD_FORMAT", message: expect.stringMatching(/truncated/) };
      await expect(opens(cut, alice), `${length} bytes`).rejects.toMatchObject(truncated);
      const stream = open(new Blob([new Uint8Array(cut)]).stream(), { key: alice.privateKey });
      await expect(stream, `${length} bytes`).rejects.toMatchObject(truncated);
    }
  });

  test("appended", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), (tail) =>
        refused(Buffer.concat([sealed, tail])),
      ),
      { numRuns: 50 },
    );
  });

  test("a piece exchanged with another, doubled, or left out", async () => {
    const body = slotB.to + 56;
    const place = fc.integer({ min: body, max: sealed.length - 1 });
    await fc.assert(
      fc.asyncProperty(
        place,
        place,
        fc.integer({ min: 1, max: 20_000 }),
        fc.constantFrom("swap", "double", "drop"),
        async (a, b, length, how) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const end = Math.min(from + length, to);
          const piece = sealed.subarray(from, end);
          const changed =
            how === "drop"
              ? Buffer.concat([sealed.subarray(0, from), sealed.subarray(end)])
              : how === "double"
                ? Buffer.concat([sealed.subarray(0, end), piece, sealed.subarray(end)])
                : Buffer.concat([
                    sealed.subarray(0, from),
                    sealed.subarray(end, to),
                    piece,
                    sealed.subarray(to),
                  ]);
          if (!changed.equals(sealed)) await refused(changed);
        },
      ),
      { numRuns: isQuick ? 50 : 200 },
    );
  });

  test("whole chunks reordered, and a body under another header", async () => {
    const at = (index: number) => slotB.to + 56 + index * 16400;
    const [zero, one] = [sealed.subarray(at(0), at(1)), sealed.subarray(at(1), at(2))];
    await refused(Buffer.concat([sealed.subarray(0, at(0)), one, zero, sealed.subarray(at(2))]));
    const other = Buffer.from(await (await seal(plaintext, { to: [alice.publicKey] })).bytes());
    await refused(Buffer.concat([other.subarray(0, slotB.to), sealed.subarray(slotB.to)]));
    await refused(Buffer.concat([sealed.subarray(0, slotB.to), other.subarray(slotB.to)]));
  });
});

describe("headers that a careless or hostile writer makes", () => {
  const attempts: [string, Parameters<typeof sealIndependently>[2]][] = [
    ["a newer version", { version: 2 }],
    ["an unknown member", { fixed: { extra: 1 } }],
    [
      "another body",
      { fixed: { alg: { body: "STREAM", key: "CALG_AES_256", wrap: "SIMPLEBLOB" } } },
    ],
    [
      "an unknown algorithm member",
      {
        fixed: {
          alg: { body: "Cobblestone-256", key: "CALG_AES_256", wrap: "SIMPLEBLOB", mac: "none" },
        },
      },
    ],
    ["version 0", { version: 0 }],
    ["something where nothing is yet", { reserved: 1 }],
    ["version 1 in the preamble only", { fixed: { v: 2 } }],
    ["another layout", { fixed: { layout: "body-slots" } }],
    ["a short serial", { fixed: { serial: "AAAA" } }],
    ["a serial of 15 bytes", { fixed: { serial: "A".repeat(20) } }],
    ["a serial with trailing bits", { fixed: { serial: "AAAAAAAAAAAAAAAAAAAAAB" } }],
    ["a time with an offset", { fixed: { created: "2026-01-31T23:59:59+01:00" } }],
    ["a time that is none", { fixed: { created: "2026-02-31T23:59:59Z" } }],
    ["unsorted origins", { fixed: { escrow: ["b", "a"] } }],
    ["an origin twice", { fixed: { escrow: ["a", "a"] } }],
    [
      "too many origins",
      { fixed: { escrow: Array.from({ length: 17 }, (_, i) => String.fromCharCode(97 + i)) } },
    ],
    ["an origin without a name", { fixed: { escrow: [""] } }],
    ["too long an origin", { fixed: { escrow: ["x".repeat(256)] } }],
    ["too long an origin in UTF-8", { fixed: { escrow: [`${"ü".repeat(127)}xx`] } }],
    ["an origin that is no text", { fixed: { escrow: [1] } }],
    ["too long a name", { fixed: { name: "x".repeat(256) } }],
    ["too long a name in UTF-8", { fixed: { name: "ü".repeat(128) } }],
    ["too long a description", { fixed: { description: "x".repeat(4097) } }],
    ["too long a fixed part", { fixed: { description: "x".repeat(65_520) } }],
    ["a fraction", { fixedText: '{"v":1.5}' }],
    ["white space", { fixedText: '{"v": 1}' }],
    ["a member twice", { fixedText: '{"v":1,"v":1}' }],
    ["a BOM", { fixedText: "\ufeff{}" }],
    ["a list", { fixedText: "[]" }],
    ["deep nesting", { fixedText: `${"[".repeat(5000)}${"]".repeat(5000)}` }],
    ["no JSON", { fixedText: "{" }],
    ["small slots", { slotLength: 4096 }],
    ["slots of more than 1 MiB", { slotLength: (1 << 20) + 4096 }],
    ["slots that are no multiple of 4096", { slotLength: 8200 }],
    ["no valid slot", { generations: [0n, 0n] }],
    ["a slot that is no JSON", { mutableText: "{" }],
    ["a slot without wraps", { mutableText: "{}" }],
    [
      "a short fingerprint",
      {
        mutable: { wraps: [{ fingerprint: "A".repeat(42), alg: "rsa-oaep-sha1", simpleblob: "" }] },
      },
    ],
    [
      "a blob of 4097 bytes",
      {
        mutable: {
          wraps: [
            {
              fingerprint: "A".repeat(43),
              alg: "rsa-oaep-sha1",
              simpleblob: b64url(Buffer.alloc(4097)),
            },
          ],
        },
      },
    ],
    ["1025 wraps", { slotLength: 1 << 20, mutable: { wraps: manyWraps(1025) } }],
    ["17 escrows", { mutable: { escrows: Array(17).fill({ submission: 1 }) } }],
    ["an escrow without its submission", { mutable: { escrows: [{ receipt: 1 }] } }],
    ...["oaep", "pkcs1-v1_5", "RSA-OAEP-SHA1", "rsa-oaep-sha256", "", 1, null].map(
      (alg): [string, object] => [
        `wrapped by ${JSON.stringify(alg)}`,
        { mutable: { wraps: [{ fingerprint: "A".repeat(43), alg, simpleblob: "" }] } },
      ],
    ),
  ];

  test.each(attempts)("%s", async (_, odd) => {
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey, odd);
    await expect(open(file, { key: alice.privateKey })).rejects.toMatchObject({
      code: "BAD_FORMAT",
    });
  });

  test("at its limits a header is read, and what is sealed may be so long", async () => {
    const fixed = {
      name: `${"ü".repeat(127)}x`,
      description: "ü".repeat(2048),
      escrow: Array.from({ length: 16 }, (_, i) => `${String(i + 10)}${"ü".repeat(126)}x`),
    };
    const blob = {
      fingerprint: b64url(Buffer.alloc(32)),
      alg: "rsa-oaep-sha1",
      simpleblob: b64url(Buffer.alloc(4096)),
    };
    const slotLength = 1 << 20;
    const mutable = {
      wraps: [blob, ...manyWraps(1023)],
      escrows: Array(16).fill({ submission: 1 }),
    };
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey, {
      fixed,
      slotLength,
      mutable,
    });
    const header = await inspect(file);
    expect(header).toMatchObject(fixed);
    expect([header.slotLength, header.wraps.length, header.escrows.length]).toEqual([
      slotLength,
      1024,
      16,
    ]);
    const ours = await seal(Buffer.from("x"), { to: [alice.publicKey], ...fixed });
    expect(ours.header).toMatchObject(fixed);
    for (const [code, more] of [
      ["LIMIT_EXCEEDED", { name: `${fixed.name}x` }],
      ["LIMIT_EXCEEDED", { description: `${fixed.description}x` }],
      ["LIMIT_EXCEEDED", { escrow: [`${fixed.escrow[0]}x`] }],
      ["LIMIT_EXCEEDED", { escrow: [...fixed.escrow, "zz"] }],
      ["BAD_ARGUMENT", { escrow: [""] }],
    ] as [string, Partial<SealOptions>][]) {
      const attempt = seal(Buffer.from("x"), { to: [alice.publicKey], ...more });
      await expect(attempt, JSON.stringify(more).slice(0, 30)).rejects.toMatchObject({ code });
    }
  });

  test("every byte of the preamble is what it has to be", async () => {
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey);
    const malformed = { code: "BAD_FORMAT" };
    for (let at = 0; at < 12; at++) {
      for (const value of [0, 1, 2, 0x0a, 0x54, 0xff]) {
        if (file[at] === value) continue;
        const altered = Buffer.from(file);
        altered[at] = value;
        await expect(inspect(altered), `byte ${at} = ${value}`).rejects.toMatchObject(malformed);
      }
    }
    for (let length = 0; length < 20; length++) {
      await expect(inspect(file.subarray(0, length)), `${length} bytes`).rejects.toMatchObject(
        malformed,
      );
    }
    // What stands between the fixed part and the slots is zero.
    const end = 20 + file.readUInt32BE(12);
    for (const at of [end, end + 1, 4095]) {
      const altered = Buffer.from(file);
      altered[at] = 1;
      await expect(inspect(altered), `byte ${at}`).rejects.toMatchObject(malformed);
    }
  });

  test("members that are not known are kept in the mutable part", async () => {
    const { wraps } = openIndependently(
      sealIndependently(Buffer.from("x"), alice.node.publicKey),
      alice.node.privateKey,
    ).slots[0];
    expect(wraps).toHaveLength(1);
    const escrows = [
      { later: [1], submission: { a: 1 } },
      { receipt: {}, submission: {}, z: null },
    ];
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey, {
      mutable: { escrows, later: { than: "us" } },
    });
    const { header } = await amend(file, () => ({}));
    const [wrap] = header.wraps;
    const noted = await amend(file, () => ({ wraps: [{ ...wrap!, rest: { note: "n" } }] }));
    Buffer.from(noted.patch.bytes).copy(file, noted.patch.offset);
    const { patch } = await rewrap(file, { key: alice.privateKey, add: [{ key: bob.publicKey }] });
    Buffer.from(patch!.bytes).copy(file, patch!.offset);
    const [slot] = openIndependently(file, bob.node.privateKey).slots;
    expect(slot.later).toEqual({ than: "us" });
    expect(slot.escrows).toEqual(escrows);
    expect(slot.wraps).toHaveLength(2);
    expect(slot.wraps[0]).toEqual({ ...wraps[0], ...slot.wraps[0], note: "n" });
    expect(slot.wraps[1]).not.toHaveProperty("note");
  });

  test.each([
    [[1n, 2n], "B"],
    [[2n, 1n], "A"],
    [[0n, 9n], "B"],
    [[2n ** 53n, 1n], "B"],
    [[1n, 2n ** 53n], "A"],
    [[2n ** 53n - 1n, 2n ** 53n - 2n], "A"],
    [[3n, 3n], "A"],
  ] as const)("of generations %s slot %s counts", async (generations, slot) => {
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey, {
      generations: [...generations],
    });
    expect("AB"[(await inspect(file)).slot]).toBe(slot);
    expect((await opens(file, alice)).toString()).toBe("x");
  });
});

describe("a changed header", () => {
  test("cut off after any 512 bytes, or with any sectors missing, opens with the old or the new wraps", async () => {
    const plaintext = Buffer.from("precious");
    let file = Buffer.from(await (await seal(plaintext, { to: [alice.publicKey] })).bytes());
    // Three changes, so that the slot that is written held an older generation too.
    for (let round = 0; round < 3; round++) {
      const add = round === 1 ? [] : [{ key: bob.publicKey }];
      const remove =
        round === 1 ? (await inspect(file)).wraps.slice(1).map((wrap) => wrap.fingerprint) : [];
      const before = (await inspect(file)).wraps.length;
      const { patch } = await rewrap(file, { key: alice.privateKey, add, remove });
      const write = (sectors: (index: number) => boolean) => {
        const torn = Buffer.from(file);
        for (let at = 0; at < patch!.bytes.length; at += 512) {
          if (sectors(at / 512))
            Buffer.from(patch!.bytes.subarray(at, at + 512)).copy(torn, patch!.offset + at);
        }
        return torn;
      };
      const count = patch!.bytes.length / 512;
      const after = (await inspect(write(() => true))).wraps.length;
      expect(after).not.toBe(before);
      for (let cut = 0; cut <= count; cut++) {
        const torn = write((index) => index < cut);
        expect([before, after]).toContain((await inspect(torn)).wraps.length);
        if (cut % 4 === 0) expect((await opens(torn, alice)).equals(plaintext)).toBe(true);
      }
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.boolean(), { minLength: count, maxLength: count }),
          async (written) => {
            const header = await inspect(write((index) => written[index]!));
            expect([before, after]).toContain(header.wraps.length);
          },
        ),
        { numRuns: 50 },
      );
      file = write(() => true);
    }
    expect((await opens(file, bob)).equals(plaintext)).toBe(true);
    expect((await inspect(file)).generation).toBe(4);
  });

  test("what it may not become", async () => {
    const file = Buffer.from(
      await (await seal(Buffer.from("x"), { to: [alice.publicKey] })).bytes(),
    );
    const { wraps } = await inspect(file);
    const fingerprint = wraps[0]!.fingerprint;
    const change = (options: object) => rewrap(file, { key: alice.privateKey, ...options });
    await expect(change({ remove: [fingerprint] })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(change({ remove: [new Uint8Array(32)] })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    await expect(
      rewrap(file, { key: bob.privateKey, add: [{ key: bob.publicKey }] }),
    ).rejects.toMatchObject({
      code: "NOT_A_RECIPIENT",
    });
    // What comes can't go: it may be the only wrap that opens.
    const [wrap] = (await rewrapped(file, alice, bob)).wraps.slice(-1);
    const both = { code: "BAD_ARGUMENT", message: expect.stringMatching(/both come and go/) };
    const theirs = await rewrapped(file, alice, bob);
    const remove = [fingerprint, wrap!.fingerprint];
    const released = { key: bob.privateKey, released: [wrap!], remove };
    await expect(rewrap(file, released)).rejects.toMatchObject(both);
    const added = { key: alice.privateKey, add: [{ key: bob.publicKey }], remove };
    await expect(rewrap(theirs.file, added)).rejects.toMatchObject(both);
    // Another wrap for the same key takes the place of the old one.
    const { patch } = await change({ add: [{ key: alice.publicKey, padding: "pkcs1-v1_5" }] });
    Buffer.from(patch!.bytes).copy(file, patch!.offset);
    expect((await inspect(file)).wraps.map((wrap) => wrap.padding)).toEqual(["pkcs1-v1_5"]);
    expect((await opens(file, alice)).toString()).toBe("x");
  });

  test("what the engine lacks is no damage", async () => {
    const file = await (await seal(Buffer.from("x"), { to: [alice.publicKey] })).bytes();
    const own = Object.getOwnPropertyDescriptor(TextDecoder.prototype, "decode")!;
    Reflect.deleteProperty(TextDecoder.prototype, "decode");
    const looked = await inspect(file).catch((error) => error);
    Object.defineProperty(TextDecoder.prototype, "decode", own);
    expect(looked).toBeInstanceOf(TypeError);
  });

  test("more than a header holds is refused before any key is wrapped for", async () => {
    const core = await loadCore();
    const file = await (await seal(Buffer.from("x"), { to: [alice.publicKey] })).bytes();
    const wrapped = vi.spyOn(core, "rsaPublicKey");
    const large = Array.from({ length: 400 }, () => {
      const n = new Uint8Array(randomBytes(2048));
      n[0]! |= 0x80;
      n[2047]! |= 1;
      return { key: { n, e: Uint8Array.of(1, 0, 1) } };
    });
    const refused = { code: "LIMIT_EXCEEDED", message: expect.stringContaining("1 MiB") };
    await expect(seal(Buffer.from("x"), { core, to: large })).rejects.toMatchObject(refused);
    const add = rewrap(file, { core, key: alice.privateKey, add: large });
    await expect(add).rejects.toMatchObject(refused);
    expect(wrapped).not.toHaveBeenCalled();
  });

  test("a key that is given twice gets one wrap", async () => {
    const twice = [alice.publicKey, { key: alice.publicKey }, bob.publicKey, bob.publicKey];
    const file = Buffer.from(await (await seal(Buffer.from("x"), { to: twice })).bytes());
    expect((await inspect(file)).wraps).toHaveLength(2);
    const carol = await makePair();
    const add = [{ key: carol.publicKey }, { key: carol.publicKey }];
    const { patch } = await rewrap(file, { key: alice.privateKey, add });
    Buffer.from(patch!.bytes).copy(file, patch!.offset);
    expect((await inspect(file)).wraps).toHaveLength(3);
    expect((await opens(file, carol)).toString()).toBe("x");
    const paddings = [alice.publicKey, { key: alice.publicKey, padding: "pkcs1-v1_5" as const }];
    await expect(seal(Buffer.from("x"), { to: paddings })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  test("a slot is filled to its last byte, and not beyond", async () => {
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey);
    const json = (escrow: object) => {
      const { wraps } = openIndependently(file, alice.node.privateKey).slots[0];
      return canonical({ escrows: [escrow], wraps });
    };
    const room = 8192 - 44 - json({ submission: "" }).length;
    const change = (length: number) =>
      amend(file, () => ({ escrows: [{ submission: "x".repeat(length) }] }));
    const { patch } = await change(room);
    const full = Buffer.from(file);
    Buffer.from(patch.bytes).copy(full, patch.offset);
    expect((await inspect(full)).escrows).toEqual([{ submission: "x".repeat(room) }]);
    await expect(change(room + 1)).rejects.toMatchObject({ code: "NO_ROOM" });
    const none = amend(file, () => ({ wraps: [] }));
    await expect(none).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    // With as much room asked for as there is, and with a byte more.
    const patched = async (room: number) =>
      (await rewrap(file, { key: alice.privateKey, add: [{ key: alice.publicKey }], room })).patch;
    const left =
      8192 -
      44 -
      canonical({
        escrows: [],
        wraps: openIndependently(file, alice.node.privateKey).slots[0].wraps,
      }).length;
    expect(await patched(left)).toBeDefined();
    expect(await patched(left + 1)).toBeUndefined();
  });

  test("slots are made of 1 MiB at most", async () => {
    const core = await loadCore();
    const { serial, created } = await inspect(
      sealIndependently(Buffer.from("x"), alice.node.publicKey),
    );
    const make = (length: number) =>
      encodeFrame(
        core,
        { serial, created, escrow: [] },
        { wraps: [], escrows: [], rest: { x: "y".repeat(length) } },
      );
    // {"escrows":[],"wraps":[],"x":"…"}, and 4096 for what is to come
    const most = (1 << 20) - 44 - 4096 - 32;
    expect(Buffer.from(make(most).bytes).readUInt32BE(16)).toBe(1 << 20);
    expect(() => make(most + 1)).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  test("wraps that do not fit make a new file, which all of them open", async () => {
    const plaintext = Buffer.alloc(40_000, "words ");
    const file = sealIndependently(plaintext, alice.node.publicKey);
    const pairs = await Promise.all(Array.from({ length: 20 }, () => makePair()));
    const add = pairs.map(({ publicKey }) => ({ key: publicKey }));
    const some = await rewrap(file, { key: alice.privateKey, add: add.slice(0, 10) });
    Buffer.from(some.patch!.bytes).copy(file, some.patch!.offset);
    const { whole, header } = await rewrap(file, { key: pairs[0]!.privateKey, add });
    if (whole === undefined) return expect.unreachable("the wraps fit");
    await expect(
      rewrap(file, { key: pairs[0]!.privateKey, add, rewrite: false }),
    ).rejects.toMatchObject({ code: "NO_ROOM" });
    const again = Buffer.from(await whole.bytes());
    expect((await inspect(again)).serial).toEqual(header.serial);
    for (const pair of [alice, ...pairs]) {
      expect(openIndependently(again, pair.node.privateKey).plaintext.equals(plaintext)).toBe(true);
    }
  });

  test("as much room is left as is asked for, in a new file if need be", async () => {
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey);
    const change = { key: alice.privateKey, add: [{ key: bob.publicKey }] };
    expect((await rewrap(file, { ...change, room: 2048 })).patch).toBeDefined();
    const { whole } = await rewrap(file, { ...change, room: 1 << 20 });
    expect((await opens(Buffer.from(await whole!.bytes()), bob)).toString()).toBe("x");
  });

  test("after the last generation it is made anew, or not changed at all", async () => {
    const generations = [2n ** 53n - 2n, 1n] as [bigint, bigint];
    const file = sealIndependently(Buffer.from("x"), alice.node.publicKey, { generations });
    const last = (await rewrapped(file, alice, bob)).file;
    expect((await inspect(last)).generation).toBe(Number.MAX_SAFE_INTEGER);
    await expect(amend(last, () => ({}))).rejects.toMatchObject({ code: "NO_ROOM" });
    const remove = [(await inspect(last)).wraps[0]!.fingerprint];
    const { whole } = await rewrap(last, { key: bob.privateKey, remove });
    const again = Buffer.from(await whole!.bytes());
    expect(await inspect(again)).toMatchObject({ generation: 1, wraps: [{}] });
    expect((await opens(again, bob)).toString()).toBe("x");
  });
});
