import { concatBytes } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { type Head, inspectHead } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import {
  article,
  type Message as Carried,
  decodeMessage,
  MAX_MESSAGE,
  startsSealedFile,
} from "../escrow/index.js";
import { ForeignFile, messagePieces } from "../escrow/message.js";
import { collectPieces } from "../files.node.js";
import { withInput } from "./io.js";
import { about, neverWeak } from "./report.js";

/** A message, or a sealed file, which holds messages. */
export type Message = Carried | { kind: "sealed file"; head: Head };
export type MessageKind = Message["kind"];

/**
 * Reads a message from a file.
 * @param kinds the kinds that the command takes
 * @throws TwinwrapError BAD_FORMAT that says what the file is, and what is needed
 */
export function readMessage<Kind extends MessageKind>(
  path: string,
  ...kinds: Kind[]
): Promise<Message & { kind: Kind }> {
  const needed = `needed is ${kinds.map(article).join(" or ")}`;
  return about(path, async () => {
    const message = await neverWeak(() => recognise(path)).catch((error) => {
      if (error instanceof ForeignFile) error.message += `; ${needed}`;
      throw error;
    });
    if ((kinds as string[]).includes(message.kind)) return message as Message & { kind: Kind };
    throw new TwinwrapError("BAD_FORMAT", `this is ${article(message.kind)}; ${needed}`);
  });
}

/** Reads the file only once, because it may be a pipe. */
function recognise(path: string): Promise<Message> {
  return withInput(path, async (file) => {
    const { start, all } = await peek(file.pieces(), 8);
    if (startsSealedFile(start)) return { kind: "sealed file", head: await inspectHead(all) };
    const bytes = await collectPieces(path, messagePieces(all), MAX_MESSAGE);
    return decodeMessage(await sharedCore(), bytes);
  });
}

/** Looks at the first bytes of a source. @returns these bytes, and the whole source */
async function peek(
  pieces: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ start: Uint8Array; all: AsyncIterable<Uint8Array> }> {
  const rest = pieces[Symbol.asyncIterator]();
  let start = new Uint8Array();
  while (start.length < length) {
    const next = await rest.next();
    if (next.done) break;
    start = concatBytes(start, next.value);
  }
  const all = async function* () {
    yield start;
    yield* { [Symbol.asyncIterator]: () => rest };
  };
  return { start, all: all() };
}
