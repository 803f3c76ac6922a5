import "./log-view.test.js";
