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
    // A program that hangs is ended after three minutes; this many do not go on to the last test.
    bail: 3,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
