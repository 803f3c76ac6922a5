import { loadAes } from "twinwrap/aes";
import { loadCore } from "twinwrap/core";
import { describe } from "vitest";
import { gcmSuite } from "./suite-gcm.js";

gcmSuite(() => loadCore({ build: "simd" }));
describe("the core that has AES alone", () => gcmSuite(loadAes));
