import { describe } from "vitest";
import { isFused, kernelBuild } from "./kernels.js";
import { FUSED_LEAKS } from "./leaks.js";
import { leaksSuite } from "./suite-leaks.js";

// Where a processor rounds twice, products are those of the other build.
describe.runIf(isFused(await kernelBuild("relaxed")))(
  "digits of 50 bits (needs a processor that multiplies and adds in one step)",
  () => {
    leaksSuite("relaxed", FUSED_LEAKS, true);
  },
);
