// The package, packed and installed, in what programs are made with that are too large for npm ci: Next with both of
// its bundlers (a page, its rendering on the server, a route handler), and Rollup, for Node and for browsers.
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { serve } from "../../.tools/serve.mjs";
import { copied, install } from "../install.js";

const place = fileURLToPath(new URL("installed/", import.meta.url));
const has = (name: string) => existsSync(join(place, "node_modules", name));
const isHere = has("next") && has("rollup");
const mayMiss = !process.env.TWINWRAP_ALL_ENGINES;

// Beside what npm ci has installed: Next looks for itself above its project.
const app = mkdtempSync(join(place, "app-"));
let installed: string;
beforeAll(() => {
  writeFileSync(join(app, "package.json"), '{ "private": true, "type": "module" }');
  installed = install(app, copied);
});
afterAll(() => rmSync(app, { recursive: true, force: true }));

const TRIP = `
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const pool = workerPool({ jobs: 1 });
  await pool.start();
  const sealed = await seal(new Blob([new Uint8Array(3e5)]), { to: [publicKey], pool });
  const opened = await open(await sealed.blob(), { key: privateKey });
  const { length } = await opened.bytes();
  const answer = [length, pool.ready, typeof save, typeof sealFile].join(" ");
  pool.close();
`;
const IMPORT =
  'import { generateKeyPair, open, save, seal, sealFile, workerPool } from "twinwrap";\n';
const ANSWER = "300000 true function function";

/** What a program shows in the page that Chromium opens. */
async function shownAt(url: string): Promise<string> {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction("document.querySelector('#answer')?.textContent !== 'waiting'");
    return await page.evaluate("document.querySelector('#answer').textContent");
  } finally {
    await browser.close();
  }
}

/** The WebAssembly that a bundler has put anywhere into a folder. */
function wasmIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".wasm"))
    .map((name) =>
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex"),
    );
}

const NEXT: Record<string, string> = {
  "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(place)} }, outputFileTracingRoot: ${JSON.stringify(place)} };`,
  "app/layout.js":
    "export default function Layout({ children }) { return <html lang='en'><body>{children}</body></html>; }",
  "app/page.js":
    'import { Trip } from "./trip";\nexport default function Page() { return <Trip />; }',
  "app/trip.js": `"use client";
${IMPORT}import { useEffect, useState } from "react";
async function trip() {${TRIP}  return answer;
}
export function Trip() {
  const [text, set] = useState("waiting");
  useEffect(() => void trip().then(set, (error) => set(String(error))), []);
  return <p id="answer">{text}</p>;
}`,
  "app/api/trip/route.js": `${IMPORT}export const dynamic = "force-dynamic";
export async function GET() {${TRIP}  return new Response(answer);
}`,
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Starts what was built, and does something with its address. */
async function whileServed(next: string, work: (url: string) => Promise<void>): Promise<void> {
  const port = await freePort();
  const server = spawn(process.execPath, [next, "start", "-p", `${port}`, "-H", "127.0.0.1"], {
    cwd: app,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
  });
  let said = "";
  try {
    await new Promise<void>((ready, reject) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream.on("data", (text) => {
          said += text;
          if (said.includes("Ready")) ready();
        });
      }
      server.on("exit", () => reject(new Error(said)));
    });
    await work(`http://127.0.0.1:${port}`);
  } finally {
    server.kill();
  }
}

describe.skipIf(!isHere && mayMiss)("Next", () => {
  beforeAll(() => {
    for (const [name, text] of Object.entries(NEXT)) {
      mkdirSync(dirname(join(app, name)), { recursive: true });
      writeFileSync(join(app, name), text);
    }
  });

  test.each(["turbopack", "webpack"])("with %s", async (bundler) => {
    const next = join(place, "node_modules/next/dist/bin/next");
    const out = join(app, ".next");
    rmSync(out, { recursive: true, force: true });
    execFileSync(process.execPath, [next, "build", `--${bundler}`], {
      cwd: app,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
      stdio: "pipe",
    });
    // The builds of the core, and nothing else that lies beside them in the package.
    const known = new Set(wasmIn(join(installed, "build")));
    const found = new Set(wasmIn(out));
    expect(known.size).toBe(3);
    expect([...found].filter((hash) => !known.has(hash))).toEqual([]);
    const names = readdirSync(out, { recursive: true, encoding: "utf8" });
    expect(names.filter((name) => /THIRD-PARTY|opener-script/.test(name))).toEqual([]);
    await whileServed(next, async (url) => {
      const answer = await fetch(`${url}/api/trip`);
      expect([answer.status, await answer.text()]).toEqual([200, ANSWER]);
      // Rendered on the server before it runs in the page.
      expect(await (await fetch(url)).text()).toContain("waiting");
      expect(await shownAt(url)).toBe(ANSWER);
    });
  });
});

describe.skipIf(!isHere && mayMiss)("Rollup", () => {
  const require = createRequire(join(place, "package.json"));
  const load = async (name: string) => import(pathToFileURL(require.resolve(name)).href);

  /** Bundles a program, of which the condition says where it is to run. */
  async function bundle(code: string, condition: "node" | "browser"): Promise<string> {
    const [{ rollup }, { nodeResolve }] = await Promise.all([
      load("rollup"),
      load("@rollup/plugin-node-resolve"),
    ]);
    const input = join(app, `rollup-${condition}.js`);
    writeFileSync(input, code);
    const made = await rollup({
      input,
      plugins: [nodeResolve({ browser: condition === "browser", exportConditions: [condition] })],
      external: condition === "node" ? [/^node:/] : [],
      onwarn(warning: { message: string }) {
        throw new Error(warning.message);
      },
    });
    const dir = join(app, `out-${condition}`);
    await made.write({ dir, format: "es", entryFileNames: "main.mjs" });
    await made.close();
    return dir;
  }

  test("for Node", async () => {
    const dir = await bundle(`${IMPORT}${TRIP}console.log(answer);`, "node");
    const program = join(dir, "main.mjs");
    expect(execFileSync(process.execPath, [program], { encoding: "utf8" })).toBe(`${ANSWER}\n`);
  });

  test("for browsers", async () => {
    const show = 'document.querySelector("#answer").textContent = answer;';
    const dir = await bundle(`${IMPORT}${TRIP}${show}`, "browser");
    const html =
      '<!doctype html><p id="answer">waiting</p><script type="module" src="/main.mjs"></script>';
    const server = await serve(dir, { files: { "/": html } });
    try {
      expect(await shownAt(server.url)).toBe(ANSWER);
    } finally {
      await server.close();
    }
  });
});
