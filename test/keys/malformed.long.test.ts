import "./malformed.test.js";
