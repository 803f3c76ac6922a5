// The relaxed-SIMD build goes through the same tests as the other one.
import { hasRelaxedSimd, loadCore } from "twinwrap/core";
import { expect, test } from "vitest";
import { aesSuite } from "./suite-aes.js";
import { gcmSuite } from "./suite-gcm.js";
import { hashSuite } from "./suite-hash.js";
import { rsaSuite } from "./suite-rsa.js";
import { rsaBlocksSuite } from "./suite-rsa-blocks.js";
import { rsaInternalsSuite } from "./suite-rsa-internals.js";

test("it is the one that is loaded where the engine has it", async () => {
  expect(hasRelaxedSimd()).toBe(true);
  const [best, relaxed, simd] = await Promise.all([
    loadCore(),
    loadCore({ build: "relaxed" }),
    loadCore({ build: "simd" }),
  ]);
  expect(best.module).toBe(relaxed.module);
  expect(simd.module).not.toBe(relaxed.module);
});

aesSuite({ build: "relaxed" });
gcmSuite(() => loadCore({ build: "relaxed" }));
hashSuite({ build: "relaxed" });
rsaSuite({ build: "relaxed" });
rsaBlocksSuite({ build: "relaxed" });
rsaInternalsSuite({ build: "relaxed" });
