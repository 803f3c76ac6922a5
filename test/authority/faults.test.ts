import { failWrites } from "./faults.js";

failWrites(12);
