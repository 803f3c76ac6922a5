// What is loaded when it is needed: the build makes one file of it, late.js.
export { Picker } from "./auto.js";
export { platformEngine } from "./platform.js";
export { WorkerPool } from "./pool.js";
export { startWorker } from "./worker.browser.js";
