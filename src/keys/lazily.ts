// What is loaded when it is needed: the build makes one file of it, readers.js.
export { nativeRsadp } from "./native-rsa.js";
export { readPrivateKey, readPublicKey } from "./read.js";
