// The constant-time gate: the shipped core, instrumented (wasm.ts), does the same for all secrets of
// one size: the same basic blocks, the same addresses, the same operands of divisions and selections.
// docs/constant-time.md says what follows from that and what does not.
//
// A test run has the cases that show each kind of thing; all of them, with more runs each, are in the files
// `*.long.test.ts` (`npm run ct`).

import { describe, expect, test } from "vitest";
import { compile, shipped } from "./build.js";
import { aesOnlyCases, allCases } from "./cases.js";
import { isFused, kernelBuild, kernelCases } from "./kernels.js";
import { type Case, Gate } from "./trace.js";
import { codeOf, functionNames } from "./wasm.js";

/** Every run is compared with so many more where all cases run. */
const LONG_FACTOR = 2;

function gateTests(gate: Gate, cases: Case[], isLong: boolean): void {
  const chosen = cases.filter((one) => isLong || !one.isLong);
  const factor = isLong ? LONG_FACTOR : 1;
  for (const one of chosen) {
    test(one.name, async () => {
      const { difference, trace } = await gate.judge(one, factor);
      expect(difference ?? "no difference").toBe("no difference");
      expect(trace.instructions).toBeGreaterThan(trace.events / 2n);
    });
  }
}

export function ctSuite(
  file: "core" | "core-relaxed" | "core-aes",
  target: "simd" | "relaxed",
  isLong: boolean,
): void {
  const [entry, cases] = file === "core-aes" ? ["aes", aesOnlyCases()] : ["index", allCases()];
  describe(`${file}: the shipped core does the same for all secrets of one size`, () => {
    const wasm = shipped(file);
    const gate = new Gate(wasm, async () => {
      const named = await compile([], target, entry);
      return Buffer.compare(codeOf(named), codeOf(wasm)) === 0 ? functionNames(named) : new Map();
    });
    gateTests(gate, cases, isLong);
    test("no exported call was left out", () => {
      expect([...gate.called].sort()).toEqual([...gate.exported].sort());
    });
  });
}

export function kernelSuite(target: "simd" | "relaxed", isLong: boolean): void {
  describe(`${target}: every kernel does the same for chosen numbers of one size`, async () => {
    const wasm = await kernelBuild(target);
    const gate = new Gate(wasm, () => functionNames(wasm));
    gateTests(gate, kernelCases(isFused(wasm)), isLong);
  });
}
