// "#embedded" for everybody but those who ask their bundler for the condition "twinwrap-wasm-url".
export { embedded } from "./embedded.js";
