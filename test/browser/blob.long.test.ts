// A Blob is read whatever the engine's garbage collector does meanwhile.
import { expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { site, visit } from "./site.js";

declare function gc(options: { type: "major"; execution: "sync" }): void;

test("a Blob's stream is not collected while it is read", async () => {
  const server = await site();
  const browser = await launchChromium({ args: ["--js-flags=--expose-gc"] });
  try {
    const page = await visit(browser, server.url);
    const ends = page.evaluate(async () => {
      const { generateKeyPair, open, seal } = twinwrap;
      const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
      const blob = new Blob(Array(16).fill(new Uint8Array(1 << 20)));
      const sealed = await (await seal(blob, { to: [publicKey] })).blob();
      // Between a read and its answer the engine collects what nobody refers to.
      const { read } = ReadableStreamBYOBReader.prototype;
      ReadableStreamBYOBReader.prototype.read = function (
        this: ReadableStreamBYOBReader,
        ...args: unknown[]
      ) {
        const answer = Reflect.apply(read, this, args);
        setTimeout(() => gc({ type: "major", execution: "sync" }));
        return answer;
      } as typeof read;
      let length = 0;
      for (let round = 0; round < 8; round++) {
        for await (const piece of await open(sealed, { key: privateKey })) length += piece.length;
      }
      return length;
    });
    const stalled = new Promise<string>((resolve) => {
      setTimeout(resolve, 300_000, "a read never ended").unref();
    });
    expect(await Promise.race([ends, stalled])).toBe(8 * 16 * 2 ** 20);
  } finally {
    await browser.close();
    await server.close();
  }
});
