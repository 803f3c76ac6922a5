// "#embedded" unless the bundler has the condition "twinwrap-wasm-url".
export { embedded } from "./embedded.js";
