import { allCases } from "./cases.js";
import { ctSuite } from "./suite-ct.js";

ctSuite("core-relaxed", "relaxed", allCases());
