import "./descriptors.test.js";
