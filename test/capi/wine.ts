import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

// Compiles driver.c and runs it under Wine, in a Windows of its own that lives in a temporary folder.

/** A compiler for 64-bit Windows, Wine's loader and its server, by their paths. */
export interface Tools {
  compiler: string;
  loader: string;
  server: string;
}

/** Where a running Wine is, and which; plain data, so that it can be passed to another process. */
export interface Wine {
  tools: Tools;
  folder: string;
  /** As `wine --version` gives it: "wine-8.0 (Debian 8.0~repack-4)". */
  version: string;
}

const COMPILER = "x86_64-w64-mingw32-gcc";
const SOURCE = fileURLToPath(new URL("driver.c", import.meta.url));
// Debian keeps Wine's 64-bit programs out of the PATH: what is there is a script that wants 32 bits.
const WINE_FOLDERS = ["/usr/lib/wine", "/opt/wine-stable/bin"];

/** Seconds after which a process is ended, whatever it does; all of them take far less. */
const BOOT = 240;
const COMMANDS = 180;
/** Seconds that the server stays with nobody to serve, should the tests be killed. */
const LINGER = 300;

/** The first of these programs that is in the folder. */
function find(folder: string, ...names: string[]): string | undefined {
  return names
    .map((name) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The tools, or what is missing. */
export function findTools(): Tools | string {
  if (process.platform !== "linux" || process.arch !== "x64") return "Linux on x86-64";
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const compiler = onPath.flatMap((folder) => find(folder, COMPILER) ?? [])[0];
  if (compiler === undefined) return COMPILER;
  for (const folder of [...WINE_FOLDERS, ...onPath]) {
    const loader = find(folder, "wine64", "wine");
    const server = find(folder, "wineserver64", "wineserver");
    if (loader !== undefined && server !== undefined) return { compiler, loader, server };
  }
  return "Wine";
}

function environment({ tools, folder }: Pick<Wine, "tools" | "folder">): NodeJS.ProcessEnv {
  const { DISPLAY, WAYLAND_DISPLAY, ...inherited } = process.env;
  return {
    ...inherited,
    HOME: folder,
    WINEPREFIX: join(folder, "prefix"),
    WINEARCH: "win64",
    WINESERVER: tools.server,
    WINEDEBUG: "-all",
    // No Mono, no browser, no menus, no debugger that waits for somebody.
    WINEDLLOVERRIDES: "mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d",
  };
}

/**
 * Runs a program of Wine. Its output goes nowhere: the services that the first one starts inherit it,
 * and would hold a pipe open.
 * @throws Error if it fails, or is not done in `seconds`
 */
function wine(where: Pick<Wine, "tools" | "folder">, args: string[], seconds: number) {
  return new Promise<void>((resolve, reject) => {
    const child = spawn(where.tools.loader, args, {
      cwd: where.folder,
      env: environment(where),
      stdio: "ignore",
      timeout: 1000 * seconds,
      killSignal: "SIGKILL",
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`wine ${args.join(" ")} ended with ${code ?? signal}`));
    });
  });
}

/** Compiles the driver and sets up a Windows for it. */
export async function startWine(tools: Tools): Promise<Wine> {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-wine-"));
  const version = spawnSync(tools.loader, ["--version"], { encoding: "utf8" }).stdout.trim();
  const started = { tools, folder, version };
  try {
    const flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror"];
    const target = ["-o", join(folder, "driver.exe"), SOURCE, "-ladvapi32"];
    const { status, stderr } = spawnSync(tools.compiler, [...flags, ...target]);
    if (status !== 0) throw new Error(`driver.c cannot be compiled: ${stderr}`);
    await wine(started, ["wineboot", "-i"], BOOT);
    // From here on the server waits for the next program, which then starts in a tenth of a second.
    server(started, [`-p${LINGER}`]);
    return started;
  } catch (error) {
    stopWine(started);
    throw error;
  }
}

function server(where: Wine, args: string[]): void {
  spawnSync(where.tools.server, args, {
    env: environment(where),
    stdio: "ignore",
    timeout: 300_000,
    killSignal: "SIGKILL",
  });
}

/** Ends every program of this Windows and removes it. */
export function stopWine(where: Wine): void {
  server(where, ["-k"]);
  server(where, ["-w"]);
  rmSync(where.folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Has the driver run commands.
 * @returns its answers, one for each
 * @throws Error if it did not answer every one
 */
export async function runDriver(where: Wine, commands: string[]): Promise<string[]> {
  const folder = mkdtempSync(join(where.folder, "run-"));
  try {
    writeFileSync(join(folder, "commands"), `${commands.join("\n")}\n`);
    writeFileSync(join(folder, "answers"), "");
    let failure: unknown;
    const name = folder.slice(where.folder.length + 1);
    const args = ["driver.exe", `${name}\\commands`, `${name}\\answers`];
    await wine(where, args, COMMANDS).catch((error) => {
      failure = error;
    });
    const answers = readFileSync(join(folder, "answers"), "latin1").split("\n").slice(0, -1);
    if (failure !== undefined || answers.length !== commands.length) {
      const at = commands[answers.length] ?? "the end";
      throw new Error(`the driver stopped at: ${at.slice(0, 200)}`, { cause: failure });
    }
    return answers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
