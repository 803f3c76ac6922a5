import { withFile } from "../envelope/file.node.js";
import { startsSealedFile } from "../envelope/header.js";
import { type Head, inspectHead } from "../envelope/index.js";
import { STANDARD, withInput } from "./io.js";

// Sealed files among others. This loads nothing of an authority, whose messages are files too.

/** Whether a file begins as a sealed file does. */
export async function isSealed(path: string): Promise<boolean> {
  if (path === STANDARD) return false;
  return withFile(path, async (file) => {
    return file.seekable && startsSealedFile(await file.read(0, 8));
  });
}

/** Reads the head of a sealed file, or of one on standard input. */
export function readSealed(path: string): Promise<Head> {
  return withInput(path, (file) => inspectHead(file.pieces()));
}
