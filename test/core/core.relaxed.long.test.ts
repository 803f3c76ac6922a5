import "./core.relaxed.test.js";
import "./rsa-kernels.relaxed.test.js";
