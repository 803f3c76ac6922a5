import "./bench.test.js";
