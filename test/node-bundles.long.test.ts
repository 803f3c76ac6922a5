// Programs for Node that somebody has bundled with the library: they run in another folder than the library's, where
// there is no core.wasm, or somebody else's.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Configuration, Stats } from "webpack";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-bundles-"));
const entry = join(folder, "app.js");
beforeAll(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/twinwrap"));
  writeFileSync(
    entry,
    `import { generateKeyPair, open, seal, workerPool } from "twinwrap";
     (async () => {
       const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
       const pool = workerPool({ jobs: 1 });
       await pool.start();
       const sealed = await seal(new Uint8Array(3e5), { to: [publicKey], pool });
       const opened = await open(await sealed.bytes(), { key: privateKey });
       console.log((await opened.bytes()).length, pool.ready);
       pool.close();
     })();`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function webpack(configuration: Configuration): Promise<void> {
  const { default: run } = await import("webpack");
  const stats = await new Promise<Stats>((resolve, reject) => {
    run(
      { mode: "production", target: "node20", context: folder, entry, ...configuration },
      (error, stats) => (error ? reject(error) : resolve(stats!)),
    );
  });
  expect(stats.toString({ all: false, errors: true, warnings: true })).toBe("");
}

/** Each makes one program, and perhaps files beside it, in a folder. */
const BUNDLERS: Record<string, (out: string) => Promise<string>> = {
  "esbuild, ESM": async (out) => {
    const outfile = join(out, "app.mjs");
    await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm" });
    return outfile;
  },
  "esbuild, CommonJS": async (out) => {
    const outfile = join(out, "app.cjs");
    // esbuild warns that CommonJS has no import.meta.
    const options = { bundle: true, platform: "node", format: "cjs", logLevel: "error" } as const;
    await build({ entryPoints: [entry], outfile, ...options });
    return outfile;
  },
  "webpack, ESM": async (out) => {
    await webpack({
      experiments: { outputModule: true },
      output: { path: out, filename: "app.mjs", module: true },
    });
    return join(out, "app.mjs");
  },
  "webpack, CommonJS": async (out) => {
    await webpack({ output: { path: out, filename: "app.cjs" } });
    return join(out, "app.cjs");
  },
  "Vite (Rollup's successor), ESM": (out) => vite(out, "es", "app.mjs"),
  "Vite (Rollup's successor), CommonJS": (out) => vite(out, "cjs", "app.cjs"),
};

async function vite(out: string, format: "es" | "cjs", entryFileNames: string): Promise<string> {
  const { build } = await import("vite");
  await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: {
      ssr: entry,
      outDir: out,
      emptyOutDir: false,
      rolldownOptions: { output: { format, entryFileNames } },
    },
  });
  return join(out, entryFileNames);
}

describe.each(Object.keys(BUNDLERS))("%s", (name) => {
  let program: string;
  let place: string;
  beforeAll(async () => {
    // A folder of its own: no package.json and no library anywhere above.
    place = mkdtempSync(join(tmpdir(), "twinwrap-elsewhere-"));
    mkdirSync(join(place, "dist"));
    program = await BUNDLERS[name]!(join(place, "dist"));
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  const run = () => execFileSync(process.execPath, [program], { cwd: place, encoding: "utf8" });

  test("by itself", () => {
    expect(run()).toBe("300000 true\n");
  });

  test("with nothing beside it but its own code and the core", () => {
    const files = readdirSync(join(place, "dist"), { recursive: true, withFileTypes: true });
    const names = files.filter((entry) => entry.isFile()).map(({ name }) => name);
    expect(names.filter((name) => name.endsWith(".wasm")).length).toBeLessThanOrEqual(3);
    // What is loaded later (the workers' script, readers of keys, …) is in chunks of its own, beside the program itself.
    expect(names.filter((name) => !name.endsWith(".wasm")).length).toBeLessThan(12);
  });

  test("beside a core.wasm of somebody else", () => {
    // (module): valid WebAssembly
    for (const at of ["core.wasm", "core-relaxed.wasm", "dist/core.wasm"]) {
      writeFileSync(join(place, at), Buffer.from("AGFzbQEAAAA=", "base64"));
    }
    expect(run()).toBe("300000 true\n");
  });
});
