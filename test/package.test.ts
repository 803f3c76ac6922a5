import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Stats } from "webpack";
import { launchChromium } from "../.tools/browsers.mjs";
import { serve } from "../.tools/serve.mjs";
import { compileProject, PROJECTS } from "./typescript.js";

// The package as somebody else installs it.

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-package-"));
const installed = join(folder, "node_modules", "twinwrap");

beforeAll(() => {
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
    stdio: "pipe",
  });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(folder, tarball!), "-C", installed, "--strip-components", "1"]);
  // Its dependencies, as npm would install them: the core's loader, and Ed25519 for escrow.
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(Object.keys(dependencies)).toEqual(["@assemblyscript/loader", "@noble/ed25519"]);
  for (const name of Object.keys(dependencies)) {
    mkdirSync(join(folder, "node_modules", dirname(name)));
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (file: string, code: string) => {
  writeFileSync(join(folder, file), code);
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
};

test("it holds what is needed and nothing else", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files).toEqual(
    expect.arrayContaining([
      "LICENSE",
      "README.md",
      "build/core.wasm",
      "build/worker.js",
      "build/bin/twinwrap.js",
    ]),
  );
  expect(
    files.filter((name) => /^(test|src|assembly|bench)\/|node_modules|\.map$/.test(name)),
  ).toEqual([]);
});

test("every door opens in Node, and a file makes the round trip", () => {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const doors = Object.keys(exports).filter((name) => !/\.(json|wasm|js)$/.test(name));
  expect(doors).toEqual([
    ".",
    "./core",
    "./aes",
    "./blob",
    "./keys",
    "./envelope",
    "./escrow",
    "./web",
  ]);
  const printed = run(
    "round-trip.mjs",
    `import { generateKeyPair, open, seal, sealFile } from "twinwrap";
     ${doors.map((door) => `await import("twinwrap${door.slice(1)}");`).join("\n")}
     const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
     const sealed = await (await seal(new TextEncoder().encode("hello"), { to: [publicKey] })).bytes();
     console.log(new TextDecoder().decode(await (await open(sealed, { key: privateKey })).bytes()), typeof sealFile);`,
  );
  expect(printed).toBe("hello function\n");
});

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

  // The core's copy, gzipped, begins like this in base64.
  const COPY = /["'`]H4sIA/;

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
    expect(texts.filter((text) => COPY.test(text)).length).toBe(byUrl ? 0 : 1);
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

  const FOR_A_BROWSER = {
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    metafile: true,
    logLevel: "silent",
    outfile: "bundle.js",
  } as const;

  test("the browser's door leads to no file that only Node can load", async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: 'export * from "twinwrap";', resolveDir: folder },
      ...FOR_A_BROWSER,
    });
    expect(outputFiles[0]!.text).not.toMatch(/["']node:/);
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.length).toBeGreaterThan(10);
    expect(
      inputs.filter((name) => /\.node\.js|\/cli\/|\/authority\/|commander/.test(name)),
    ).toEqual([]);
  });

  test("who takes one thing gets nothing else", async () => {
    const used = async (contents: string) => {
      const { metafile } = await build({
        stdin: { contents, resolveDir: folder },
        ...FOR_A_BROWSER,
      });
      const [output] = Object.values(metafile.outputs);
      return Object.entries(output!.inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([name]) => name.replace(/.*\/build\//, ""));
    };
    expect((await used('export { loadCore } from "twinwrap";')).join()).not.toMatch(
      /envelope|keys|blob/,
    );
    expect((await used('export { decodeBlob } from "twinwrap/blob";')).join()).not.toMatch(
      /core|envelope|keys/,
    );
    expect((await used('export { inspect } from "twinwrap/envelope";')).join()).not.toMatch(
      /escrow|worker-script|save/,
    );
  });

  test("the workers' scripts need nothing else", () => {
    for (const name of ["worker.js", "download.js"]) {
      expect(readFileSync(join(installed, "build", name), "utf8")).not.toMatch(
        /\b(import|require)\b|node:/,
      );
    }
  });
});

// All kinds, and older compilers, are tried by test/runtimes.
test.each([PROJECTS[0]!, PROJECTS.at(-1)!])(
  "types: module $module, DOM: $dom, @types/node: $node",
  (project) => {
    const place = mkdtempSync(join(folder, "types-"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    expect(compileProject(place, tsc, project, installed)).toBe("");
  },
);

test("the command line needs nothing beside it", () => {
  for (const name of ["@assemblyscript", "@noble"]) {
    rmSync(join(folder, "node_modules", name), { recursive: true });
  }
  const cli = join(installed, "build", "bin", "twinwrap.js");
  const printed = execFileSync(process.execPath, [cli, "--version"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(printed).toBe(
    `${JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).version}\n`,
  );
});
