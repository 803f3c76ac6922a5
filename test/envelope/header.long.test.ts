import "./header.test.js";
