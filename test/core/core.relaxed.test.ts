// The relaxed-SIMD build goes through the same tests as the other one.
import { hasRelaxedSimd, loadCore } from "twinwrap/core";
import { expect, test } from "vitest";
import { compileCore } from "#build/core/load.js";
import { aesSuite } from "./suite-aes.js";
import { gcmSuite } from "./suite-gcm.js";
import { hashSuite } from "./suite-hash.js";
import { rsaSuite } from "./suite-rsa.js";

test("it is the one that is loaded where the engine has it", async () => {
  expect(hasRelaxedSimd()).toBe(true);
  expect(await compileCore()).toBe(await compileCore({ build: "relaxed" }));
  expect(await compileCore({ build: "simd" })).not.toBe(await compileCore());
  expect((await loadCore()).sha256(new Uint8Array(0)).length).toBe(32);
});

aesSuite({ build: "relaxed" });
gcmSuite({ build: "relaxed" });
hashSuite({ build: "relaxed" });
rsaSuite({ build: "relaxed" });
