import "./escrow-blob.test.js";
