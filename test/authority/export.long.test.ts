import "./export.test.js";
