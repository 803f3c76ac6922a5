import "./carried.test.js";
