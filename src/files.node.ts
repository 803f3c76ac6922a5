// Files in Node: output appears whole or not at all, and one writer at a time changes a header. These types do
// not mention Node's: users of the library need not have Node's declarations.

export { withLock, withLockBeside } from "./file-lock.node.js";
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
