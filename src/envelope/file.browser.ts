import { TwinwrapError } from "../errors.js";
import type { FileSource as NodeFileSource } from "../files.node.js";
import type * as node from "./file.node.js";

// Stands for file.node.ts where there are no files with paths, so that a program for both sides has one set of names.

function unsupported(name: string): TwinwrapError {
  return new TwinwrapError(
    "UNSUPPORTED",
    `${name} works on files with paths, which Node, Deno and Bun have; elsewhere seal(), open() and rewrap() take Blobs and streams, and save() writes a file`,
  );
}

function refusing(name: string): () => Promise<never> {
  return async () => {
    throw unsupported(name);
  };
}

/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const amendFile: typeof node.amendFile = /* @__PURE__ */ refusing("amendFile");
/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const openFile: typeof node.openFile = /* @__PURE__ */ refusing("openFile");
/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const rewrapFile: typeof node.rewrapFile = /* @__PURE__ */ refusing("rewrapFile");
/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const sealFile: typeof node.sealFile = /* @__PURE__ */ refusing("sealFile");
/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const withFile: typeof node.withFile = /* @__PURE__ */ refusing("withFile");

class NoFileSource {
  static readonly open = /* @__PURE__ */ refusing("FileSource.open");

  constructor() {
    throw unsupported("FileSource");
  }
}

/** In Node only. @throws TwinwrapError UNSUPPORTED elsewhere */
export const FileSource = NoFileSource as unknown as typeof NodeFileSource;
export type FileSource = NodeFileSource;
