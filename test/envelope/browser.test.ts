import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Web Workers in a browser: from a blob: URL, from the page's server under a strict policy, and not at all.

const root = fileURLToPath(new URL("../..", import.meta.url));
const browser = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);

/** What the page does: `options` are its pool's, in JSON. */
const PAGE = `
  import { generateKeyPair, open, seal, workerPool } from "twinwrap";
  const tell = (value) => fetch("/told", { method: "POST", body: JSON.stringify(value) });
  try {
    const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
    const plaintext = new Uint8Array(5_000_000).map((_, i) => i ^ (i >> 8));
    const pool = workerPool({ jobs: 2, ...JSON.parse(document.body.dataset.options) });
    await pool.start();
    const modes = [{ pool }, { engine: "webcrypto" }, {}];
    const equal = [];
    for (const [i, mode] of modes.entries()) {
      const sealed = await (await seal(new Blob([plaintext]), { to: [publicKey], ...mode })).blob();
      const opened = await open(sealed, { key: privateKey, ...modes[(i + 1) % 3] });
      const bytes = await opened.bytes();
      equal.push(bytes.length === plaintext.length && bytes.every((byte, j) => byte === plaintext[j]));
    }
    await tell({ ready: pool.ready, equal });
    pool.close();
  } catch (error) {
    await tell({ error: String(error?.stack ?? error) });
  }`;

/** Ends a browser with all of its processes: some outlive the one that was started, and go on writing. */
async function endGroup({ pid }: ChildProcess): Promise<void> {
  for (;;) {
    try {
      process.kill(-pid!, "SIGKILL");
    } catch {
      return; // there is nobody left
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.skipIf(browser === undefined)("in a browser (needs chromium)", () => {
  let server: Server;
  let bundle: string;
  let profile: string;
  let told: (value: unknown) => void;
  let policy: string;
  let options: string;
  beforeAll(async () => {
    profile = await mkdtemp(join(tmpdir(), "twinwrap-browser-"));
    const { outputFiles } = await build({
      stdin: { contents: PAGE.replace('"twinwrap"', '"./build/browser.js"'), resolveDir: root },
      bundle: true,
      format: "esm",
      write: false,
    });
    bundle = outputFiles[0]!.text;
    server = createServer((request, response) => {
      if (request.method === "POST") {
        let body = "";
        request.on("data", (data) => {
          body += data;
        });
        request.on("end", () => {
          response.end();
          told(JSON.parse(body));
        });
        return;
      }
      const files: Record<string, [type: string, text: string]> = {
        "/": [
          "text/html",
          `<body data-options='${options}'><script type=module src=/page.js></script>`,
        ],
        "/page.js": ["text/javascript", bundle],
        "/worker.js": ["text/javascript", readFileSync(join(root, "build/worker.js"), "utf8")],
      };
      const file = files[request.url ?? ""];
      const [type, text] = file ?? ["text/plain", "not found"];
      response.writeHead(file === undefined ? 404 : 200, {
        "content-type": type,
        "content-security-policy": policy,
      });
      response.end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });

  const strict = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
  test.each([
    ["blob: URLs", "", {}, true],
    ["the page's own script, under a strict policy", strict, { workerUrl: "/worker.js" }, true],
    ["none, because the policy forbids blob: URLs", strict, {}, false],
    ["none, because there is no such script", strict, { workerUrl: "/nothing.js" }, false],
  ])("workers from %s", async (_, given, pool, ready) => {
    policy = given;
    options = JSON.stringify(pool);
    const result = new Promise((resolve) => {
      told = resolve;
    });
    const { port } = server.address() as AddressInfo;
    const child: ChildProcess = spawn(
      browser!,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        `--user-data-dir=${profile}`,
        `http://127.0.0.1:${port}/`,
      ],
      { stdio: "ignore", detached: true },
    );
    try {
      expect(await result).toEqual({ ready, equal: [true, true, true] });
    } finally {
      await endGroup(child);
    }
  });
});
