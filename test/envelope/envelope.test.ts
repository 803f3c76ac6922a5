import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { amend, inspect, open, rewrap, type SealOptions, seal } from "twinwrap";
import { loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { chunkNonce, deriveBody, openIndependently, sealIndependently } from "./independent.js";
import { makePair, type Pair } from "./keys.js";

let alice: Pair;
let bob: Pair;
let mallory: Pair;
beforeAll(async () => {
  [alice, bob, mallory] = await Promise.all([makePair(), makePair(3072), makePair()]);
});

const sealBytes = async (plaintext: Uint8Array, options: Partial<SealOptions> = {}) =>
  Buffer.from(
    await (await seal(plaintext, { to: [alice.publicKey, bob.publicKey], ...options })).bytes(),
  );

const openBytes = async (sealed: Uint8Array, pair = alice) =>
  Buffer.from(await (await open(sealed, { key: pair.privateKey })).bytes());

describe("a second implementation, made from docs/format.md with node:crypto alone", () => {
  test.each([
    0,
    1,
    100,
    16383,
    16384,
    16385,
    32768,
    16 * 16384 - 1,
    16 * 16384,
    16 * 16384 + 1,
    3_000_001,
  ])("opens what we sealed, and we open what it sealed: %i bytes", async (length) => {
    const plaintext = randomBytes(length);
    const ours = await sealBytes(plaintext);
    for (const pair of [alice, bob]) {
      expect(openIndependently(ours, pair.node.privateKey).plaintext.equals(plaintext)).toBe(true);
    }
    const theirs = sealIndependently(plaintext, alice.node.publicKey);
    expect((await openBytes(theirs)).equals(plaintext)).toBe(true);
  });

  test("both paddings, each in its wrap", async () => {
    const plaintext = randomBytes(1000);
    const to = [{ key: alice.publicKey, padding: "pkcs1-v1_5" as const }, bob.publicKey];
    const ours = await sealBytes(plaintext, { to });
    for (const pair of [alice, bob]) {
      expect(openIndependently(ours, pair.node.privateKey).plaintext.equals(plaintext)).toBe(true);
      expect((await openBytes(ours, pair)).equals(plaintext)).toBe(true);
    }
    const theirs = sealIndependently(plaintext, alice.node.publicKey, { padding: "pkcs1-v1_5" });
    expect((await openBytes(theirs)).equals(plaintext)).toBe(true);
  });

  test("reads the same header", async () => {
    const sealed = await sealBytes(Buffer.from("x"), {
      name: "a name",
      description: "Ünïcode “text” \u{1f511}",
      escrow: ["b.example", "a.example", "b.example"],
    });
    const header = await inspect(sealed);
    const { fixed, slots } = openIndependently(sealed, alice.node.privateKey);
    expect(fixed).toEqual({
      alg: { body: "Cobblestone-256", key: "CALG_AES_256", wrap: "SIMPLEBLOB" },
      created: `${header.created.toISOString().slice(0, 19)}Z`,
      description: "Ünïcode “text” \u{1f511}",
      escrow: ["a.example", "b.example"],
      layout: "slots-body",
      name: "a name",
      serial: Buffer.from(header.serial).toString("base64url"),
      v: 1,
    });
    expect(slots).toHaveLength(1);
    expect(slots[0].wraps.map((wrap: { alg: string }) => wrap.alg)).toEqual([
      "rsa-oaep-sha1",
      "rsa-oaep-sha1",
    ]);
    // Room for wraps to come, and 6 KiB for each authority.
    expect(header.slotLength).toBe(20480);
  });

  test("no session key, serial or salt comes twice", async () => {
    const files = await Promise.all(Array.from({ length: 20 }, () => sealBytes(Buffer.alloc(0))));
    const seen = new Set<string>();
    for (const file of files) {
      const { key, fixed } = openIndependently(file, alice.node.privateKey);
      const { bodyOffset } = await inspect(file);
      seen
        .add(key.toString("hex"))
        .add(fixed.serial)
        .add(file.toString("hex", bodyOffset, bodyOffset + 24));
    }
    expect(seen.size).toBe(60);
  });
});

describe("what can be sealed and opened, and what comes out", () => {
  const plaintext = randomBytes(600_000);

  async function* odd(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 99991) {
      yield bytes.subarray(at, at + step);
    }
    yield new Uint8Array(0);
  }
  const arrayBuffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
  const sources = {
    Uint8Array: (bytes: Uint8Array) => bytes,
    ArrayBuffer: arrayBuffer,
    Blob: (bytes: Uint8Array) => new Blob([arrayBuffer(bytes)]),
    ReadableStream: (bytes: Uint8Array) => new Blob([arrayBuffer(bytes)]).stream(),
    "async iterable": odd,
    RandomAccess: (bytes: Uint8Array) => ({
      size: bytes.length,
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
    }),
  };

  test.each(Object.entries(sources))("%s", async (_, make) => {
    const sealed = await (await seal(make(plaintext), { to: [alice.publicKey] })).bytes();
    expect(
      openIndependently(Buffer.from(sealed), alice.node.privateKey).plaintext.equals(plaintext),
    ).toBe(true);
    const opened = await open(make(sealed), { key: alice.privateKey });
    expect(Buffer.from(await opened.bytes()).equals(plaintext)).toBe(true);
  });

  describe("a Blob", () => {
    const bytes = randomBytes(2 * 2 ** 20 + 12_345);
    const blob = new Blob([
      arrayBuffer(bytes.subarray(0, 70_000)),
      arrayBuffer(bytes.subarray(70_000)),
    ]);
    /** One whose stream is another: not every engine's is of bytes, and a file may change. */
    const withStream = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
      Object.assign(blob.slice(), { stream: () => stream });
    const ofBytes = (bytes: Uint8Array) =>
      new ReadableStream({
        type: "bytes",
        start(controller) {
          controller.enqueue(new Uint8Array(bytes));
          controller.close();
          controller.byobRequest?.respond(0);
        },
      });
    const ofAnything = (bytes: Uint8Array) =>
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          controller.enqueue(new Uint8Array(0));
          for (let at = 0; at < bytes.length; at += 99_991)
            controller.enqueue(new Uint8Array(bytes.subarray(at, at + 99_991)));
          controller.enqueue(new Uint8Array(0));
          controller.close();
        },
      });

    test.each([
      ["itself", () => blob],
      ["part of one", () => new Blob([new Uint8Array(99), blob]).slice(99)],
      ["whose stream is of bytes", () => withStream(ofBytes(bytes))],
      ["whose stream is not", () => withStream(ofAnything(bytes))],
    ])("%s", async (_, make) => {
      const sealed = await (await seal(make(), { to: [alice.publicKey] })).bytes();
      const { plaintext } = openIndependently(Buffer.from(sealed), alice.node.privateKey);
      expect(plaintext.equals(bytes)).toBe(true);
    });

    test.each([
      ["of bytes", ofBytes],
      ["of anything", ofAnything],
    ])(
      "that has become shorter or longer is not sealed as if it were whole: %s",
      async (_, make) => {
        for (const changed of [bytes.subarray(0, -1), Buffer.concat([bytes, bytes])]) {
          const sealed = await seal(withStream(make(changed)), { to: [alice.publicKey] });
          await expect(sealed.bytes()).rejects.toMatchObject({ code: "BAD_FORMAT" });
        }
      },
    );

    test("lets go of it when nobody reads on", async () => {
      let cancelled = false;
      const endless = new ReadableStream({
        type: "bytes",
        pull(controller) {
          controller.enqueue(new Uint8Array(50_000));
        },
        cancel() {
          cancelled = true;
        },
      });
      const sealed = await seal(withStream(endless), { to: [alice.publicKey] });
      for await (const _ of sealed) break;
      await vi.waitFor(() => expect(cancelled).toBe(true));
    });
  });

  test("as a stream and as a Blob", async () => {
    const sealed = await (await seal(plaintext, { to: [alice.publicKey] })).blob();
    const { stream } = { stream: (await open(sealed, { key: alice.privateKey })).stream() };
    const bytes = Buffer.from(await new Response(stream).arrayBuffer());
    expect(bytes.equals(plaintext)).toBe(true);
  });

  test("an output is taken once", async () => {
    const sealed = await seal(plaintext, { to: [alice.publicKey] });
    await sealed.bytes();
    expect(() => sealed.stream()).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  // Before anything was read, after the header, and in the middle.
  test.each([0, 1, 5])("a stream cancelled after %i reads tells its source", async (reads) => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(65536)),
      cancel: () => {
        cancelled = true;
      },
    });
    const reader = (await seal(endless, { to: [alice.publicKey] })).stream().getReader();
    for (let i = 0; i < reads; i++) expect((await reader.read()).done).toBe(false);
    await reader.cancel();
    expect(cancelled).toBe(true);
  });

  test.each([0, 1])("a stream cancelled after %i reads wipes the keys", async (reads) => {
    const sealed = await (await seal(plaintext, { to: [alice.publicKey] })).bytes();
    const opened = await open(sealed, { key: alice.privateKey });
    const reader = opened.stream().getReader();
    for (let i = 0; i < reads; i++) await reader.read();
    await reader.cancel();
    await expect(opened.range(0, 9).bytes()).rejects.toMatchObject({ code: "DISPOSED" });
  });

  test("a source that fails, and one that gives no bytes", async () => {
    const failing = (async function* () {
      yield new Uint8Array(10);
      throw new Error("the disk is gone");
    })();
    await expect((await seal(failing, { to: [alice.publicKey] })).bytes()).rejects.toThrow(
      "the disk is gone",
    );
    const texts = (async function* () {
      yield "text" as unknown as Uint8Array;
    })();
    await expect((await seal(texts, { to: [alice.publicKey] })).bytes()).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    await expect(
      seal("text" as unknown as Uint8Array, { to: [alice.publicKey] }),
    ).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  test("progress and abort", async () => {
    const told: number[] = [];
    const controller = new AbortController();
    const sealed = await seal(new Uint8Array(3_000_000), {
      to: [alice.publicKey],
      signal: controller.signal,
      onProgress: (bytes) => {
        told.push(bytes);
        if (bytes > 1_000_000) controller.abort();
      },
    });
    await expect(sealed.bytes()).rejects.toMatchObject({ code: "ABORTED" });
    expect(told.length).toBeGreaterThan(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBeLessThan(3_000_000);
  });

  test("chunks leave as soon as they are authentic", async () => {
    const sealed = await sealBytes(plaintext);
    const { bodyOffset } = await inspect(sealed);
    const enough = bodyOffset + 56 + 16400;
    const slow = (async function* () {
      yield sealed.subarray(0, enough);
      await new Promise(() => {}); // the rest never comes
    })();
    const output = (await open(slow, { key: alice.privateKey }))[Symbol.asyncIterator]();
    const first = await output.next();
    expect(Buffer.from(first.value!).equals(plaintext.subarray(0, 16384))).toBe(true);
    await output.return();
  });
});

describe("ranges", () => {
  const size = 100_000;
  const plaintext = randomBytes(size);
  let sealed: Buffer;
  beforeAll(async () => {
    sealed = await sealBytes(plaintext);
  });

  test.each([
    [0, 0],
    [0, size - 1],
    [0, undefined],
    [16383, 16384],
    [16384, 32767],
    [50_000, 50_100],
    [size - 1, size - 1],
    [size - 1, size + 1000],
    [98304, undefined],
  ])("%i to %s", async (first, last) => {
    const opened = await open(sealed, { key: alice.privateKey });
    expect(opened.size).toBe(size);
    const expected = plaintext.subarray(first, last === undefined ? size : last + 1);
    for (let again = 0; again < 2; again++) {
      expect(Buffer.from(await opened.range(first, last).bytes()).equals(expected)).toBe(true);
    }
    opened.dispose();
    await expect(opened.range(first, last).bytes()).rejects.toMatchObject({ code: "DISPOSED" });
  });

  test("that cannot be", async () => {
    const opened = await open(sealed, { key: alice.privateKey });
    for (const [first, last] of [[size], [5, 4], [-1], [0.5], [0, Number.NaN]] as [
      number,
      number?,
    ][]) {
      expect(() => opened.range(first, last)).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    }
    const stream = await open(new Blob([new Uint8Array(sealed)]).stream(), {
      key: alice.privateKey,
    });
    expect(() => stream.range(0)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });

  test("stop when they are aborted", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const opened = await open(sealed, { key: alice.privateKey, signal });
    const output = opened.range(0)[Symbol.asyncIterator]();
    expect((await output.next()).done).toBe(false);
    controller.abort();
    await expect(output.next()).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("are refused if the file was cut at any chunk, or its last chunk altered", async () => {
    const { bodyOffset } = await inspect(sealed);
    for (let chunks = 1; chunks <= 6; chunks++) {
      const cut = sealed.subarray(0, bodyOffset + 56 + chunks * 16400 + 5000);
      if (cut.length >= sealed.length) continue;
      const opened = await open(cut, { key: alice.privateKey });
      await expect(opened.range(0, 9).bytes()).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
    }
    const altered = Buffer.from(sealed);
    altered[altered.length - 1]! ^= 1;
    const opened = await open(altered, { key: alice.privateKey });
    await expect(opened.range(0, 9).bytes()).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
  });
});

describe("keys that were used are wiped", () => {
  const isWiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);
  /** A core that tells which keys it unwraps, derives and prepares. */
  async function watched() {
    const core = await loadCore();
    const seen: Record<string, Uint8Array[]> = { unwrapped: [], derived: [], prepared: [] };
    const prepare = core.rsaPrivateKey.bind(core);
    vi.spyOn(core, "rsaPrivateKey").mockImplementation((components) => {
      const key = prepare(components);
      const unwrap = key.unwrapKey.bind(key);
      vi.spyOn(key, "unwrapKey").mockImplementation((...given) => {
        const unwrapped = unwrap(...given);
        seen.unwrapped!.push(unwrapped);
        return unwrapped;
      });
      return key;
    });
    const expand = core.hkdfExpand.bind(core);
    vi.spyOn(core, "hkdfExpand").mockImplementation((...given) => {
      const derived = expand(...given);
      seen.derived!.push(derived);
      return derived;
    });
    const aesGcm = core.aesGcm.bind(core);
    vi.spyOn(core, "aesGcm").mockImplementation((key) => {
      seen.prepared!.push(key as Uint8Array);
      return aesGcm(key);
    });
    return { core, seen };
  }

  test("sealing: the session key once the header is made, the others at the end", async () => {
    const { core, seen } = await watched();
    let lent = new Uint8Array(0);
    const sealed = await seal(Buffer.from("x"), {
      core,
      to: [alice.publicKey],
      escrows: ({ sessionKey }) => {
        lent = sessionKey as Uint8Array<ArrayBuffer>;
        expect(isWiped(lent)).toBe(false);
        return [];
      },
    });
    expect(isWiped(lent)).toBe(true);
    expect(seen.derived!.map(isWiped)).toEqual([true]);
    expect(seen.prepared!.map(isWiped)).toEqual([false]);
    await sealed.bytes();
    expect(seen.prepared!.map(isWiped)).toEqual([true]);
  });

  test("opening, and wrapping again: whether a wrap is right or not", async () => {
    const theirs = sealIndependently(Buffer.from("x"), alice.node.publicKey);
    const other = sealIndependently(Buffer.from("x"), alice.node.publicKey);
    // The wrap of another file opens, to the wrong key.
    const [wrong] = (await inspect(other)).wraps;
    const { patch } = await amend(theirs, ({ header }) => ({ wraps: [wrong!, ...header.wraps] }));
    Buffer.from(patch.bytes).copy(theirs, patch.offset);
    const { core, seen } = await watched();
    const opened = await open(theirs, { key: alice.privateKey, core });
    expect(seen.unwrapped!.map(isWiped)).toEqual([true, true]);
    expect(seen.derived!.map(isWiped)).toEqual([true, true]);
    expect(seen.prepared!.map(isWiped)).toEqual([true, false]);
    await opened.bytes();
    expect(seen.prepared!.map(isWiped)).toEqual([true, true]);
    await rewrap(theirs, { key: alice.privateKey, add: [{ key: bob.publicKey }], core });
    expect(seen.unwrapped!.map(isWiped)).toEqual([true, true, true, true]);
    expect(seen.prepared!.map(isWiped)).toEqual([true, true, true, true]);
  });
});

describe("files that nobody can write here", () => {
  /** A sealed file of so many bytes of plaintext, made where it is read: chunk i is i, again and again. */
  function vast(size: number, pair = alice) {
    const small = sealIndependently(Buffer.alloc(0), pair.node.publicKey);
    const { key, fixed } = openIndependently(small, pair.node.privateKey);
    const body = small.length - 56 - 16;
    const head = small.subarray(0, 20 + small.readUInt32BE(12));
    const hash = createHash("sha256").update(head).digest();
    const context = Buffer.concat([
      Buffer.from("twinwrap/v1\0"),
      Buffer.from(fixed.serial, "base64url"),
      hash,
    ]);
    const derived = deriveBody(key, small.subarray(body, body + 24), context);
    const last = Math.floor(size / 16384);
    const plain = (index: number) => {
      const chunk = Buffer.alloc(index === last ? size % 16384 : 16384);
      for (let at = 0; at + 8 <= chunk.length; at += 8) chunk.writeBigUInt64BE(BigInt(index), at);
      return chunk;
    };
    const asked: number[] = [];
    const source = {
      size: body + 56 + size + 16 * (last + 1),
      read: async (offset: number, length: number) => {
        if (offset < body + 56) return small.subarray(offset, Math.min(offset + length, body + 56));
        const index = (offset - body - 56) / 16400;
        asked.push(index);
        const cipher = createCipheriv("aes-256-gcm", derived.key, chunkNonce(derived.nonce, index));
        return Buffer.concat([cipher.update(plain(index)), cipher.final(), cipher.getAuthTag()]);
      },
    };
    return { source, plain, last, asked };
  }

  test("of 64 TiB and of 4 PiB: any part is read, after the last chunk", async () => {
    for (const size of [2 ** 46 + 5, 2 ** 46 + 16384 * 7, 2 ** 52 - 1]) {
      const { source, plain, last, asked } = vast(size);
      const opened = await open(source, { key: alice.privateKey });
      expect(opened.size).toBe(size);
      for (const index of [0, 2 ** 32 - 1, last - 1]) {
        const first = index * 16384 + 16380;
        asked.length = 0;
        const part = Buffer.from(await opened.range(first, first + 7).bytes());
        const both = Buffer.concat([plain(index), plain(index + 1)]);
        expect(part.equals(both.subarray(16380, 16388)), `chunk ${index}`).toBe(true);
        expect(asked[0]).toBe(last);
      }
      opened.dispose();
    }
  });

  test("with a chunk more than 2^38 are refused", async () => {
    const { source } = vast(2 ** 52);
    await expect(open(source, { key: alice.privateKey })).rejects.toMatchObject({
      code: "BAD_FORMAT",
      message: expect.stringContaining("2^38"),
    });
  });
});

describe("whom it is refused to", () => {
  test("a key that no wrap names", async () => {
    const sealed = await sealBytes(Buffer.from("secret"));
    await expect(open(sealed, { key: mallory.privateKey })).rejects.toMatchObject({
      code: "NOT_A_RECIPIENT",
    });
  });

  test("a key whose wrap was exchanged: wrong key, wrong padding, altered blob, all by one error", async () => {
    const sealed = sealIndependently(Buffer.from("secret"), alice.node.publicKey);
    const other = sealIndependently(Buffer.from("secret"), alice.node.publicKey);
    const { slots } = openIndependently(other, alice.node.privateKey);
    const mine = openIndependently(sealed, alice.node.privateKey).slots[0].wraps[0];
    const blob = Buffer.from(mine.simpleblob, "base64url");
    const change = (at: number, value: number) => {
      const copy = Buffer.from(blob);
      copy[at]! ^= value;
      return { ...mine, simpleblob: copy.toString("base64url") };
    };
    const bad = {
      "another file's wrap": slots[0].wraps[0],
      "the other padding": { ...mine, alg: "rsa-pkcs1-v1_5" },
      "an altered block": change(100, 1),
      "a block above the modulus": {
        ...mine,
        simpleblob: Buffer.concat([blob.subarray(0, 12), Buffer.alloc(256, 255)]).toString(
          "base64url",
        ),
      },
      "another bVersion": change(1, 1),
      "reserved set": change(2, 1),
      "another session algorithm": change(4, 0x1e),
      "another algid": change(9, 0x80),
      "a trailing byte": {
        ...mine,
        simpleblob: Buffer.concat([blob, Buffer.alloc(1)]).toString("base64url"),
      },
      "a byte too few": { ...mine, simpleblob: blob.subarray(0, -1).toString("base64url") },
      nothing: { ...mine, simpleblob: "" },
    };
    const messages = new Set<string>();
    for (const [what, wrap] of Object.entries(bad)) {
      // The slot is written anew around the wrap, as anyone can.
      const { slotsOffset, hash } = await inspect(sealed);
      const file = Buffer.from(sealed);
      const json = Buffer.from(
        `{"escrows":[],"wraps":[{"alg":"${wrap.alg}","fingerprint":"${wrap.fingerprint}","simpleblob":"${wrap.simpleblob}"}]}`,
      );
      const slot = Buffer.alloc(8192);
      slot.writeBigUInt64BE(2n);
      slot.writeUInt32BE(json.length, 8);
      createHash("sha256")
        .update(hash)
        .update(slot.subarray(0, 12))
        .update(json)
        .digest()
        .copy(slot, 12);
      json.copy(slot, 44);
      slot.copy(file, slotsOffset + 8192);
      const error = await open(file, { key: alice.privateKey }).then(
        () => expect.unreachable(what),
        (thrown) => thrown,
      );
      expect([what, error.code]).toEqual([what, "DECRYPTION_FAILED"]);
      messages.add(error.message);
    }
    expect(messages.size).toBe(1);
  });

  test("weak keys, unless they are allowed", async () => {
    const weak = await makePair(1024);
    await expect(seal(Buffer.from("x"), { to: [weak.publicKey] })).rejects.toMatchObject({
      code: "WEAK_KEY",
    });
    const sealed = await sealBytes(Buffer.from("x"), { to: [weak.publicKey], allowWeak: true });
    expect(openIndependently(sealed, weak.node.privateKey).plaintext.toString()).toBe("x");
    await expect(open(sealed, { key: weak.privateKey })).rejects.toMatchObject({
      code: "WEAK_KEY",
    });
    const opened = await open(sealed, { key: weak.privateKey, allowWeak: true });
    expect(Buffer.from(await opened.bytes()).toString()).toBe("x");
  });

  test("nobody at all", async () => {
    await expect(seal(Buffer.from("x"), { to: [] })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  });

  test("one of several keys is enough", async () => {
    const sealed = await sealBytes(Buffer.from("x"), { to: [bob.publicKey] });
    const opened = await open(sealed, { key: [mallory.privateKey, bob.privateKey] });
    expect(Buffer.from(await opened.bytes()).toString()).toBe("x");
  });
});
