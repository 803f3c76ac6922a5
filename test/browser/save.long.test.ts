// Saving from a page: into a file that was chosen, as a download piece by piece, and as a Blob.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { STRICT, site, visit } from "./site.js";

let browser: Browser;
let server: Awaited<ReturnType<typeof site>>;
let page: Page;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
beforeEach(async () => {
  server = await site({ policy: STRICT });
  page = await visit(browser, server.url);
  // A picker cannot be operated without a window: this one chooses a file of the page's own file system,
  // which is written by the same calls.
  await page.evaluate(() => {
    const state = { picks: 0, refuse: "", full: false };
    const showSaveFilePicker = async ({ suggestedName }: { suggestedName: string }) => {
      state.picks++;
      if (state.refuse !== "") throw new DOMException("", state.refuse);
      const folder = await navigator.storage.getDirectory();
      const handle = await folder.getFileHandle(suggestedName, { create: true });
      if (!state.full) return handle;
      const createWritable = async () => {
        const writable = await handle.createWritable();
        let writes = 0;
        const write = async (piece: BufferSource) => {
          if (++writes === 3) throw new DOMException("no room", "QuotaExceededError");
          await writable.write(piece);
        };
        return { write, close: () => writable.close(), abort: () => writable.abort() };
      };
      return {
        createWritable,
        getFile: () => handle.getFile(),
        remove: () => folder.removeEntry(suggestedName),
      };
    };
    const content = async (name: string) => {
      const folder = await navigator.storage.getDirectory();
      const handle = await folder.getFileHandle(name).catch(() => undefined);
      return handle && (await handle.getFile()).text();
    };
    const pair = twinwrap.generateKeyPair({ bits: 2048 });
    const sealed = async (bytes: number | string, altered = false) => {
      const { publicKey } = await pair;
      const source = new Blob([typeof bytes === "string" ? bytes : new Uint8Array(bytes)]);
      const blob = await (await twinwrap.seal(source, { to: [publicKey] })).blob();
      if (!altered) return blob;
      const whole = new Uint8Array(await blob.arrayBuffer());
      whole[whole.length - 20]! ^= 1;
      return new Blob([whole]);
    };
    const opened = async (bytes: number | string, altered = false, options = {}) =>
      twinwrap.open(await sealed(bytes, altered), { key: (await pair).privateKey, ...options });
    Object.assign(globalThis, { state, showSaveFilePicker, content, sealed, opened });
  });
});
afterEach(async () => {
  expect(await page.evaluate(() => globalThis.violations)).toEqual([]);
  await page.context().close();
  await server.close();
});

/** Runs code in the page, where the helpers above are, and answers its value or its error's code. */
const inPage = (code: string) =>
  page.evaluate(
    `(async () => { try { ${code} } catch (error) { return error.code ?? String(error); } })()`,
  );

describe("into the file that was chosen", () => {
  test("all of it", async () => {
    const result = await inPage(`
      const by = await twinwrap.save(opened("the last copy"), { name: "a.txt" });
      return [by, await content("a.txt"), state.picks];`);
    expect(result).toEqual(["picker", "the last copy", 1]);
  });

  test("nothing of what fails: a new file is removed, an old one stays as it was", async () => {
    const result = await inPage(`
      const code = (error) => error.code;
      const old = await showSaveFilePicker({ suggestedName: "old.txt" });
      const writable = await old.createWritable();
      await writable.write("as it was");
      await writable.close();
      return [
        await twinwrap.save(opened(5_000_000, true), { name: "new.txt" }).catch(code),
        await content("new.txt"),
        await twinwrap.save(opened(5_000_000, true), { name: "old.txt" }).catch(code),
        await content("old.txt"),
        await twinwrap.save(Promise.reject(new Error("before it began")), { name: "old.txt" }).catch(String),
        await content("old.txt"),
      ];`);
    expect(result).toEqual([
      "DECRYPTION_FAILED",
      undefined,
      "DECRYPTION_FAILED",
      "as it was",
      "Error: before it began",
      "as it was",
    ]);
  });

  test("a picker that is closed: ABORTED, the keys are wiped, and the source is let go", async () => {
    const result = await inPage(`
      state.refuse = "AbortError";
      const code = (error) => error.code;
      const output = opened("the last copy");
      let cancelled = false;
      const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
      const endless = new ReadableStream({ cancel: () => { cancelled = true; } });
      return [
        await twinwrap.save(output, { name: "a.txt" }).catch(code),
        await (await output).range(0, 1).bytes().catch(code),
        await twinwrap.save(twinwrap.seal(endless, { to: [publicKey] }), { name: "a.txt" }).catch(code),
        cancelled,
        await content("a.txt"),
      ];`);
    expect(result).toEqual(["ABORTED", "DISPOSED", "ABORTED", true, undefined]);
  });

  test("a full disk: UNAVAILABLE, and no file", async () => {
    const result = await inPage(`
      state.full = true;
      const error = await twinwrap.save(opened(5_000_000), { name: "a.txt" }).catch((error) => error);
      return [error.code, error.message, await content("a.txt")];`);
    expect(result).toEqual(["UNAVAILABLE", expect.stringContaining("no room"), undefined]);
  });

  test("where no picker may open, a download", async () => {
    const [download, by] = await Promise.all([
      page.waitForEvent("download"),
      inPage(`
        state.refuse = "SecurityError"; // so says Chrome if nobody has clicked
        return twinwrap.save(opened("the last copy"), { name: "a.txt" });`),
    ]);
    expect([by, download.suggestedFilename()]).toEqual(["blob", "a.txt"]);
  });
});

describe("as a download through the service worker", () => {
  const options = '{ name: "häh (1)*\\u0027.bin", picker: false, downloadUrl: "/download.js" }';

  test("all of it, under the name that was meant", async () => {
    const [download, by] = await Promise.all([
      page.waitForEvent("download"),
      inPage(`
        const bytes = new Uint8Array(20_000_000).map((_, i) => i ^ (i >> 8));
        const pair = await twinwrap.generateKeyPair({ bits: 2048 });
        const sealed = await (await twinwrap.seal(bytes, { to: [pair.publicKey] })).blob();
        return twinwrap.save(twinwrap.open(sealed, { key: pair.privateKey }), ${options});`),
    ]);
    expect(by).toBe("stream");
    // "*" is no character of a file's name everywhere, so the browser puts another in its place.
    expect(download.suggestedFilename()).toMatch(/^häh \(1\)[*_]'\.bin$/);
    const hash = createHash("sha256");
    for await (const piece of createReadStream(await download.path())) hash.update(piece);
    const expected = createHash("sha256").update(
      new Uint8Array(20_000_000).map((_, i) => i ^ (i >> 8)),
    );
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
  });

  test("nothing of what fails", async () => {
    const [download, code] = await Promise.all([
      page.waitForEvent("download"),
      inPage(`return await twinwrap.save(opened(20_000_000, true), ${options});`),
    ]);
    expect(code).toBe("DECRYPTION_FAILED");
    expect(await download.failure()).not.toBeNull();
  });

  test("one that is cancelled stops the work", async () => {
    const saved = inPage(`
      const source = new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1 << 20)), cancel: () => { globalThis.stopped = true; } });
      const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
      return await twinwrap.save(twinwrap.seal(source, { to: [publicKey] }), ${options});`);
    const download = await page.waitForEvent("download");
    await download.cancel();
    expect(await saved).toBe("ABORTED");
    expect(await page.evaluate("globalThis.stopped")).toBe(true);
  });

  test("one whose service worker is ended by the browser: FAULT, and no file", async () => {
    const saved = inPage(`
      const source = new ReadableStream({ async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        controller.enqueue(new Uint8Array(1 << 16));
      } });
      const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
      return await twinwrap.save(twinwrap.seal(source, { to: [publicKey] }), ${options});`);
    const download = await page.waitForEvent("download");
    const session = await page.context().newCDPSession(page);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    expect(await saved).toBe("FAULT");
    expect(await download.failure()).not.toBeNull();
  });
});

describe("as a Blob, where there is nothing else", () => {
  test("all of it; also if the service worker is not served", async () => {
    for (const downloadUrl of ["", ', downloadUrl: "/nothing.js"']) {
      const [download, by] = await Promise.all([
        page.waitForEvent("download"),
        inPage(
          `return twinwrap.save(opened("the last copy"), { name: "a.txt", picker: false${downloadUrl} });`,
        ),
      ]);
      expect([by, download.suggestedFilename()]).toEqual(["blob", "a.txt"]);
      const parts: Buffer[] = [];
      for await (const piece of createReadStream(await download.path()))
        parts.push(piece as Buffer);
      expect(Buffer.concat(parts).toString()).toBe("the last copy");
    }
  });

  test("also if the policy forbids the frame that a download needs", async () => {
    const strict = await site({ policy: STRICT.replace("; frame-src 'self'", "") });
    const other = await visit(browser, strict.url);
    const [download, by] = await Promise.all([
      other.waitForEvent("download"),
      other.evaluate(async () => {
        const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
        const sealed = twinwrap.seal(new Uint8Array(9), { to: [publicKey] });
        return twinwrap.save(sealed, { name: "a", picker: false, downloadUrl: "/download.js" });
      }),
    ]);
    expect([by, download.suggestedFilename()]).toEqual(["blob", "a"]);
    await other.context().close();
    await strict.close();
  });

  test("no more than the limit, and nothing of what fails", async () => {
    let downloads = 0;
    page.on("download", () => downloads++);
    const result = await inPage(`
      const code = (error) => error.code;
      return [
        await twinwrap.save(opened(2_000_000), { name: "a", picker: false, blobLimit: 1_000_000 }).catch(code),
        await twinwrap.save(opened(2_000_000, true), { name: "a", picker: false }).catch(code),
      ];`);
    expect(result).toEqual(["LIMIT_EXCEEDED", "DECRYPTION_FAILED"]);
    expect(downloads).toBe(0);
  });
});
