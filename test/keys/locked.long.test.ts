import "./locked.test.js";
