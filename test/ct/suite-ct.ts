// The constant-time gate: the shipped core, instrumented (wasm.ts), does the same for all secrets of
// one size: the same basic blocks, the same addresses, the same operands of divisions and selections.
// docs/constant-time.md says what follows from that and what does not.

import { describe, expect, test } from "vitest";
import { compile, shipped } from "./build.js";
import { type Case, Gate } from "./trace.js";
import { codeOf, functionNames } from "./wasm.js";

export function ctSuite(
  file: "core" | "core-relaxed" | "core-aes",
  target: "simd" | "relaxed",
  cases: Case[],
): void {
  describe(`${file}: the shipped core does the same for all secrets of one size`, () => {
    const wasm = shipped(file);
    const gate = new Gate(wasm, () => {
      const named = compile([], target, file === "core-aes" ? "aes" : "index");
      return Buffer.compare(codeOf(named), codeOf(wasm)) === 0 ? functionNames(named) : new Map();
    });
    for (const one of cases) {
      test(one.name, () => {
        const { difference, trace } = gate.judge(one);
        expect(difference ?? "no difference").toBe("no difference");
        expect(trace.instructions).toBeGreaterThan(trace.events / 2n);
      });
    }
    test("no exported call was left out", () => {
      expect([...gate.called].sort()).toEqual([...gate.exported].sort());
    });
  });
}
