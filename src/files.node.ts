// Files in Node: output appears whole or not at all, and a header is changed by one writer at a time. Nothing
// of Node is in these types: whoever uses the library need not have its declarations.

export { withLock } from "./file-lock.node.js";
export {
  forEachPiece,
  isSameFile,
  linkTarget,
  makeFolderWhole,
  type NewFile,
  onWarning,
  patchFile,
  type WriteOptions,
  writeDescriptor,
  writeFilesWhole,
  writeFileWhole,
} from "./file-output.node.js";
export {
  collectPieces,
  descriptorOf,
  descriptorPieces,
  FileSource,
  readFileWhole,
  streamPieces,
} from "./file-source.node.js";
export { removeLeftovers, undoOnSignals } from "./process.node.js";
