import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Apart from npm test: what is tried here is not installed by npm ci.
export default mergeConfig(
  { resolve: base.resolve },
  {
    test: {
      include: ["test/runtimes/*.engines.ts"],
      testTimeout: 600_000,
      hookTimeout: 600_000,
      maxWorkers: 1,
    },
  },
);
