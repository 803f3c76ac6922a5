import "./merkle.test.js";
