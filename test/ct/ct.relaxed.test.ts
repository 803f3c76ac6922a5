import { ctSuite } from "./suite-ct.js";

ctSuite("core-relaxed", "relaxed", false);
