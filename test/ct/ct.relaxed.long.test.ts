import { ctSuite, kernelSuite } from "./suite-ct.js";

ctSuite("core-relaxed", "relaxed", true);
kernelSuite("relaxed", true);
