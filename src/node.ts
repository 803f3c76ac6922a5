export { amendFile, openFile, rewrapFile, sealFile, withFile } from "./envelope/file.node.js";
export { FileSource, type WriteOptions } from "./files.node.js";
export * from "./index.js";
