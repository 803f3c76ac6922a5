import { gcmSuite } from "./suite-gcm.js";

gcmSuite({ build: "simd" });
