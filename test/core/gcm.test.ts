import { loadAes } from "twinwrap/aes";
import { loadCore } from "twinwrap/core";
import { describe } from "vitest";
import { isQuick } from "../quick.js";
import { gcmSuite } from "./suite-gcm.js";

gcmSuite(() => loadCore({ build: "simd" }));
// Made of the same sources.
describe.skipIf(isQuick)("the core that has AES alone", () => gcmSuite(loadAes));
