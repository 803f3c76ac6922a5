import { memorySuite } from "./suite-memory.js";

memorySuite("relaxed");
