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
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

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
  expect(doors).toEqual([".", "./core", "./aes", "./blob", "./keys", "./envelope", "./escrow"]);
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

const FOR_A_BROWSER = {
  bundle: true,
  format: "esm",
  platform: "browser",
  write: false,
  metafile: true,
  logLevel: "silent",
  outfile: "bundle.js",
} as const;

test("the browser's bundle holds no node:, no command line, no server", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "build", "browser.js")],
    ...FOR_A_BROWSER,
  });
  expect(outputFiles[0]!.text).not.toMatch(/["']node:/);
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.length).toBeGreaterThan(10);
  expect(inputs.filter((name) => /\.node\.js|\/cli\/|\/authority\/|commander/.test(name))).toEqual(
    [],
  );
});

test("who bundles the core alone gets no pool, and the worker's script needs nothing else", async () => {
  const { metafile } = await build({
    stdin: { contents: 'export { loadCore } from "./build/browser.js";', resolveDir: root },
    ...FOR_A_BROWSER,
  });
  const [output] = Object.values(metafile.outputs);
  const used = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  expect(used.map(([name]) => name).filter((name) => /envelope/.test(name))).toEqual([]);
  expect(readFileSync(join(root, "build", "worker.js"), "utf8")).not.toMatch(
    /\b(import|require)\b|node:/,
  );
});

test("types are found through the exports map", () => {
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(folder, "use.ts"),
    `import { type Header, inspect, seal } from "twinwrap";
     import { loadCore } from "twinwrap/core";
     const core = await loadCore();
     const tag: Uint8Array = core.sha256(new Uint8Array(1));
     const header: Promise<Header> = inspect(tag);
     // @ts-expect-error a file is sealed for somebody
     seal(tag, {});
     export { header };`,
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const args = [
    "--noEmit",
    "--strict",
    "--module",
    "NodeNext",
    "--target",
    "ES2022",
    "--lib",
    "ES2022,DOM",
    "use.ts",
  ];
  execFileSync(process.execPath, [tsc, ...args], { cwd: folder, stdio: "pipe" });
});
