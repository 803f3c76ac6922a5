import "./structure.test.js";
