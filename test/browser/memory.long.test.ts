// Files larger than memory: what a page and its workers need does not grow with the file.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { site, visit } from "./site.js";

let server: Awaited<ReturnType<typeof site>>;
beforeAll(async () => {
  server = await site();
});
afterAll(() => server.close());

/** The most resident memory, in bytes, that a renderer of this browser has had: a page with its workers. */
async function peakOfRenderers(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => {
      const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, "utf8"))!;
      return Number(peak) * 1024;
    });
  return Math.max(...peaks);
}

test.skipIf(process.platform !== "linux")(
  "sealing and opening 512 MiB takes no more memory than 32 MiB (needs /proc)",
  async () => {
    const peaks: number[] = [];
    for (const mebibytes of [32, 512]) {
      // A browser each: a peak is for life.
      const browser = await launchChromium();
      const page = await visit(browser, server.url);
      const length = await page.evaluate(async (mebibytes) => {
        const { generateKeyPair, open, seal, workerPool } = twinwrap;
        const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
        const pool = workerPool({ jobs: 2 });
        await pool.start();
        let left = mebibytes;
        const source = new ReadableStream<Uint8Array>(
          {
            pull(controller) {
              if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
              else controller.close();
            },
          },
          { highWaterMark: 0 },
        );
        const sealed = await seal(source, { to: [publicKey], pool });
        const opened = await open(sealed.stream(), { key: privateKey, pool });
        let length = 0;
        for await (const piece of opened) length += piece.length;
        pool.close();
        return length;
      }, mebibytes);
      expect(length).toBe(mebibytes << 20);
      peaks.push(await peakOfRenderers(browser));
      await browser.close();
    }
    const [small, large] = peaks as [number, number];
    expect(small).toBeGreaterThan(10 << 20);
    // When the engine collects is its own affair; half a gigabyte would show.
    expect(large).toBeLessThan(small + (100 << 20));
  },
);

test("a Blob is read piece by piece, whatever is done with it", async () => {
  const browser = await launchChromium();
  const page = await visit(browser, server.url);
  const largest = await page.evaluate(async () => {
    const { generateKeyPair, inspect, open, seal } = twinwrap;
    const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
    const sealed = await (
      await seal(new Blob([new Uint8Array(20 << 20)]), { to: [publicKey] })
    ).blob();
    const reads: number[] = [];
    const { arrayBuffer, stream } = Blob.prototype;
    Blob.prototype.arrayBuffer = function () {
      reads.push(this.size);
      return arrayBuffer.call(this);
    };
    Blob.prototype.stream = function () {
      const watch = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(piece, controller) {
          reads.push(piece.length);
          controller.enqueue(piece);
        },
      });
      return stream.call(this).pipeThrough(watch);
    };
    const sum = () => reads.reduce((sum, length) => sum + length, 0);
    await inspect(sealed);
    const opened = await open(sealed, { key: privateKey });
    await opened.range(19 << 20, (19 << 20) + 9).bytes();
    const beginning = sum();
    for await (const piece of opened) if (piece.length === 0) break;
    const opening = sum();
    for await (const piece of await seal(sealed, { to: [publicKey] })) {
      if (piece.length === 0) break;
    }
    return { beginning, opening, all: sum(), most: Math.max(...reads) };
  });
  const MIB = 1 << 20;
  expect(largest.beginning).toBeLessThan(8 * MIB);
  expect(largest.opening).toBeGreaterThan(20 * MIB);
  expect(largest.all).toBeGreaterThan(40 * MIB);
  expect(largest.most).toBeLessThanOrEqual(4 * MIB);
  await browser.close();
});
