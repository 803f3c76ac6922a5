// The package, packed and installed, in what programs are made with: Next with both of its bundlers (a page, its
// rendering on the server, a route handler) and Rollup, which are too large for npm ci; Vite, for Node and for browsers;
// and Vitest, in each of its environments.
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
import { build as buildVite, type UserConfig } from "vite";
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
afterAll(async () => {
  rmSync(app, { recursive: true, force: true });
  await (await browser)?.close();
});

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

/** One for all programs, once the first of them is shown. */
let browser: ReturnType<typeof launchChromium> | undefined;

/** What a program shows in the page that Chromium opens. */
async function shownAt(url: string): Promise<string> {
  browser ??= launchChromium();
  const page = await (await browser).newPage();
  try {
    await page.goto(url);
    await page.waitForFunction("document.querySelector('#answer')?.textContent !== 'waiting'");
    return await page.evaluate("document.querySelector('#answer').textContent");
  } finally {
    await page.close();
  }
}

const PAGE =
  '<!doctype html><p id="answer">waiting</p><script type="module" src="/main.mjs"></script>';
const SHOW = 'document.querySelector("#answer").textContent = answer;';

/** What a page of a folder shows. @param files beside those that are in it */
async function shownFrom(folder: string, files: Record<string, string> = {}): Promise<string> {
  const server = await serve(folder, { files });
  try {
    return await shownAt(server.url);
  } finally {
    await server.close();
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
    const dir = await bundle(`${IMPORT}${TRIP}${SHOW}`, "browser");
    expect(await shownFrom(dir, { "/": PAGE })).toBe(ANSWER);
  });
});

// Of npm ci, which locks their versions.
describe("Vite", () => {
  /** Builds a program in TypeScript. @param options of its build @returns where it is */
  async function build(name: string, config: UserConfig): Promise<string> {
    const outDir = join(app, name);
    const common = { root: app, configFile: false, logLevel: "warn" } as const;
    await buildVite({
      ...common,
      ...config,
      build: { ...config.build, outDir, emptyOutDir: true },
    });
    return outDir;
  }

  test.each([
    ["whole", true],
    ["beside the package", false],
  ])("for Node, %s", async (_name, noExternal) => {
    writeFileSync(join(app, "server.ts"), `${IMPORT}${TRIP}console.log(answer as string);`);
    const ssr = noExternal ? { noExternal } : {};
    const out = await build(`vite-${noExternal}`, { ssr, build: { ssr: "server.ts" } });
    const program = join(out, "server.js");
    expect(readFileSync(program, "utf8").includes('from "twinwrap"')).toBe(!noExternal);
    expect(execFileSync(process.execPath, [program], { encoding: "utf8" })).toBe(`${ANSWER}\n`);
  });

  test("for browsers", async () => {
    writeFileSync(join(app, "index.html"), PAGE.replace("main.mjs", "main.ts"));
    writeFileSync(join(app, "main.ts"), `${IMPORT}${TRIP}${SHOW.replace(".text", "!.text")}`);
    expect(await shownFrom(await build("vite-page", {}))).toBe(ANSWER);
  });
});

test("Vitest, with Node, jsdom and happy-dom", () => {
  const body = `import { expect, test } from "vitest";\n${IMPORT}
test("there and back", async () => {${TRIP}  expect(answer).toBe(${JSON.stringify(ANSWER)});\n});`;
  const environments = ["node", "jsdom", "happy-dom"];
  for (const name of environments) {
    writeFileSync(join(app, `${name}.own.ts`), `// @vitest-environment ${name}\n${body}`);
  }
  writeFileSync(join(app, "own.config.ts"), 'export default { test: { include: ["*.own.ts"] } };');
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")));
  const args = ["run", "--root", app, "--config", join(app, "own.config.ts"), "--reporter", "json"];
  // It is told by its environment that another Vitest has started it.
  const { VITEST: _, ...env } = process.env;
  const said = execFileSync(process.execPath, [join(vitest, "vitest.mjs"), ...args], {
    cwd: app,
    env,
    encoding: "utf8",
  });
  const { numPassedTests, success } = JSON.parse(said.slice(said.indexOf("{")));
  expect({ success, numPassedTests }).toEqual({ success: true, numPassedTests: 3 });
});
