// What is loaded when it is needed: the build makes one file of it, late.js.
export { Picker } from "./auto.js";
export { NativeCipher } from "./native.js";
export { WorkerPool } from "./pool.js";
export { WebCryptoEngine } from "./webcrypto.js";
export { startWorker } from "./worker.browser.js";
