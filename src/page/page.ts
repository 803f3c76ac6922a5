import { inspect } from "../browser.js";

void inspect;
