import "./openapi.test.js";
