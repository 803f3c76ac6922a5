import "./core.unfused.test.js";
