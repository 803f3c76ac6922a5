// Where a processor rounds twice to multiply and add, other kernels work.
import { memorySuite } from "./suite-memory.js";

memorySuite("relaxed");
