// What only a driver can measure in a page: the first seal after its load, and memory while it seals.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { summarise } from "../build/bench/timing.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const MiB = 1 << 20;

/** Loads of a fresh page that the first seal is the median of. */
const LOADS = 21;

/** How a page may come to its WebAssembly: the script that its bundle holds beside the library. */
const WAYS = {
  embedded: "",
  byUrl: 'useWasm(new URL("core.wasm", location.href));',
  relaxedByUrl: 'useWasm(new URL("core-relaxed.wasm", location.href));',
};

/** A page's scripts, by path, as a bundler that splits makes them: what is for later is loaded only if it is needed. */
async function bundle(name, contents, byUrl) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    outdir: "/",
    entryNames: name,
    chunkNames: `${name}-[hash]`,
    write: false,
    ...(byUrl ? { conditions: ["twinwrap-wasm-url"] } : {}),
  });
  return Object.fromEntries(outputFiles.map(({ path, text }) => [path, text]));
}

const pageOf = (script) =>
  `<!doctype html><title>bench</title><script type="module" src="${script}"></script>`;

/** The pages, by path. They hold a public key, so that no key generation is timed. */
export async function measuredPages() {
  const { generateKeyPair } = await import("../build/node.js");
  const { n } = (await generateKeyPair({ bits: 2048 })).publicKey;
  const key = `{ n: Uint8Array.of(${n}), e: Uint8Array.of(1, 0, 1) }`;
  const files = {
    "/memory.html": pageOf("/memory.js"),
    ...(await bundle(
      "memory",
      `import { seal, workerPool } from "./build/browser.js";
      globalThis.sealStream = async (mebibytes) => {
        const pool = workerPool({ jobs: 2, workerUrl: "worker.js" });
        await pool.start();
        let left = mebibytes;
        const source = new ReadableStream({
          pull(controller) {
            if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
            else controller.close();
          },
        }, { highWaterMark: 0 });
        let length = 0;
        for await (const piece of await seal(source, { to: [${key}], pool })) length += piece.length;
        pool.close();
        return length;
      };`,
      false,
    )),
    // What a page takes in any case.
    "/empty.html": pageOf("/empty.js"),
    "/empty.js": "globalThis.firstSeal = { milliseconds: performance.now(), length: 1024 };",
  };
  for (const [way, use] of Object.entries(WAYS)) {
    files[`/${way}.html`] = pageOf(`/${way}.js`);
    const scripts = await bundle(
      way,
      `import { seal${use && ", useWasm"} } from "./build/browser.js";
      ${use}
      const sealed = await (await seal(new Uint8Array(1024), { to: [${key}] })).bytes();
      // Counted from the navigation's start.
      globalThis.firstSeal = { milliseconds: performance.now(), length: sealed.length };`,
      use !== "",
    );
    Object.assign(files, scripts);
  }
  return files;
}

/**
 * Seconds from the start of the navigation to the sealed bytes, in pages that were never there before; and to the only
 * line of an empty page's module.
 */
export async function firstSeals(browser, url) {
  const ways = ["empty", ...Object.keys(WAYS)];
  const samples = Object.fromEntries(ways.map((way) => [way, []]));
  for (let i = 0; i < LOADS; i++) {
    for (const way of ways) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`${url}/${way}.html`);
      await page.waitForFunction(() => globalThis.firstSeal !== undefined);
      const { milliseconds, length } = await page.evaluate(() => globalThis.firstSeal);
      if (length < 1024) throw new Error("nothing was sealed");
      samples[way].push(milliseconds / 1000);
      await context.close();
    }
  }
  return Object.fromEntries(Object.entries(samples).map(([way, it]) => [way, summarise(it)]));
}

/** Asks the page and each of its workers; a worker that is gone, or just comes, answers nothing. */
async function everybody(page) {
  const session = await page.context().newCDPSession(page);
  const workers = new Set();
  const questions = new Map();
  let last = 0;
  session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
    if (targetInfo.type === "worker") workers.add(sessionId);
  });
  session.on("Target.detachedFromTarget", ({ sessionId }) => workers.delete(sessionId));
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    questions.get(id)?.(result);
  });
  await session.send("Target.setAutoAttach", {
    autoAttach: true,
    waitForDebuggerOnStart: false,
    flatten: false,
  });
  const askWorker = (sessionId, method) =>
    new Promise((resolve) => {
      const id = ++last;
      questions.set(id, resolve);
      setTimeout(resolve, 1000).unref();
      const message = JSON.stringify({ id, method });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => resolve());
    });
  return async (method) =>
    (
      await Promise.all([
        session.send(method),
        ...[...workers].map((sessionId) => askWorker(sessionId, method)),
      ])
    ).filter((answer) => answer !== undefined);
}

const status = (id, name) =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) /
  1024;

/**
 * Seals a stream that is made as it is read, by a pool of two; the output is thrown away.
 * @returns the most MiB that heaps and buffers of page and workers had together, as the engine counts them (wasm
 *   memory is one of the buffers); and what their process grew by, freed memory that it keeps included
 */
export async function sealingMemory(browser, url, mebibytes) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${url}/memory.html`);
  await page.waitForFunction(() => "sealStream" in globalThis);
  const browserSession = await browser.newBrowserCDPSession();
  const { processInfo } = await browserSession.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  const isLinux = existsSync("/proc/self/status");
  const before = isLinux ? renderers.map((id) => status(id, "VmRSS")) : [];
  const ask = await everybody(page);
  let finished = false;
  const done = page
    .evaluate((mebibytes) => globalThis.sealStream(mebibytes), mebibytes)
    .finally(() => {
      finished = true;
    });
  let peak = 0;
  while (!finished) {
    let sum = 0;
    for (const { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 } of await ask(
      "Runtime.getHeapUsage",
    ))
      sum += usedSize + embedderHeapUsedSize + backingStorageSize;
    peak = Math.max(peak, sum);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if ((await done) < mebibytes * MiB) throw new Error("not all of it was sealed");
  const growthMiB = isLinux
    ? Math.max(...renderers.map((id, i) => status(id, "VmHWM") - before[i]))
    : undefined;
  await page.context().close();
  return { sealedMiB: mebibytes, heapMiB: peak / MiB, growthMiB };
}
