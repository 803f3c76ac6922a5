import "./exports.test.js";
