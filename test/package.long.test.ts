import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import type { Stats } from "webpack";
import { launchChromium } from "../.tools/browsers.mjs";
import { serve } from "../.tools/serve.mjs";
import { folder, installed, root } from "./installed.js";

describe("bundled for a browser, from a project that has installed it", () => {
  const entry = join(folder, "app", "main.js");
  const out = (name: string) => join(folder, "app", name);
  const writeEntry = (first: string) =>
    writeFileSync(
      entry,
      `import { generateKeyPair, open, seal, useWasm, workerPool } from "twinwrap";
       ${first}
       const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
       const pool = workerPool({ jobs: 2 });
       await pool.start();
       const sealed = await seal(new Blob([new Uint8Array(3e6)]), { to: [publicKey], pool });
       const opened = await open(await sealed.blob(), { key: privateKey, pool });
       globalThis.answer = [(await opened.bytes()).length, pool.ready];`,
    );
  beforeAll(() => {
    mkdirSync(join(folder, "app"));
    writeFileSync(
      join(folder, "app", "index.html"),
      '<!doctype html><script type="module" src="/main.js"></script>',
    );
  });

  const BUNDLERS: Record<string, (conditions: string[]) => Promise<void>> = {
    esbuild: async (conditions) => {
      await build({
        entryPoints: [entry],
        outdir: out("esbuild"),
        conditions: ["module", ...conditions],
        bundle: true,
        splitting: true,
        minify: true,
        format: "esm",
        platform: "browser",
        target: "es2022",
      });
    },
    vite: async (conditions) => {
      const vite = await import("vite");
      await vite.build({
        root: join(folder, "app"),
        configFile: false,
        logLevel: "error",
        resolve: { conditions: ["module", "browser", ...conditions] },
        build: {
          outDir: out("vite"),
          target: "es2022",
          rolldownOptions: { output: { entryFileNames: "main.js" } },
        },
      });
    },
    webpack: async (conditions) => {
      const { default: webpack } = await import("webpack");
      const stats = await new Promise<Stats>((resolve, reject) => {
        webpack(
          {
            mode: "production",
            context: folder,
            entry,
            target: ["web", "es2022"],
            resolve: { conditionNames: ["import", "browser", ...conditions] },
            output: { path: out("webpack"), filename: "main.js" },
          },
          (error, stats) => (error ? reject(error) : resolve(stats!)),
        );
      });
      expect(stats.toString({ all: false, errors: true, warnings: true })).toBe("");
    },
  };

  // The core's copy, by parts: what sealing and what opening needs.
  const PARTS = ["embedded-sealing", "embedded-opening"].map((name) => {
    const module = readFileSync(join(root, "build/core", `${name}.js`), "utf8");
    return /"(.{100})/.exec(module)![1]!;
  });

  test.each(
    Object.keys(BUNDLERS).flatMap((name) => [
      { name, what: "with the core inside", conditions: [] },
      { name, what: "with the core by URL", conditions: ["twinwrap-wasm-url"] },
    ]),
  )("by $name, $what: it runs, and holds nothing of a server's", async ({ name, conditions }) => {
    const byUrl = conditions.length > 0;
    writeEntry(byUrl ? 'useWasm(new URL("/core.wasm", location.href));' : "");
    rmSync(out(name), { recursive: true, force: true });
    await BUNDLERS[name]!(conditions);
    const files = readdirSync(out(name), { recursive: true, encoding: "utf8" }).filter(
      (file) => extname(file) !== "" && extname(file) !== ".html",
    );
    expect(files.length).toBeGreaterThan(1);
    expect(files.filter((file) => !file.endsWith(".js"))).toEqual([]);
    const texts = files.map((file) => readFileSync(join(out(name), file), "utf8"));
    for (const part of PARTS) {
      expect(texts.filter((text) => text.includes(part)).length).toBe(byUrl ? 0 : 1);
    }
    for (const text of texts) {
      expect(text).not.toMatch(/["'`]node:|worker_threads|sqlite|commander|sourceMappingURL/);
      expect(text).not.toContain(folder);
      expect(text).not.toContain(root);
    }
    const server = await serve(out(name), {
      headers: { "content-security-policy": "script-src 'self' 'wasm-unsafe-eval' blob:" },
      files: {
        "/": '<!doctype html><script type="module" src="/main.js"></script>',
        ...(byUrl ? { "/core.wasm": readFileSync(join(installed, "build/core.wasm")) } : {}),
      },
    });
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction(() => "answer" in globalThis);
      expect(await page.evaluate("globalThis.answer")).toEqual([3e6, true]);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
