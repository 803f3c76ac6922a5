import "./capi.test.js";
