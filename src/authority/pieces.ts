/** What somebody writes, piece after piece, for somebody who reads: the writer waits for the reader. */
export async function* piecesOf(
  write: (sink: (piece: Uint8Array) => Promise<void>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const channel = new TransformStream<Uint8Array, Uint8Array>();
  const writer = channel.writable.getWriter();
  const written = write((piece) => writer.write(piece)).then(
    () => writer.close(),
    (error) => writer.abort(error),
  );
  // Whoever reads is told of the error.
  written.catch(() => {});
  const reader = channel.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Whoever reads no more ends the writer, and waits for its end.
    await reader.cancel().catch(() => {});
    await written.catch(() => {});
  }
}
