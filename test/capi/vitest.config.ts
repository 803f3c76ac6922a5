import { defineConfig } from "vitest/config";
import base from "../../vitest.config.js";

// `npm run test:capi`: the tests that run a CryptoAPI program under Wine, fresh cases on every run.
// `npm test` has what one such run has captured (captured.test.ts).

const { resolve, test } = base;
const { projects, ...shared } = test ?? {};

export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  ...(resolve === undefined ? {} : { resolve }),
  test: {
    ...shared,
    include: ["test/capi/*.live.ts"],
    globalSetup: ["test/capi/setup.ts"],
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
