import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import { folder, installed } from "./installed.js";
import { isBuiltIn } from "./sqlite.js";

// The package as somebody else installs it.

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

test("what others wrote of it is named with its licence", () => {
  const text = readFileSync(join(installed, "build", "bin", "THIRD-PARTY.txt"), "utf8");
  for (const name of ["commander", "fastify", "pg", "pino", "prom-client"]) {
    expect(text).toMatch(new RegExp(`^${name} \\d.*: (MIT|Apache-2.0)\n`, "m"));
  }
  expect(text).toContain("Permission is hereby granted");
});

test("the libraries of the service are loaded by the command that serves alone", async () => {
  const bin = join(installed, "build", "bin");
  const of = (name: string) => readFileSync(join(bin, name), "utf8");
  const holding = readdirSync(bin).filter((name) => /\bfastifyPackage|FST_ERR_/.test(of(name)));
  expect(holding).toHaveLength(1);
  const [chunk] = holding as [string];
  const importers = readdirSync(bin).filter((name) => of(name).includes(`./${chunk}`));
  expect(importers).toHaveLength(1);
  // Not at its beginning, but where it is called for.
  expect(of(importers[0]!)).toContain(`import("./${chunk}")`);
  expect(of(importers[0]!)).not.toContain(`from "./${chunk}"`);
});

test("nothing in it imports what its user has not installed", async () => {
  const about = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const allowed = [
    about.name,
    ...Object.keys({ ...about.dependencies, ...about.peerDependencies }),
  ];
  const scripts = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".js"),
  );
  expect(scripts.length).toBeGreaterThan(50);
  // What esbuild reads as an import, at once or later, of anything that is not in the package.
  const { metafile } = await build({
    entryPoints: scripts.map((name) => join(installed, name)),
    absWorkingDir: installed,
    outdir: "nowhere",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const imports = Object.entries(metafile.inputs).flatMap(([file, { imports }]) =>
    imports.filter(({ external }) => external).map(({ path }) => ({ file, path })),
  );
  const packageOf = (path: string) => path.match(/^(@[^/]+\/)?[^/]+/)![0];
  expect(imports.map(({ path }) => packageOf(path))).toContain("@assemblyscript/loader");
  expect(
    imports.filter(({ path }) => !isBuiltin(path) && !allowed.includes(packageOf(path))),
  ).toEqual([]);
});

test("better-sqlite3 comes only to those who ask for it", () => {
  const about = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(about.optionalDependencies).toBeUndefined();
  expect(about.peerDependenciesMeta).toEqual({
    "better-sqlite3": { optional: true },
    pg: { optional: true },
  });
  const cli = join(installed, "build", "bin", "twinwrap.js");
  const twinwrap = (...args: string[]) =>
    spawnSync(process.execPath, [cli, ...args, "--no-passphrase"], {
      cwd: folder,
      encoding: "utf8",
    });
  expect(twinwrap("officer", "keygen", "-o", "ann.pem").status).toBe(0);
  const { status, stderr } = twinwrap(
    "authority",
    "init",
    "backup",
    "--officer",
    "ann=ann.pub.pem",
  );
  if (isBuiltIn) return expect([status, stderr]).toEqual([0, ""]);
  expect(stderr).toMatch(/^twinwrap: .*better-sqlite3.*: npm install better-sqlite3\n$/);
  expect(status).toBe(1);
  expect(existsSync(join(folder, "backup"))).toBe(false);
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
    "./client",
    "./authority",
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

test("every door opens in CommonJS", () => {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const doors = Object.keys(exports).filter((name) => !/\.(json|wasm|js)$/.test(name));
  const code = `(async () => {
    const [{ generateKeyPair, open, seal }] = ${JSON.stringify(doors)}.map((door) => require("twinwrap" + door.slice(1)));
    const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
    const sealed = await (await seal(Buffer.from("hello"), { to: [publicKey] })).bytes();
    console.log(await (await open(sealed, { key: privateKey })).text());
  })();`;
  expect(run("round-trip.cjs", code)).toBe("hello\n");
});

describe("bundled for a browser", () => {
  const FOR_A_BROWSER = {
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    metafile: true,
    logLevel: "silent",
    outfile: "bundle.js",
  } as const;

  test("the doors that browsers have lead to no file that only Node can load", async () => {
    const { outputFiles, metafile } = await build({
      stdin: {
        contents: 'export * from "twinwrap"; export * as client from "twinwrap/client";',
        resolveDir: folder,
      },
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
