// Where the library runs besides an ordinary page, and where its WebAssembly comes from.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { bundle, STRICT, site, visit } from "./site.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({ args: ["--host-resolver-rules=MAP plain.test 127.0.0.1"] });
});
afterAll(() => browser.close());

/** A round trip, to be run where `twinwrap` is. */
const ROUND_TRIP = `
  const { generateKeyPair, open, seal } = twinwrap;
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const sealed = await seal(new Blob(["the last copy"]), { to: [publicKey] });
  const opened = await open(await sealed.blob(), { key: privateKey });
  const text = new TextDecoder().decode(await opened.bytes());
  // Long enough for workers to be started, where that is allowed.
  const large = await seal(new Blob([new Uint8Array(20 << 20)]), { to: [publicKey], jobs: 2, workerUrl: "/worker.js" });
  for await (const piece of large) if (piece.length === 0) throw new Error("an empty piece");`;

test("a page without https: everything but WebCrypto's work, which says why", async () => {
  const server = await site();
  const page = await visit(browser, `http://plain.test:${server.port}/`);
  // Made elsewhere, as keys have to be here.
  const secure = await visit(browser, server.url);
  const pem = await secure.evaluate(async () => {
    const { privateKey } = await twinwrap.generateKeyPair({ bits: 2048 });
    return new TextDecoder().decode(await twinwrap.writePrivateKey(privateKey, "pem"));
  });
  const result = await page.evaluate(async (pem) => {
    const { generateKeyPair, inspect, open, readPrivateKey, seal, writePrivateKey } = twinwrap;
    const codeOf = (work: Promise<unknown>) =>
      work.then(String, ({ code, message }) => [code, message]);
    const key = await readPrivateKey(new TextEncoder().encode(pem));
    const locked = await writePrivateKey(key, "pem", { passphrase: "horse", iterations: 1000 });
    const sealed = await (await seal(new Blob(["the last copy"]), { to: [key], jobs: 2 })).blob();
    return {
      secure: isSecureContext,
      subtle: typeof crypto.subtle,
      wraps: (await inspect(sealed)).wraps.length,
      text: await (await (await open(sealed, { key })).blob()).text(),
      locked: (await readPrivateKey(locked, { passphrase: "horse" })).n.length,
      make: await codeOf(generateKeyPair()),
      engine: await codeOf(seal(new Blob([]), { to: [key], engine: "webcrypto" })),
    };
  }, pem);
  expect(result).toEqual({
    secure: false,
    subtle: "undefined",
    wraps: 1,
    text: "the last copy",
    locked: 256,
    make: ["UNSUPPORTED", expect.stringContaining("https")],
    engine: ["UNSUPPORTED", expect.stringContaining("https")],
  });
  await server.close();
});

test("a plain <script type=module>, without a bundler", async () => {
  const server = await site({
    policy: STRICT,
    files: {
      "/page.js": 'import * as twinwrap from "./web/twinwrap.js"; globalThis.twinwrap = twinwrap;',
    },
  });
  const page = await visit(browser, server.url);
  const text = await page.evaluate(`(async () => { ${ROUND_TRIP} return text; })()`);
  expect(text).toBe("the last copy");
  expect(await page.evaluate(() => globalThis.violations)).toEqual([]);
  await server.close();
});

describe("WebAssembly by URL", () => {
  const code = 'import * as twinwrap from "twinwrap"; globalThis.twinwrap = twinwrap;';

  test("a bundle without the embedded copy fetches it, compiled as it comes", async () => {
    const [with_, without] = await Promise.all([
      bundle(code, { minify: true }),
      bundle(code, { minify: true, conditions: ["twinwrap-wasm-url"] }),
    ]);
    expect(without.length).toBeLessThan(with_.length - 20_000);
    const server = await site({ policy: STRICT, script: without });
    const page = await visit(browser, server.url);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const early = await page.evaluate(() =>
      twinwrap.sharedCore().then(String, ({ code, message }) => [code, message]),
    );
    expect(early).toEqual(["UNSUPPORTED", expect.stringContaining("useWasm")]);
    const text = await page.evaluate(
      `(async () => {
        const relaxed = twinwrap.hasRelaxedSimd();
        twinwrap.useWasm(new URL(relaxed ? "/core-relaxed.wasm" : "/core.wasm", location.href));
        ${ROUND_TRIP} return text; })()`,
    );
    expect(text).toBe("the last copy");
    expect(asked.filter((path) => path !== "/worker.js")).toEqual(["/core-relaxed.wasm"]);
    const late = await page.evaluate(() => {
      try {
        twinwrap.useWasm(new URL("/core.wasm", location.href));
        return "no error";
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(late).toBe("BAD_ARGUMENT");
    expect(await page.evaluate(() => globalThis.violations)).toEqual([]);
    await server.close();
  });

  test("what is not there says so; a server that does not know WebAssembly does no harm", async () => {
    const server = await site({
      files: {
        "/unknown.bin": await (await import("node:fs/promises")).readFile("build/core.wasm"),
      },
    });
    const page = await visit(browser, server.url);
    const result = await page.evaluate(async () => {
      const from = (name: string) => twinwrap.loadCore({ wasm: new URL(name, location.href) });
      return {
        missing: await from("nothing.wasm").then(String, ({ code, message }) => [code, message]),
        broken: await from("page.js").then(String, ({ code, message }) => [code, message]),
        hash: (await from("unknown.bin")).sha256(new Uint8Array(0))[0],
      };
    });
    expect(result).toEqual({
      missing: ["UNAVAILABLE", expect.stringMatching(/nothing\.wasm answers 404/)],
      broken: ["BAD_ARGUMENT", expect.stringContaining("is not the core")],
      hash: 0xe3,
    });
    await server.close();
  });
});

test("a policy without 'wasm-unsafe-eval': UNSUPPORTED says what it needs, whatever is tried", async () => {
  const server = await site({ policy: STRICT.replace(" 'wasm-unsafe-eval'", "") });
  const page = await visit(browser, server.url);
  const results = await page.evaluate(async () => {
    const codeOf = (work: Promise<unknown>) =>
      work.then(String, ({ code, message }) => [code, message]);
    const url = new URL("/core.wasm", location.href);
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const { publicKey } = await twinwrap.generateKeyPair({ bits: 2048 });
    return Promise.all([
      codeOf(twinwrap.loadCore()),
      codeOf(twinwrap.loadCore({ wasm: url })),
      codeOf(twinwrap.loadCore({ wasm: fetch(url) })),
      codeOf(twinwrap.loadCore({ wasm: bytes })),
      codeOf(twinwrap.seal(new Blob(["text"]), { to: [publicKey], jobs: 2 })),
      codeOf(twinwrap.seal(new Blob(["text"]), { to: [publicKey], engine: "webcrypto" })),
      codeOf(twinwrap.workerPool({ jobs: 1 }).start()),
    ]);
  });
  expect(results.length).toBe(7);
  for (const result of results) {
    expect(result).toEqual(["UNSUPPORTED", expect.stringContaining("'wasm-unsafe-eval'")]);
  }
  await server.close();
});

describe("in workers", () => {
  const script = `import * as twinwrap from "twinwrap"; const roundTrip = async () => { ${ROUND_TRIP} return text; };`;

  test.each(["module", "classic"] as const)("a %s worker", async (type) => {
    const worker = await bundle(
      `${script} onmessage = () => roundTrip().then(postMessage, (error) => postMessage(String(error)));`,
      { format: type === "module" ? "esm" : "iife" },
    );
    const server = await site({ policy: STRICT, files: { "/mine.js": worker } });
    const page = await visit(browser, server.url);
    const text = await page.evaluate(
      (type) =>
        new Promise((resolve) => {
          const worker = new Worker("/mine.js", { type });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve(message);
          worker.postMessage("go");
        }),
      type,
    );
    expect(text).toBe("the last copy");
    await server.close();
  });

  test.each(["module", "classic"] as const)("a %s service worker", async (type) => {
    const worker = await bundle(
      `${script} addEventListener("message", (event) =>
         event.waitUntil(roundTrip().catch(String).then((text) => event.source.postMessage(text))));`,
      { format: type === "module" ? "esm" : "iife" },
    );
    const server = await site({ policy: STRICT, files: { "/mine.js": worker } });
    const page = await visit(browser, server.url);
    const text = await page.evaluate(async (type) => {
      const { serviceWorker } = navigator;
      const answer = new Promise((resolve) => {
        serviceWorker.onmessage = ({ data }) => resolve(data);
      });
      await serviceWorker.register("/mine.js", { type });
      (await serviceWorker.ready).active!.postMessage("go");
      return answer;
    }, type);
    expect(text).toBe("the last copy");
    await page.context().close();
    await server.close();
  });
});
