// The products under RSA by themselves, of digits at the ends of their ranges and of every length at which
// something changes, against BigInt. The core does not export them: a build of its own does.
import { describe, test } from "vitest";
import { kernelBuild } from "../ct/kernels.js";
import { kernelSuite } from "../ct/suite-ct.js";
import { isQuick } from "../quick.js";
import { checkKernel, type Kernel, Places } from "./kernels.js";

const module = await WebAssembly.compile(await kernelBuild("relaxed"));
const core = new WebAssembly.Instance(module).exports as Record<string, CallableFunction> & {
  memory: WebAssembly.Memory;
  TABLE: WebAssembly.Global;
};
const places = new Places(core);
const { a: A, b: B, m: M, out: OUT } = places;
const check = (kernel: Kernel, rows: number) => checkKernel(places, kernel, rows);

describe("products modulo two numbers, 24 bits a digit", () => {
  const kernel: Kernel = {
    bits: 24,
    turn: (rows) => rows,
    times: 8,
    slack: 32,
    prepare: () => {},
    multiply: (rows) => core.multiplyLanes!(OUT, A, B, M, rows),
    square: (rows) => core.squareLanes!(OUT, A, M, rows),
  };
  test.each([8, 12, 44, 56, 60, 64, 88, 120, 124, ...(isQuick ? [] : [344, 684])])(
    "%i digits",
    (rows) => check(kernel, rows),
  );
});

describe.runIf(core.isFused!())("products modulo two numbers, 50 bits a digit", () => {
  const kernel: Kernel = {
    bits: 50,
    turn: (rows) => rows,
    times: 4,
    slack: 0,
    prepare: (rows) => core.beginFused!(rows),
    multiply: (rows) => core.multiplyFused!(OUT, A, B, M, rows),
    square: (rows) => core.squareFused!(OUT, A, M, rows),
  };
  test.each([4, 6, 8, 12, 22, 32, 42, 44, 166, ...(isQuick ? [] : [328])])("%i digits", (rows) =>
    check(kernel, rows),
  );
});

describe.runIf(core.isFused!())("products modulo one number, 50 bits a digit", () => {
  const kernel: Kernel = {
    bits: 50,
    turn: (rows) => rows / 2,
    times: 4,
    slack: 0,
    prepare: (rows) => core.prepareStarts!(rows),
    multiply: (rows) => core.multiplyHalves!(OUT, A, B, M, rows),
  };
  test.each([12, 16, 24, 44, 64, 84, 164, ...(isQuick ? [] : [332])])("%i digits", (rows) =>
    check(kernel, rows),
  );
});

// The constant-time gate of the same build, which takes longer to make than all of this.
kernelSuite("relaxed", !isQuick);
