// Workers in a page: where they come from, and what becomes of files when they are lost.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { STRICT, site, visit } from "./site.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each([
  ["blob: URLs", undefined, undefined, true, 0],
  ["the page's own script, under a strict policy", STRICT, "/worker.js", true, 0],
  // The policy has been tried once for each worker.
  ["none: the policy forbids blob: URLs", STRICT, undefined, false, 2],
  ["none: there is no such script", STRICT, "/nothing.js", false, 0],
])("workers from %s", (_, policy, workerUrl, expected, refused) => {
  test("seals and opens, by every engine", async () => {
    const server = await site(policy === undefined ? {} : { policy });
    const page = await visit(browser, server.url);
    const result = await page.evaluate(async (workerUrl) => {
      const { generateKeyPair, open, seal, workerPool } = twinwrap;
      const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
      const plaintext = new Uint8Array(3_000_000).map((_, i) => i ^ (i >> 8));
      const pool = workerPool({ jobs: 2, ...(workerUrl === undefined ? {} : { workerUrl }) });
      await pool.start();
      const engine = "webcrypto" as const;
      const modes = [{ pool }, { engine }, {}, { engine, pool }];
      const equal = [];
      for (const [i, mode] of modes.entries()) {
        const sealed = await seal(new Blob([plaintext]), { to: [publicKey], ...mode });
        const opened = await open(await sealed.blob(), {
          key: privateKey,
          ...modes[(i + 1) % modes.length],
        });
        const bytes = await opened.bytes();
        equal.push(
          bytes.length === plaintext.length && bytes.every((byte, j) => byte === plaintext[j]),
        );
      }
      const { ready } = pool;
      pool.close();
      return { ready, equal, violations: globalThis.violations.length };
    }, workerUrl);
    expect(result).toEqual({
      ready: expected,
      equal: [true, true, true, true],
      violations: refused,
    });
    await page.context().close();
    await server.close();
  });
});

test("`jobs` and `workerUrl` are enough: the workers come with a large file and go with it", async () => {
  const server = await site({ policy: STRICT });
  const page = await visit(browser, server.url);
  const started: string[] = [];
  page.on("worker", (worker) => started.push(new URL(worker.url()).pathname));
  const length = await page.evaluate(async () => {
    const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
    // Slow enough that both workers come before its end.
    let left = 40;
    const source = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
        else controller.close();
      },
    });
    const sealed = await twinwrap.seal(source, {
      to: [publicKey],
      jobs: 2,
      workerUrl: "worker.js",
    });
    return (await sealed.blob()).size;
  });
  expect(length).toBeGreaterThan(40 << 20);
  expect(started).toEqual(["/worker.js", "/worker.js"]);
  await expect.poll(() => page.workers().length).toBe(0);
  expect(await page.evaluate(() => globalThis.violations)).toEqual([]);
  await page.context().close();
  await server.close();
});

test.each([
  ["says nothing", ""],
  ["says nonsense", "for (const word of [null, 7, 'ready', {}, { ready: 1 }]) postMessage(word);"],
  ["is of another release", "onmessage = () => postMessage({ ready: '0.0.0 0' });"],
  ["is no script", "<!doctype html>"],
])("a foreign script that %s: this thread does the work", async (_, script) => {
  const server = await site({ policy: STRICT, files: { "/foreign.js": script } });
  const page = await visit(browser, server.url);
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  const result = await page.evaluate(async () => {
    const { publicKey, privateKey } = await twinwrap.generateKeyPair({ bits: 2048 });
    const pool = twinwrap.workerPool({ jobs: 2, startAfter: 0, workerUrl: "/foreign.js" });
    const source = new Blob([new Uint8Array(5 << 20).fill(7)]);
    const sealed = await twinwrap.seal(source, { to: [publicKey], pool });
    const opened = await twinwrap.open(await sealed.blob(), { key: privateKey, pool });
    const bytes = await opened.bytes();
    const { ready } = pool;
    pool.close();
    return { ready, length: bytes.length, same: bytes.every((byte) => byte === 7) };
  });
  expect(result).toEqual({ ready: false, length: 5 << 20, same: true });
  expect(errors).toEqual([]);
  await page.context().close();
  await server.close();
});

describe("lost workers", () => {
  test.each([
    ["that throws", "work({ data: { message: 99, segment: {} } })"],
    ["that is ended without a word", "close()"],
  ])("one %s takes its file with it, and the next file finds another", async (_, end) => {
    const server = await site();
    const page = await visit(browser, server.url);
    await page.evaluate(async () => {
      const { publicKey, privateKey } = await twinwrap.generateKeyPair({ bits: 2048 });
      const pool = twinwrap.workerPool({ jobs: 2 });
      await pool.start();
      // Both workers have work at any time, until one is lost.
      const source = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
      });
      const sealed = await twinwrap.seal(source, { to: [publicKey], pool });
      const take = async () => {
        for await (const piece of sealed) if (piece.length === 0) break;
      };
      const lost = take().then(
        () => "no error",
        (error) => error.code as string,
      );
      const next = async () => {
        const sealed = await twinwrap.seal(new Blob([new Uint8Array(5 << 20)]), {
          to: [publicKey],
          pool,
        });
        const opened = await twinwrap.open(await sealed.blob(), { key: privateKey, pool });
        return (await opened.bytes()).length;
      };
      Object.assign(globalThis, { lost, next });
    });
    expect(page.workers().length).toBe(2);
    // It answers no more, so that it has work when it is lost.
    const worker = page.workers()[0]!;
    await worker.evaluate(
      "globalThis.work = onmessage; globalThis.got = 0; onmessage = () => { got++; }; undefined",
    );
    await expect.poll(() => worker.evaluate("got")).toBeGreaterThan(0);
    await worker.evaluate(end);
    expect(await page.evaluate(() => (globalThis as unknown as { lost: unknown }).lost)).toBe(
      "FAULT",
    );
    const next = await page.evaluate(() =>
      (globalThis as unknown as { next(): Promise<number> }).next(),
    );
    expect(next).toBe(5 << 20);
    await page.context().close();
    await server.close();
  });

  test("an aborted stream lets the source go, and leaves the pool whole", async () => {
    const server = await site();
    const page = await visit(browser, server.url);
    const result = await page.evaluate(async () => {
      const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
      const pool = twinwrap.workerPool({ jobs: 2 });
      await pool.start();
      const controller = new AbortController();
      let cancelled = false;
      const source = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
        cancel() {
          cancelled = true;
        },
      });
      const sealed = await twinwrap.seal(source, {
        to: [publicKey],
        pool,
        signal: controller.signal,
        onProgress: (done) => {
          if (done > 8 << 20) controller.abort();
        },
      });
      const code = await sealed.blob().catch((error) => error.code);
      const again = await twinwrap.seal(new Uint8Array(1 << 20), { to: [publicKey], pool });
      return { code, cancelled, ready: pool.ready, length: (await again.bytes()).length > 1 << 20 };
    });
    expect(result).toEqual({ code: "ABORTED", cancelled: true, ready: true, length: true });
    await page.context().close();
    await server.close();
  });
});
