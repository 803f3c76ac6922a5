import "./captured.test.js";
