// Files in Node: output appears whole or not at all, and a header is changed by one writer at a time.

export { isSystemError, named, system } from "./calls.node.js";
export { withLock } from "./file-lock.node.js";
export {
  forEachPiece,
  isSameFile,
  linkTarget,
  makeFolderWhole,
  type NewFile,
  onWarning,
  patchFile,
  present,
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
