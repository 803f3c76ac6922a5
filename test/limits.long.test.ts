import "./limits.test.js";
