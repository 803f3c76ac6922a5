// A gate that cannot fail proves nothing: leaks planted in the core's sources must be seen.
import { describe, expect, test } from "vitest";
import { allCases } from "./cases.js";
import { kernelCases } from "./kernels.js";
import { type Leak, leakyBuild } from "./leaks.js";
import { type Case, Gate } from "./trace.js";
import { functionNames } from "./wasm.js";

/** @param fused whether the build computes in digits of 50 bits here */
export function leaksSuite(
  target: "simd" | "relaxed",
  leaks: readonly Leak[],
  fused: boolean,
): void {
  describe(`${target}: a planted leak is seen`, async () => {
    const wasm = await leakyBuild(leaks, target);
    const gate = new Gate(wasm, () => functionNames(wasm));
    const cases = new Map([...allCases(), ...kernelCases(fused)].map((one) => [one.name, one]));

    /** A case in which the leak with that number leaks; none does with 0. */
    function leaking(name: string, leak: number): Case {
      const one = cases.get(name)!;
      // That a test run has it, and not only the gate of all cases.
      expect(one.isLong ?? false, name).toBe(false);
      return {
        ...one,
        run: (core, ...rest) => {
          core.global("LEAK").value = leak;
          one.run(core, ...rest);
        },
      };
    }

    leaks.forEach(({ leak, seenIn, as }, i) => {
      test.each(seenIn)(`${leak}: %s`, async (name) => {
        expect((await gate.judge(leaking(name, i + 1))).difference).toMatch(as);
      });
    });
    test("where none leaks there is nothing to see", async () => {
      for (const name of new Set(leaks.flatMap(({ seenIn }) => seenIn))) {
        // Two runs, zeros and ones: the gate itself has more of them, of the same sources without leaks.
        const one = { ...leaking(name, 0), runs: 2 };
        expect((await gate.judge(one)).difference, name).toBeUndefined();
      }
    });
  });
}
