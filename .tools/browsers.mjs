// Chromium from npm, for tests and measurements: unpacked once, and started as a web page finds it.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const root = new URL("..", import.meta.url).pathname;
const modules = join(root, "node_modules");

/**
 * Unpacks the browser beside its package, whole or not at all: several processes may do so at once, and
 * the package itself would leave it half written under a fixed name.
 */
function unpack() {
  const cache = join(modules, ".cache");
  const { version } = JSON.parse(
    readFileSync(join(modules, "@sparticuz/chromium/package.json"), "utf8"),
  );
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const half = mkdtempSync(join(cache, "half-"));
  try {
    execFileSync(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        'await (await import("@sparticuz/chromium")).default.executablePath()',
      ],
      // Told that it is in a Lambda, the package unpacks the libraries too that a bare machine lacks.
      {
        cwd: root,
        env: { ...process.env, TMPDIR: half, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs20.x" },
      },
    );
    renameSync(half, folder);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Milliseconds that anything in the browser may take: a slow and busy machine is late with everything. */
const PATIENCE = 120_000;

/**
 * Starts Chromium without a window.
 * @param options as playwright's `launch` takes them; `args` are added to ours
 * @returns playwright's Browser
 */
export async function launchChromium({ args = [], env = process.env, ...options } = {}) {
  const folder = unpack();
  const executablePath = join(folder, "chromium");
  const environment = { ...env };
  // 127: a shared library is missing.
  if (spawnSync(executablePath, ["--version"], { env: environment }).status === 127) {
    environment.LD_LIBRARY_PATH = join(folder, "al2023/lib");
  }
  if (!existsSync("/etc/fonts")) environment.FONTCONFIG_PATH = join(folder, "fonts");
  const browser = await chromium.launch({
    executablePath,
    // As root, and in containers, its sandbox can't be set up.
    args: ["--no-sandbox", "--disable-gpu", ...args],
    env: environment,
    timeout: PATIENCE,
    ...options,
  });
  for (const name of ["newContext", "newPage"]) {
    const make = browser[name].bind(browser);
    browser[name] = async (...given) => {
      const made = await make(...given);
      made.setDefaultTimeout(PATIENCE);
      return made;
    };
  }
  return browser;
}
