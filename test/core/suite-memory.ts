// The memory after each kind of call, as a function of the build.
import { loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import type { Instance } from "#build/core/instance.js";
import { clears, droppingBuild } from "../ct/dropped.js";
import { handOvers, memoryCases, remains, remainsOfFirst } from "./memory-cases.js";

/** That nothing is left. */
export function memorySuite(build: "simd" | "relaxed"): void {
  describe("nothing is left in memory", () => {
    let module: WebAssembly.Module;
    beforeAll(async () => {
      ({ module } = await loadCore({ build }));
    });
    test.each(memoryCases())("$name", async (one) => {
      expect(await remains(module, one)).toBeUndefined();
    });
    test.each(handOvers)("nor $name", async (one) => {
      expect(await remainsOfFirst(module, one)).toBeUndefined();
    });
  });
}

/** That this finds every statement of assembly/ that clears something, once it is left out. */
export function dropSuite(build: "simd" | "relaxed"): void {
  const cases = memoryCases();
  const isRsa = ({ name }: { name: string }) => name.startsWith("RSA");
  describe("a clearing that is left out is found", async () => {
    const module = await WebAssembly.compile(await droppingBuild(build));
    const all = clears().map((clear, i) => ({ ...clear, number: i + 1 }));
    // Of the relaxed-SIMD build what only it has: it clears there what others have left clean, too.
    const own = all.filter(
      ({ file, text }) => /fused|halves|endFused/.test(file + text) === (build === "relaxed"),
    );
    test.each(own)("$file, $line: $text", async ({ file, number }) => {
      const drop = (instance: Instance) => void instance.function("drop")(number);
      const likely = cases.filter((one) => isRsa(one) === file.startsWith("rsa/"));
      const tries = [
        ...[...likely, ...cases].map((one) => () => remains(module, one, drop)),
        ...handOvers.map((one) => () => remainsOfFirst(module, one, drop)),
      ];
      for (const attempt of tries) {
        // A wrong result is found, too.
        if ((await attempt().catch(String)) !== undefined) return;
      }
      expect.unreachable("nobody noticed");
    });
  });
}
