// `npm run bench:browser`: the bench page driven in headless Chromium, and what only a driver can measure (the
// first seal after a page's load, memory), written as the same report as `npm run bench`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { launchChromium } from "../.tools/browsers.mjs";
import { serve } from "../.tools/serve.mjs";
import { summarise } from "../build/timing.js";
import { measureBundles } from "./bundles.mjs";
import { evaluateGoals } from "./goals.mjs";
import { htmlReport } from "./html.mjs";
import { load, machineFacts, resultName } from "./machine.mjs";
import { goalsTable, LEGEND, operationTable } from "./terminal.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const MiB = 1 << 20;

const HELP = `Usage: npm run bench:browser -- [options]

Compares the core with WebCrypto and noble-ciphers in headless Chromium.

  --quick            fewer sizes, fewer turns: a look, not a result
  --rounds <n>       turns of every contender (default: 15)
  --chromium <path>  another Chromium than the one from npm
  --out <dir>        where the report goes (default: bench/results, or bench/results/local if --quick)
  --help             shows this`;

/** Loads of a fresh page that the first seal is the median of. */
const LOADS = 21;

/** A public key of 2048 bits: what is timed is no key generation. */
async function makePublicKey() {
  const { generateKeyPair } = await import("../build/node.js");
  const { publicKey } = await generateKeyPair({ bits: 2048 });
  return [...publicKey.n];
}

/** A page's script that seals 1 KiB, once with everything inside, once with the WebAssembly by URL. */
async function firstSealScripts(n) {
  const code = (byUrl) => `
    import { seal, useWasm } from "./build/browser.js";
    ${byUrl ? 'useWasm(new URL("/core.wasm", location.href));' : ""}
    export const run = async () => {
      const key = { n: Uint8Array.from(${JSON.stringify(n)}), e: Uint8Array.of(1, 0, 1) };
      return (await (await seal(new Uint8Array(1024), { to: [key] })).bytes()).length;
    };`;
  const bundle = async (byUrl) => {
    const { outputFiles } = await build({
      stdin: { contents: code(byUrl), resolveDir: path("..") },
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      write: false,
      ...(byUrl ? { conditions: ["twinwrap-wasm-url"] } : {}),
    });
    return outputFiles[0].text;
  };
  return { "/embedded.js": await bundle(false), "/by-url.js": await bundle(true) };
}

/** Milliseconds from the fetch of the script to the sealed bytes, in pages that were never there before. */
async function firstSeal(browser, url, script) {
  const samples = [];
  for (let i = 0; i < LOADS; i++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${url}/empty.html`, { waitUntil: "load" });
    const milliseconds = await page.evaluate(async (script) => {
      const start = performance.now();
      const { run } = await import(script);
      if ((await run()) < 1024) throw new Error("nothing was sealed");
      return performance.now() - start;
    }, script);
    samples.push(milliseconds / 1000);
    await context.close();
  }
  return summarise(samples);
}

/** Seals a stream that is made as it is read, by two workers; the output is thrown away. */
async function memoryScript(n) {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { seal, workerPool } from "./build/browser.js";
        export const run = async (mebibytes) => {
          const key = { n: Uint8Array.from(${JSON.stringify(n)}), e: Uint8Array.of(1, 0, 1) };
          const pool = workerPool({ jobs: 2 });
          await pool.start();
          let left = mebibytes;
          const source = new ReadableStream({
            pull(controller) {
              if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20));
              else controller.close();
            },
          }, { highWaterMark: 0 });
          let length = 0;
          for await (const piece of await seal(source, { to: [key], pool })) length += piece.length;
          pool.close();
          return length;
        };`,
      resolveDir: path(".."),
    },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  return { "/memory.js": outputFiles[0].text };
}

const status = (id, name) =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]) *
  1024;

/**
 * MiB while so many MiB are sealed: heap and buffers of the page (wasm memory is one of them) as the engine
 * counts them, and what the process of page and workers grew by, which is more than all that they have.
 */
async function sealingMemory(browser, url, mebibytes) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${url}/empty.html`);
  const browserSession = await browser.newBrowserCDPSession();
  const { processInfo } = await browserSession.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  const isLinux = existsSync("/proc/self/status");
  const before = isLinux ? renderers.map((id) => status(id, "VmRSS")) : [];
  const session = await page.context().newCDPSession(page);
  let finished = false;
  const done = page
    .evaluate(async (mebibytes) => (await import("/memory.js")).run(mebibytes), mebibytes)
    .finally(() => {
      finished = true;
    });
  let peak = 0;
  while (!finished) {
    const { usedSize, backingStorageSize = 0 } = await session.send("Runtime.getHeapUsage");
    peak = Math.max(peak, usedSize + backingStorageSize);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if ((await done) < mebibytes * MiB) throw new Error("not all of it was sealed");
  const growth = isLinux
    ? Math.max(...renderers.map((id, i) => status(id, "VmHWM") - before[i])) / MiB
    : undefined;
  await page.context().close();
  return { sealedMiB: mebibytes, pageMiB: peak / MiB, growthMiB: growth };
}

/** The bench page's own comparison. */
async function comparePage(browser, url, { quick, rounds }) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${url}/bench.html`);
  await page.waitForFunction(() => "runBench" in globalThis);
  const settings = {
    messages: quick
      ? [64, 1024, 16384, MiB]
      : [64, 256, 1024, 4096, 16384, 65536, MiB, 16 * MiB, 64 * MiB],
    files: quick ? [MiB, 16 * MiB] : [65536, MiB, 16 * MiB, 64 * MiB, 256 * MiB],
    seconds: quick ? 0.03 : 0.1,
    rounds,
  };
  const comparison = await page.evaluate((settings) => globalThis.runBench(settings), settings);
  await page.context().close();
  return comparison;
}

const say = (text) => console.log(text);

async function main({ quick, rounds, chromium, out }) {
  const machine = machineFacts();
  const before = load();
  const n = await makePublicKey();
  const server = await serve(path("../build/site"), {
    files: {
      "/empty.html": "<!doctype html><title>empty</title>",
      "/core.wasm": readFileSync(path("../build/core.wasm")),
      ...(await firstSealScripts(n)),
      ...(await memoryScript(n)),
    },
  });
  const browser = await launchChromium(chromium === undefined ? {} : { executablePath: chromium });
  try {
    const name = `Chromium ${browser.version().split(".")[0]}`;
    say(`${machine.cpu}, ${machine.cores} cores · ${machine.system} · ${name}`);
    say(LEGEND);
    const page = {
      memory: await sealingMemory(browser, server.url, quick ? 128 : 1024),
      firstSeal: await firstSeal(browser, server.url, "/embedded.js"),
      firstSealByUrl: await firstSeal(browser, server.url, "/by-url.js"),
    };
    const { peers, operations } = await comparePage(browser, server.url, { quick, rounds });
    for (const operation of operations) {
      say(
        `\n${operationTable(
          operation,
          peers.filter((peer) => operation.cells[peer.name]),
        )}`,
      );
    }
    const { version } = JSON.parse(readFileSync(path("../package.json"), "utf8"));
    const results = {
      date: new Date().toISOString(),
      version,
      quick,
      rounds,
      machine: { ...machine, browser: `${name} (${browser.version()}), headless` },
      peers,
      operations,
      bundles: await measureBundles(),
      page,
      load: { before, after: load() },
    };
    results.goals = evaluateGoals(results);
    const ms = ({ best, median }) =>
      `${(best * 1000).toFixed(0)} / ${(median * 1000).toFixed(0)} ms`;
    say(
      `\nFirst seal of 1 KiB, best / median: ${ms(page.firstSeal)} embedded, ${ms(page.firstSealByUrl)} by URL`,
    );
    const { sealedMiB, pageMiB, growthMiB } = page.memory;
    say(
      `Memory while ${sealedMiB} MiB are sealed: ${pageMiB.toFixed(0)} MiB in the page, its process grew by ${growthMiB?.toFixed(0) ?? "?"} MiB`,
    );
    say(`\nGoals\n${goalsTable(results.goals)}`);
    const folder = out ?? path(quick ? "results/local" : "results");
    mkdirSync(folder, { recursive: true });
    const file = `${folder}/${resultName(results.date, { ...machine, browser: name })}`;
    writeFileSync(`${file}.json`, `${JSON.stringify(results, null, 1)}\n`);
    writeFileSync(`${file}.html`, htmlReport(results));
    say(`\nSaved as ${file}.json and .html`);
  } finally {
    await browser.close();
    await server.close();
  }
}

let values;
try {
  ({ values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      chromium: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }));
  if (values.rounds !== undefined && !/^[1-9]\d{0,2}$/.test(values.rounds)) {
    throw new Error("--rounds is a whole number from 1 to 999");
  }
} catch (error) {
  console.error(`bench:browser: ${error.message} (--help shows how)`);
  process.exit(2);
}
if (values.help) console.log(HELP);
else await main({ ...values, rounds: Number(values.rounds ?? (values.quick ? 3 : 15)) });
