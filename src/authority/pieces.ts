import { TwinwrapError } from "../errors.js";

interface Waiting {
  resolve: () => void;
  reject: (why: Error) => void;
}

/**
 * What somebody writes, piece after piece, for somebody who reads. A piece counts as written once its reader comes for
 * the next one: what the writer does after its last piece happens when all of them are where they should be.
 */
export async function* piecesOf(
  write: (sink: (piece: Uint8Array) => Promise<void>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let give: (piece: Uint8Array | undefined) => void = () => {};
  let writer: Waiting | undefined;
  let isOver = false;
  const next = () =>
    new Promise<Uint8Array | undefined>((resolve) => {
      give = resolve;
    });
  let coming = next();
  const written = write(
    (piece) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(nobodyReads());
        writer = { resolve, reject };
        give(piece);
      }),
  ).finally(() => give(undefined));
  // Whoever reads is told of the error.
  written.catch(() => {});
  try {
    for (;;) {
      const piece = await coming;
      if (piece === undefined) break;
      yield piece;
      coming = next();
      writer!.resolve();
    }
    await written;
  } finally {
    // Whoever reads no more ends the writer, and waits for its end.
    isOver = true;
    writer?.reject(nobodyReads());
    await written.catch(() => {});
  }
}

function nobodyReads(): TwinwrapError {
  return new TwinwrapError("ABORTED", "nobody takes what is written any more");
}
