import "./engines.test.js";
