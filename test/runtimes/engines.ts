// The engines, and how each is brought to run the body.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { build } from "esbuild";
import { launch as launchFirefox } from "puppeteer-core";
import { launchChromium } from "../../.tools/browsers.mjs";
import { serve } from "../../.tools/serve.mjs";
import type { Report } from "./body.js";
import type { Material } from "./material.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));
const installed = (path: string) => join(here, "installed/node_modules", path);

export interface Engine {
  name: string;
  /** One that only reports may fail. */
  required: boolean;
  /** Why it cannot be tried here, if so. */
  missing: string | undefined;
  /** Its version, and what came of the body. */
  run(material: Material): Promise<{ version: string; report: Report }>;
}

/** Milliseconds that one engine may take. */
const LIMIT = 500_000;

/** A folder that somebody has installed the package in. */
function project<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-runtime-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "twinwrap"));
  return use(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

function inProcess(name: string, program: string, args: string[] = [], required = true): Engine {
  return {
    name,
    required,
    missing: existsSync(program)
      ? undefined
      : "npm ci --prefix test/runtimes/installed installs it",
    run: (material) =>
      project(async (folder) => {
        const [script, given, report] = ["run.mjs", "material.json", "report.json"].map((file) =>
          join(folder, file),
        ) as [string, string, string];
        writeFileSync(given, JSON.stringify(material));
        writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
        await build({
          entryPoints: [join(here, "entry.process.ts")],
          outfile: script,
          bundle: true,
          format: "esm",
          platform: "node",
          external: ["twinwrap", "twinwrap/*"],
        });
        const version = execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0]!;
        const { status, signal, stderr } = spawnSync(
          program,
          [...args, script, given, report, join(root, "build")],
          { cwd: folder, encoding: "utf8", timeout: LIMIT },
        );
        if (status !== 0 || !existsSync(report)) {
          throw new Error(`${name} ended with ${status ?? signal}: ${stderr.slice(-4000)}`);
        }
        return { version, report: JSON.parse(readFileSync(report, "utf8")) };
      }),
  };
}

/**
 * Serves the body as a page, has `visit` open it, and waits for what the page tells.
 * @param before a script that the page runs first
 */
export async function inPage(
  material: Material,
  visit: (url: string) => Promise<{ version: string; close(): Promise<unknown> }>,
  before = "",
): Promise<{ version: string; report: Report }> {
  const { outputFiles } = await build({
    entryPoints: [join(here, "entry.browser.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    alias: {
      twinwrap: join(root, "build/browser.js"),
      "twinwrap/aes": join(root, "build/core/aes-only.js"),
      "twinwrap/client": join(root, "build/client/index.js"),
      "twinwrap/escrow": join(root, "build/escrow/index.js"),
    },
  });
  let told: (report: Report & { error?: string }) => void = () => {};
  const report = new Promise<Report & { error?: string }>((resolve) => {
    told = resolve;
  });
  const server = await serve(join(root, "build"), {
    files: {
      "/": `<!doctype html><title>Twinwrap</title><script>${before}</script><script type=module src=/page.js></script>`,
      "/page.js": outputFiles[0]!.text,
      "/material.json": JSON.stringify(material),
    },
    onPost: (_: string, text: string) => told(JSON.parse(text)),
  });
  let browser: Awaited<ReturnType<typeof visit>> | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    browser = await visit(`${server.url}/`);
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the page did not report in time")), LIMIT);
    });
    const done = await Promise.race([report, late]);
    if (done.error !== undefined) throw new Error(done.error);
    return { version: browser.version, report: done };
  } finally {
    clearTimeout(timer);
    await browser?.close();
    await server.close();
  }
}

const chromium: Engine = {
  name: "Chromium",
  required: true,
  missing: undefined,
  run: (material) => inPage(material, visitChromium),
};

export async function visitChromium(url: string): Promise<Tab> {
  const browser = await launchChromium();
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(url);
  return {
    version: browser.version(),
    choose: (selector, path) => page.setInputFiles(selector, path),
    run: (body) => page.evaluate(`(async () => { ${body} })()`),
    close: () => browser.close(),
  };
}

/** An old Chromium, which the drivers of today do not speak with: it is given an address, and the page tells the rest. */
function oldChromium(version: string): Engine {
  const from = installed(`chromium-${version}`);
  return {
    name: `Chromium ${version}`,
    required: true,
    missing: existsSync(from) ? undefined : "npm ci --prefix test/runtimes/installed installs it",
    run: (material) => inPage(material, (url) => visitOldChromium(from, url)),
  };
}

async function visitOldChromium(from: string, url: string) {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-chromium-"));
  const program = join(folder, "chromium");
  const packed = (name: string) => brotliDecompressSync(readFileSync(join(from, "bin", name)));
  writeFileSync(program, packed("chromium.br"), { mode: 0o755 });
  for (const name of ["aws", "swiftshader"]) {
    execFileSync("tar", ["x"], { cwd: folder, input: packed(`${name}.tar.br`) });
  }
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"];
  // Without a port for a debugger it ends at once.
  args.push("--disable-dev-shm-usage", "--remote-debugging-port=0");
  const child = spawn(program, [...args, `--user-data-dir=${join(folder, "profile")}`, url], {
    stdio: "ignore",
    env: { ...process.env, LD_LIBRARY_PATH: join(folder, "lib") },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  const { version } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  return {
    version: String(version),
    async close() {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/** A page that a test can work. Whoever it asks may have a certificate of its own. */
export interface Tab {
  version: string;
  /** Puts a file into an input. */
  choose(selector: string, path: string): Promise<unknown>;
  /** Runs the body of an async function in the page, which answers with text. */
  run(body: string): Promise<string>;
  close(): Promise<unknown>;
}

const firefoxAt = ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
export const firefoxMissing = firefoxAt ? undefined : "apt-get install firefox-esr";
const firefox: Engine = {
  name: "Firefox",
  required: true,
  missing: firefoxMissing,
  run: (material) => inPage(material, visitFirefox),
};

export async function visitFirefox(url: string): Promise<Tab> {
  const browser = await launchFirefox({
    browser: "firefox",
    executablePath: firefoxAt!,
    headless: true,
    acceptInsecureCerts: true,
    timeout: LIMIT,
  });
  const page = await browser.newPage();
  await page.goto(url);
  return {
    version: await browser.version(),
    async choose(selector, path) {
      const input = await page.$(selector);
      await (input as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(path);
    },
    run: (body) => page.evaluate(`(async () => { ${body} })()`) as Promise<string>,
    close: () => browser.close(),
  };
}

/** A port that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

const miniBrowser = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const webkitNeeds = ["/usr/bin/WebKitWebDriver", miniBrowser, "/usr/bin/xvfb-run"];
export const webkitMissing = webkitNeeds.every(existsSync)
  ? undefined
  : "apt-get install webkit2gtk-driver xvfb xauth";
const webkit: Engine = {
  name: "WebKit",
  required: false,
  missing: webkitMissing,
  run: (material) => inPage(material, visitWebKit),
};

/** By W3C WebDriver, which takes a few calls only. */
export async function visitWebKit(url: string): Promise<Tab> {
  const port = await freePort();
  const driver = spawn("xvfb-run", ["-a", webkitNeeds[0]!, `--port=${port}`], {
    stdio: "ignore",
    detached: true,
    env: {
      ...process.env,
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
      WEBKIT_DISABLE_DMABUF_RENDERER: "1",
      WEBKIT_DISABLE_COMPOSITING_MODE: "1",
    },
  });
  const end = async () => {
    // The driver, its X server and the browser are one group.
    try {
      process.kill(-driver.pid!, "SIGKILL");
    } catch {}
  };
  // biome-ignore lint/suspicious/noExplicitAny: WebDriver's answers are of its own form
  const call = async (method: string, path: string, body?: unknown): Promise<any> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(JSON.stringify(value));
    return value;
  };
  try {
    for (let tries = 0; ; tries++) {
      const ready = await call("GET", "/status").catch((error) => {
        if (tries > 100) throw error;
        return undefined;
      });
      if (ready !== undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const options = { binary: miniBrowser, args: ["--automation"] };
    const { sessionId, capabilities } = await call("POST", "/session", {
      capabilities: {
        alwaysMatch: { acceptInsecureCerts: true, "webkitgtk:browserOptions": options },
      },
    });
    const session = `/session/${sessionId}`;
    await call("POST", `${session}/url`, { url });
    return {
      version: String(capabilities.browserVersion),
      async choose(selector, path) {
        const found = await call("POST", `${session}/element`, {
          using: "css selector",
          value: selector,
        });
        const [element] = Object.values(found);
        await call("POST", `${session}/element/${element}/value`, { text: path });
      },
      run: (body) =>
        call("POST", `${session}/execute/async`, {
          script: `const done = arguments[0]; (async () => { ${body} })().then(done, (error) => done(String(error)));`,
          args: [],
        }),
      close: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Versions of Node, beside the one that runs the tests. */
export const nodes: { name: string; program: string; required: boolean }[] = [
  { name: "Node 22", program: installed("node-22/bin/node"), required: true },
  { name: "Node 24", program: installed("node-24/bin/node"), required: true },
  { name: "Node 26", program: installed("node-26/bin/node"), required: false },
];

export const engines: Engine[] = [
  inProcess("Node (this one)", process.execPath),
  ...nodes.map(({ name, program, required }) => inProcess(name, program, [], required)),
  inProcess(
    "Deno",
    installed("@deno/linux-x64-glibc/deno"),
    ["run", "--allow-all", "--no-lock", "--node-modules-dir=manual"],
    false,
  ),
  inProcess("Bun", installed("@oven/bun-linux-x64/bin/bun"), [], false),
  chromium,
  // What the README calls the oldest, and the last before relaxed SIMD and String.prototype.isWellFormed.
  oldChromium("92"),
  oldChromium("109"),
  firefox,
  webkit,
];
