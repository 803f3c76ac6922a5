import { rsaSuite } from "./suite-rsa.js";
import { rsaBlocksSuite } from "./suite-rsa-blocks.js";

rsaSuite({ build: "simd" });
rsaBlocksSuite({ build: "simd" });
