import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { hasRelaxedSimd, loadCore } from "twinwrap/core";
import { afterAll, describe, expect, test } from "vitest";
import { shipped } from "../ct/build.js";

// core.relaxed.test.ts loads it.
test.skipIf(hasRelaxedSimd())("a build that the engine lacks is refused by name", async () => {
  await expect(loadCore({ build: "relaxed" })).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("relaxed"),
  });
});

test("the WebAssembly may be handed in: bytes, a module, a response", async () => {
  const bytes = shipped();
  const response = () => new Response(bytes, { headers: { "content-type": "application/wasm" } });
  for (const wasm of [
    bytes,
    new WebAssembly.Module(bytes),
    response(),
    Promise.resolve(response()),
  ]) {
    const core = await loadCore({ wasm });
    expect(core.sha256(new Uint8Array(0))[0]).toBe(0xe3);
  }
});

describe("what is handed in as WebAssembly and is not the core", () => {
  const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
  const wasm = { "content-type": "application/wasm" };
  // (module) and (module (import "a" "b" (func)))
  const empty = unhex("0061736d01000000");
  const importing = unhex("0061736d01000000010401600000020701016101620000");
  const html = new TextEncoder().encode("<!doctype html>");

  test.each([
    ["text", html],
    ["a text for WebAssembly", new Response(html, { headers: wasm })],
    ["a text by another type", new Response(html)],
    ["half a core", shipped().subarray(0, 30_000)],
    ["an empty module", empty],
    ["an empty module, compiled", new WebAssembly.Module(empty)],
    ["a module with imports", importing],
    ["the core that has AES alone", shipped("core-aes")],
  ])("%s: BAD_ARGUMENT", async (_, wasm) => {
    await expect(loadCore({ wasm })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(/is not the core/),
    });
  });

  const broken = (error: Error, headers = {}) =>
    new Response(new ReadableStream({ pull: (controller) => controller.error(error) }), {
      headers,
    });
  test.each([
    ["an answer that is an error", () => new Response("gone", { status: 410 })],
    ["no answer", () => Promise.reject(new TypeError("fetch failed"))],
    ["an answer that breaks off", () => broken(new Error("reset"))],
    ["the same, compiled as it comes", () => broken(new TypeError("reset"), wasm)],
  ])("%s: UNAVAILABLE", async (_, make) => {
    await expect(loadCore({ wasm: make() })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/^the core could not be fetched: ./),
    });
  });
});

describe("the core's file in Node", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-load-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** As much of the package as the core's door needs, and what became of core.wasm and of the embedded copy. */
  function install(name: string, change: (build: string) => void): string {
    const place = join(folder, name);
    mkdirSync(join(place, "node_modules"), { recursive: true });
    cpSync(
      join(root, "node_modules/@assemblyscript"),
      join(place, "node_modules/@assemblyscript"),
      {
        recursive: true,
      },
    );
    for (const path of ["package.json", "build/core", "build/core.wasm"]) {
      cpSync(join(root, path), join(place, path), { recursive: true });
    }
    for (const path of readdirSync(join(root, "build"))) {
      if (path.endsWith(".js")) cpSync(join(root, "build", path), join(place, "build", path));
    }
    change(join(place, "build"));
    return pathToFileURL(join(place, "build/core/index.js")).href;
  }

  /** What loading says in a process of its own: the first byte of a hash, or an error. */
  function load(modules: string[], flags: string[] = []): string[] {
    const code = `for (const url of ${JSON.stringify(modules)}) {
        const { loadCore } = await import(url);
        const said = await loadCore({ build: "simd" }).then(
          (core) => core.sha256(new Uint8Array(0))[0].toString(16),
          ({ name, code, message }) => [name, code, message].join(" "));
        console.log(said);
      }`;
    const args = [...flags, "--input-type=module", "-e", code];
    return execFileSync(process.execPath, args, { encoding: "utf8" }).trim().split("\n");
  }

  const put = (bytes: Uint8Array) => (build: string) =>
    writeFileSync(join(build, "core.wasm"), bytes);
  const flipped = new Uint8Array(shipped());
  flipped[flipped.length >> 1]! ^= 1;
  const breakEmbedded = (build: string) => {
    const path = join(build, "core/embedded-sealing.js");
    const text = readFileSync(path, "utf8");
    const middle = text.length >> 1;
    const other = text[middle] === "A" ? "B" : "A";
    writeFileSync(path, text.slice(0, middle) + other + text.slice(middle + 1));
  };

  test("damaged, foreign or missing, it is replaced by the embedded copy", () => {
    const modules = Object.entries<(build: string) => void>({
      damaged: put(flipped),
      cut: put(shipped().subarray(0, 1000)),
      empty: put(new Uint8Array(0)),
      foreign: put(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
      "another core": put(shipped("core-aes")),
      missing: (build) => rmSync(join(build, "core.wasm")),
      "a folder": (build) => {
        rmSync(join(build, "core.wasm"));
        mkdirSync(join(build, "core.wasm"));
      },
    }).map(([name, change]) => install(name, change));
    expect(load(modules)).toEqual(modules.map(() => "e3"));
  });

  test("is what is used: no embedded copy is needed then", () => {
    expect(load([install("no copy", breakEmbedded)])).toEqual(["e3"]);
  });

  test("where the copy is damaged too, or left out, an error says what to do", () => {
    const both = install("both", (build) => {
      put(flipped)(build);
      breakEmbedded(build);
    });
    expect(load([both])).toEqual([
      expect.stringMatching(/^TwinwrapError FAULT .*damaged: install or bundle it again/),
    ]);
    const without = install("left out", put(flipped));
    expect(load([without], ["--conditions=twinwrap-wasm-url"])).toEqual([
      expect.stringMatching(/^TwinwrapError UNSUPPORTED .*call useWasm/),
    ]);
  });
});

describe("where the engine refuses", () => {
  const core = new URL("../../build/core/index.js", import.meta.url).href;
  const node = new URL("../../build/node.js", import.meta.url).href;
  const say = `.then(() => console.log("it works"), ({ name, code, message }) => console.log(name, code, message))`;
  const script = `(await import(${JSON.stringify(core)})).loadCore()${say}`;

  test("no WebAssembly at all: UNSUPPORTED, and it may be switched off", () => {
    const said = spawnSync(
      process.execPath,
      ["--jitless", "--no-warnings", "--input-type=module", "-e", script],
      { encoding: "utf8" },
    );
    expect(said.stdout).toMatch(/^TwinwrapError UNSUPPORTED .*no WebAssembly, .*--jitless/);
    expect(said.status).toBe(0);
  });

  /** Runs a program with at most so many KiB of addresses. */
  const limited = (kibibytes: number, ...args: string[]) =>
    spawnSync(
      "bash",
      ["-c", `ulimit -v ${kibibytes} && exec "$0" "$@"`, process.execPath, ...args],
      {
        encoding: "utf8",
        env: { ...process.env, NODE_OPTIONS: "" },
      },
    );
  const isLinux = process.platform === "linux";

  test.runIf(isLinux)(
    "no room for addresses: UNSUPPORTED says so, and the flag that helps (needs Linux)",
    () => {
      const refused = limited(2 << 20, "--input-type=module", "-e", script);
      expect(refused.stdout).toMatch(
        /^TwinwrapError UNSUPPORTED there is no room .*ulimit -v.*--disable-wasm-trap-handler/,
      );
      expect(refused.stderr).toBe("");
      const flag = "--disable-wasm-trap-handler";
      expect(limited(2 << 20, flag, "--input-type=module", "-e", script).stdout).toBe("it works\n");
    },
  );

  test.runIf(isLinux)(
    "under such a limit there are no workers, which would end the process (needs Linux)",
    () => {
      const code = `const { workerPool } = await import(${JSON.stringify(node)});
      const pool = workerPool({ jobs: 4 });
      pool.start()${say}.then(() => console.log(pool.ready));`;
      // Room for one instance, and for no more.
      const { stdout, status } = limited(13_000_000, "--input-type=module", "-e", code);
      expect([stdout, status]).toEqual(["it works\nfalse\n", 0]);
    },
  );
});

test("Node is asked for nothing that makes it load fetch, which takes longer than all the rest", () => {
  const index = new URL("../../build/core/index.js", import.meta.url).href;
  const code = `await (await import(${JSON.stringify(index)})).loadCore();
    console.log(process.moduleLoadList.filter((name) => /undici/.test(name)).join());`;
  const args = ["--input-type=module", "-e", code];
  expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toBe("\n");
});
