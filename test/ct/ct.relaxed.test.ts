import { ctSuite, kernelSuite } from "./suite-ct.js";

ctSuite("core-relaxed", "relaxed", false);
kernelSuite("relaxed", false);
