import { loadCore } from "twinwrap/core";
import { afterEach, expect, test, vi } from "vitest";
import { Picker } from "#build/envelope/auto.js";
import type { Engine } from "#build/envelope/segments.js";

// The fastest engine is picked by a clock. Here the clock is the test's, and so is the engines' speed.

const core = await loadCore();
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/**
 * Engines that take so many milliseconds for a segment, or fail.
 * @param elsewhere those that have threads of their own: the call comes back before the work is done
 * @returns what was picked, and how often it was tried
 */
async function picked(
  speeds: Partial<Record<string, number>>,
  options: { size?: number; jobs?: number }[],
  elsewhere: string[] = [],
) {
  let clock = 0;
  let made = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const picker = new Picker(async (name): Promise<Engine> => {
    made++;
    return {
      depth: 1,
      async work({ buffer, length }) {
        if (speeds[name] === undefined) throw new Error("does not work here");
        if (elsewhere.includes(name)) await undefined;
        clock += speeds[name];
        return { buffer, length };
      },
      dispose() {},
    };
  });
  const names: string[] = [];
  for (const { size, jobs = 1 } of options) names.push(await picker.pick(core, size, jobs));
  return { names, made };
}

const LARGE = { size: 4 << 20 };

test("node:crypto, where it is faster; it is tried once", async () => {
  const { names, made } = await picked({ wasm: 4, native: 2 }, [LARGE, {}, { jobs: 8 }, LARGE]);
  expect([names, made]).toEqual([["native", "native", "native", "native"], 2]);
});

test("the core for small files, where it is as fast, or where the other does not work", async () => {
  const small = await picked({ wasm: 4, native: 2 }, [{ size: (4 << 20) - 1 }, { size: 0 }]);
  expect(small).toEqual({ names: ["wasm", "wasm"], made: 0 });
  expect((await picked({ wasm: 4, native: 3.5 }, [LARGE])).names).toEqual(["wasm"]);
  expect((await picked({ wasm: 4 }, [LARGE])).names).toEqual(["wasm"]);
});

test("without node:crypto WebCrypto; if it has threads already, only where it is faster than the core in all of its", async () => {
  vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never);
  vi.stubGlobal("navigator", { hardwareConcurrency: 2 });
  const speeds = { wasm: 4, webcrypto: 2 };
  const options = [LARGE, { jobs: 2 }, { jobs: 64 }];
  expect((await picked(speeds, options, ["webcrypto"])).names).toEqual([
    "webcrypto",
    "wasm",
    "wasm",
  ]);
  expect((await picked(speeds, options)).names).toEqual(["webcrypto", "webcrypto", "webcrypto"]);
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect((await picked(speeds, [LARGE])).names).toEqual(["wasm"]);
});
