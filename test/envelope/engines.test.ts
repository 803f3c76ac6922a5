import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import { fileURLToPath } from "node:url";
import { type EngineOptions, open, seal, WorkerPool, type WorkOptions, workerPool } from "twinwrap";
import { loadCore } from "twinwrap/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Cobblestone } from "#build/envelope/cobblestone.js";
import type { StartWorker, WorkerHandle } from "#build/envelope/pools.js";
import { openChunks, sealChunks } from "#build/envelope/seal.js";
import { startWorker } from "#build/envelope/worker.node.js";
import { pieces, type RandomAccess, Reader, type Source } from "#build/source.js";
import { isQuick, some } from "../quick.js";
import { openIndependently, sealBody } from "./independent.js";
import { makePair, type Pair } from "./keys.js";

const CHUNK = 16384;
const SEALED = CHUNK + 16;
/** The first segment of a message is smaller, so that borders are here, and FIRST on from here. */
const SEGMENT = 64 * CHUNK;
const FIRST = 4 * CHUNK;
const HEAD = 24 + 32;

const core = await loadCore();
const [key, salt, context] = [randomBytes(32), randomBytes(24), Buffer.from("context")];
const cobblestone = () => new Cobblestone(core, key, salt, context);
const reference = (plaintext: Buffer) => sealBody(key, salt, context, plaintext).subarray(HEAD);
const random = randomBytes(FIRST + 4 * SEGMENT + 3 * CHUNK + 5);

const chunks = reference(random);

/** A worker that is refused, one that ends at once, one of another release, and a silent one. */
const refused: StartWorker = () => {
  throw new Error("no workers here");
};
const stillborn: StartWorker = (events) => {
  setTimeout(events.ended);
  return { post() {}, hold() {}, terminate() {} };
};
const foreign: StartWorker = (events) => {
  setTimeout(() => events.answered({ ready: "another release" }));
  return { post() {}, hold() {}, terminate() {} };
};
const silent: StartWorker = () => ({ post() {}, hold() {}, terminate() {} });

const pool = workerPool({ jobs: 2 });
beforeAll(async () => {
  await pool.start();
  expect(pool.ready).toBe(true);
});
afterAll(() => pool.close());

/** Pools of a test each, which start their workers in the middle of a file. */
const pools: WorkerPool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close();
});
const starting = (start: StartWorker, startAfter: number): EngineOptions => {
  const pool = new WorkerPool(start, { jobs: 3, startAfter });
  pools.push(pool);
  return { pool };
};
// Of what is sealed here the size is known, and where it is twice this, workers would start at once.
const midway = (start: StartWorker) => starting(start, 2.5 * SEGMENT);

const MODES: [string, () => EngineOptions][] = [
  ["one thread", () => ({})],
  ["a pool", () => ({ pool })],
  ["workers started midway", () => midway(startWorker)],
  ["workers started at once", () => starting(startWorker, SEGMENT)],
  ["workers refused", () => midway(refused)],
  ["workers that end at once", () => midway(stillborn)],
  ["workers of another release", () => midway(foreign)],
  ["workers that are never ready", () => midway(silent)],
  ["WebCrypto", () => ({ engine: "webcrypto" })],
  ["node:crypto", () => ({ engine: "native" })],
  ["whatever is the fastest", () => ({ engine: "auto" })],
  ["WebCrypto, in a pool", () => ({ engine: "webcrypto", pool })],
  ["WebCrypto, in workers started midway", () => ({ ...midway(startWorker), engine: "webcrypto" })],
  ["node:crypto, in a pool", () => ({ engine: "native", pool })],
  ["node:crypto, in workers started midway", () => ({ ...midway(startWorker), engine: "native" })],
  ["node:crypto, where workers are refused", () => ({ ...midway(refused), engine: "native" })],
];

/** What came out before the end or the first error, and the error. */
async function collect(
  output: AsyncGenerator<Uint8Array, void, Uint8Array<ArrayBuffer> | undefined>,
) {
  const parts: Buffer[] = [];
  let error: unknown;
  try {
    // Some pieces are given back, as the writer of files does with all, so that their memory serves
    // again: overwritten here, as nobody may look at it any more.
    for (let spent: Uint8Array | undefined; ; ) {
      const next = await output.next(spent as Uint8Array<ArrayBuffer> | undefined);
      if (next.done) break;
      parts.push(Buffer.from(next.value));
      spent = parts.length % 3 === 1 ? undefined : next.value.fill(0xff);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { bytes: Buffer.concat(parts), error };
}

const sealed = (plaintext: Uint8Array, options: WorkOptions) =>
  collect(sealChunks(cobblestone(), pieces(plaintext), options));
const opened = (chunks: Uint8Array, options: WorkOptions) =>
  collect(openChunks(cobblestone(), new Reader(pieces(chunks)), options));

// In npm test one thread, workers from a file's middle on, workers that end at once, WebCrypto and node:crypto alone and
// in workers.
describe.each(isQuick ? MODES.filter((_, i) => [0, 2, 5, 8, 9, 12, 14].includes(i)) : MODES)(
  "%s",
  (_, make) => {
    let mode: EngineOptions;
    beforeEach(() => {
      mode = make();
    });

    const lengths = [
      0,
      1,
      CHUNK - 1,
      CHUNK,
      CHUNK + 1,
      FIRST / 2,
      FIRST - 1,
      FIRST,
      FIRST + 1,
      FIRST + SEGMENT / 2,
      FIRST + SEGMENT - CHUNK,
      FIRST + SEGMENT - 1,
      FIRST + SEGMENT,
      FIRST + SEGMENT + 1,
      FIRST + 3 * SEGMENT,
      random.length,
    ];
    test.each(some(lengths, 3))("%i bytes, byte for byte", async (length) => {
      const plaintext = random.subarray(0, length);
      const expected = reference(plaintext);
      const { bytes, error } = await sealed(plaintext, mode);
      expect(error).toBeUndefined();
      expect(bytes.equals(expected)).toBe(true);
      const back = await opened(expected, mode);
      expect(back.error).toBeUndefined();
      expect(back.bytes.equals(plaintext)).toBe(true);
    });

    const count = Math.ceil(chunks.length / SEALED);

    test("a chunk altered anywhere: what is before it leaves, and nothing else", async () => {
      for (const bad of some([0, 3, 4, 5, 67, 68, 69, 150, 259, count - 1], 3)) {
        const altered = Buffer.from(chunks);
        const end = Math.min(chunks.length, (bad + 1) * SEALED);
        altered[end - 1 - (bad % 20)]! ^= 0x10;
        altered[chunks.length - 1]! ^= 1; // a second error behind it changes nothing
        if (bad === count - 1) altered[chunks.length - 1]! ^= 3;
        const { bytes, error } = await opened(altered, mode);
        expect(error).toMatchObject({
          code: "DECRYPTION_FAILED",
          message: expect.stringMatching(/^decryption failed: the key/),
        });
        expect(bytes.equals(random.subarray(0, bad * CHUNK))).toBe(true);
      }
    });

    test("chunks exchanged, doubled or left out", async () => {
      const at = (index: number) => chunks.subarray(index * SEALED, (index + 1) * SEALED);
      const head = (index: number) => chunks.subarray(0, index * SEALED);
      const tail = (index: number) => chunks.subarray(index * SEALED);
      for (const index of some([67, 0, 3, 131, 257], 3)) {
        for (const wrong of [
          [head(index), at(index + 1), at(index), tail(index + 2)],
          [head(index), tail(index + 1)],
        ]) {
          const { bytes, error } = await opened(Buffer.concat(wrong), mode);
          expect(error).toMatchObject({ code: "DECRYPTION_FAILED" });
          expect(bytes.equals(random.subarray(0, index * CHUNK))).toBe(true);
        }
        const doubled = await opened(Buffer.concat([head(index + 1), tail(index)]), mode);
        expect(doubled.error).toMatchObject({ code: "DECRYPTION_FAILED" });
        expect(doubled.bytes.equals(random.subarray(0, (index + 1) * CHUNK))).toBe(true);
      }
    });

    test("cut: between chunks, inside a tag, inside a chunk", async () => {
      for (const whole of some([0, 1, 4, 5, 68, 69, 260], 3)) {
        for (const [rest, code] of [
          [0, "BAD_FORMAT"],
          [15, "BAD_FORMAT"],
          [16, "DECRYPTION_FAILED"],
          [5000, "DECRYPTION_FAILED"],
        ] as const) {
          const { bytes, error } = await opened(chunks.subarray(0, whole * SEALED + rest), mode);
          expect(error).toMatchObject({ code });
          expect(bytes.equals(random.subarray(0, whole * CHUNK))).toBe(true);
        }
      }
    });

    test("a whole file, there and back, read by the second implementation", async () => {
      const told: number[] = [];
      const onProgress = (bytes: number) => void told.push(bytes);
      const options = { to: [alice.publicKey], onProgress, ...mode };
      const file = Buffer.from(await (await seal(random, options)).bytes());
      expect(openIndependently(file, alice.node.privateKey).plaintext.equals(random)).toBe(true);
      expect(told).toEqual([...told].sort((a, b) => a - b));
      expect(told.at(-1)).toBe(random.length);
      const back = await open(file, { key: alice.privateKey, ...mode });
      expect(Buffer.from(await back.bytes()).equals(random)).toBe(true);
    });

    test("back-pressure: the source is asked for a few segments more than were taken", async () => {
      let asked = 0;
      async function* endless() {
        for (;;) {
          asked++;
          yield random.subarray(0, SEGMENT);
        }
      }
      const output = sealChunks(cobblestone(), endless(), mode);
      for (let taken = 1; taken <= 12; taken++) {
        await output.next();
        await new Promise((resolve) => setTimeout(resolve, 5));
        // Two for each of at most three workers and one more, and the one that is being read.
        expect(asked - taken).toBeLessThanOrEqual(8);
      }
      await output.return();
      const then = asked;
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(asked).toBe(then);
    });

    test("aborted between pieces, and while the source keeps silent", async () => {
      for (const silent of [false, true]) {
        const controller = new AbortController();
        async function* source() {
          yield random.subarray(0, FIRST);
          for (let i = 0; i < 7; i++) yield random.subarray(0, SEGMENT);
          if (silent) await new Promise(() => {});
          else for (;;) yield random.subarray(0, SEGMENT);
        }
        const output = sealChunks(cobblestone(), source(), { ...mode, signal: controller.signal });
        for (let i = 0; i < 8; i++) await output.next();
        const next = output.next();
        controller.abort(new Error("enough"));
        // Not silent: the next piece may have been on its way.
        const result = silent ? next : next.then(() => output.next());
        await expect(result).rejects.toMatchObject({ code: "ABORTED" });
        expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
      }
    });

    test("a consumer that stops, with a source that keeps silent: the source is told", async () => {
      let told = false;
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(random.subarray(0, SEGMENT)),
        cancel: () => {
          told = true;
        },
      });
      const output = sealChunks(cobblestone(), pieces(stream), mode);
      expect((await output.next()).done).toBe(false);
      await output.return();
      expect(told).toBe(true);
    });

    test("a source that fails after some segments: they leave, then its error", async () => {
      async function* failing() {
        yield random.subarray(0, 3 * SEGMENT);
        throw new Error("the disk is gone");
      }
      const { bytes, error } = await collect(sealChunks(cobblestone(), failing(), mode));
      expect(error).toEqual(new Error("the disk is gone"));
      expect(bytes.equals(chunks.subarray(0, 192 * SEALED))).toBe(true);
    });
  },
);

let alice: Pair;
beforeAll(async () => {
  alice = await makePair();
});

describe("a pool", () => {
  /** A pool whose workers a test can reach. */
  async function reachable(jobs: number) {
    const handles: WorkerHandle[] = [];
    const orders: unknown[] = [];
    const mine = new WorkerPool(
      async (events) => {
        const handle = await startWorker(events);
        handles.push(handle);
        return {
          ...handle,
          post(order, transfer) {
            handle.post(order, transfer);
            orders.push(order);
          },
        };
      },
      { jobs },
    );
    await mine.start(core);
    return { mine, handles, orders };
  }
  const twenty = () =>
    (async function* () {
      for (let i = 0; i < 20; i++) yield random.subarray(0, SEGMENT);
    })();

  test("of a file's own, which starts with a large one", async () => {
    const parts = 24;
    async function* source(part: Uint8Array) {
      for (let i = 0; i < parts; i++) yield part;
    }
    let started = 0;
    const options = {
      jobs: 2,
      startWorker: (events: Parameters<StartWorker>[0]) => {
        started++;
        return startWorker(events);
      },
    };
    const part = random.subarray(0, SEGMENT);
    const file = await (await seal(source(part), { to: [alice.publicKey], ...options })).blob();
    expect(started).toBe(2);
    const opened = await open(file, { key: alice.privateKey, ...options });
    expect(Buffer.from(await opened.bytes()).equals(Buffer.concat(Array(parts).fill(part)))).toBe(
      true,
    );
    expect(started).toBe(4);
  });

  test("starts at once for a source that is known to be large, and later for one that may be", async () => {
    const bytes = random.subarray(0, 2 * SEGMENT);
    const stream = async function* () {
      for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
    };
    const cases: [Source | RandomAccess, number, boolean, boolean][] = [
      [bytes, SEGMENT, true, true],
      [new Blob([new Uint8Array(bytes)]), SEGMENT, true, true],
      [
        { size: bytes.length, read: async (at, n) => bytes.subarray(at, at + n) },
        SEGMENT,
        true,
        true,
      ],
      [bytes, SEGMENT + 1, false, true],
      [stream(), SEGMENT, false, true],
      [bytes, 2 * SEGMENT, false, false],
    ];
    for (const [source, startAfter, atOnce, atLast] of cases) {
      let started = false;
      const { pool } = starting(() => {
        started = true;
        throw new Error("no workers here");
      }, startAfter);
      const output = sealChunks(cobblestone(), pieces(source), { pool });
      const first = await output.next();
      expect(started).toBe(atOnce);
      const { bytes: rest } = await collect(output);
      expect(started).toBe(atLast);
      expect(Buffer.concat([first.value!, rest]).equals(reference(bytes))).toBe(true);
    }
  });

  test("serves several files at once", async () => {
    const { mine, orders } = await reachable(2);
    const lengths = [0, 1, SEGMENT, 2 * SEGMENT + 1, random.length, random.length - CHUNK];
    await Promise.all(
      lengths.map(async (length) => {
        const plaintext = random.subarray(0, length);
        const { bytes } = await sealed(plaintext, { pool: mine });
        expect(bytes.equals(reference(plaintext))).toBe(true);
        expect((await opened(bytes, { pool: mine })).bytes.equals(plaintext)).toBe(true);
      }),
    );
    // Whatever workers got of keys, they were told to wipe; and nothing was copied on its way.
    const kept = new Map<number, number>();
    for (const order of orders as Record<string, never>[]) {
      if ("keys" in order) {
        const { key, baseNonce } = order.keys as Record<string, Uint8Array>;
        expect([key!.length, baseNonce!.length]).toEqual([0, 0]);
        kept.set(order.message!, (kept.get(order.message!) ?? 0) + 1);
      } else if ("segment" in order) {
        expect((order.segment as { buffer: ArrayBuffer }).buffer.byteLength).toBe(0);
      } else if ("forget" in order) kept.set(order.forget!, kept.get(order.forget!)! - 1);
    }
    expect(kept.size).toBe(2 * lengths.length);
    expect([...kept.values()].every((count) => count === 0)).toBe(true);
    mine.close();
  });

  test("a worker that is killed: its files fail, and the next one finds another", async () => {
    const { mine, handles } = await reachable(1);
    const output = sealChunks(cobblestone(), twenty(), { pool: mine });
    await output.next();
    handles[0]!.terminate();
    const { error } = await collect(output);
    expect(error).toMatchObject({ code: "FAULT", message: /a worker ended/ });
    const long = Buffer.concat([random, random, random]);
    const again = await sealed(long, { pool: mine });
    expect(again.bytes.equals(reference(long))).toBe(true);
    await mine.start(core);
    expect([handles.length, mine.ready]).toEqual([2, true]);
    mine.close();
  });

  test("a worker that is told nonsense dies of it, and is noticed", async () => {
    const { mine, handles } = await reachable(1);
    handles[0]!.post({ message: 99, segment: {} }, []);
    while (mine.ready) await new Promise((resolve) => setTimeout(resolve, 5));
    const { bytes } = await sealed(random, { pool: mine });
    expect(bytes.equals(chunks)).toBe(true);
    mine.close();
  });

  test("closed in the middle of a file, and used afterwards", async () => {
    const { mine } = await reachable(2);
    const output = sealChunks(cobblestone(), twenty(), { pool: mine });
    await output.next();
    mine.close();
    expect((await collect(output)).error).toMatchObject({ code: "DISPOSED" });
    expect((await sealed(random, { pool: mine })).error).toMatchObject({ code: "DISPOSED" });
    await mine.start(core);
    expect(mine.ready).toBe(false);
  });

  test("jobs and engines that are none", async () => {
    for (const jobs of [0, -1, 1.5, Number.NaN, 65, "2" as unknown as number]) {
      const refused = expect.objectContaining({ code: "BAD_ARGUMENT" });
      expect(() => workerPool({ jobs })).toThrow(refused);
      await expect(seal(random, { to: [alice.publicKey], jobs })).rejects.toEqual(refused);
      await expect(open(random, { key: alice.privateKey, jobs })).rejects.toEqual(refused);
    }
    await expect(
      seal(random, { to: [alice.publicKey], engine: "fastest" as "wasm" }),
    ).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });
});

test("a process ends by itself, whatever becomes of its workers, and rejects nothing unheard", () => {
  const node = (code: string) =>
    execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      timeout: 300_000,
    });
  const door = fileURLToPath(new URL("../../build/node.js", import.meta.url));
  const begin = `import { generateKeyPair, seal, workerPool } from ${JSON.stringify(door)};
    const { publicKey } = await generateKeyPair({ bits: 2048 });
    const part = new Uint8Array(1 << 20);
    async function* endless() { for (;;) yield part; }
    const take = async (options, count) => {
      const output = (await seal(endless(), { to: [publicKey], ...options }))[Symbol.asyncIterator]();
      for (let i = 0; i < count; i++) await output.next();
      return output;
    };`;
  for (const end of [
    "await (await take({ jobs: 2 }, 60)).return();", // stopped
    "await take({ jobs: 2 }, 60);", // forgotten
    "const pool = workerPool({ jobs: 2 }); await pool.start(); await take({ pool }, 5);", // never closed
    "await take({ jobs: 2 }, 17);", // while they start
  ]) {
    expect(node(`${begin} ${end} console.log("done");`)).toBe("done\n");
  }
});
