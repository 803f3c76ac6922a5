import { sharedCore } from "../core/index.js";
import { decodeMessage, type Message, type MessageKind } from "../escrow/index.js";
import { MESSAGE_START, messageLimit } from "../escrow/message.js";
import { readAll } from "./files.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";

/** Reads a file that should be a message. @throws PageError if it is too large for one */
export async function readMessageBytes(file: File): Promise<Uint8Array<ArrayBuffer>> {
  const start = new Uint8Array(await file.slice(0, MESSAGE_START).arrayBuffer());
  return readAll(file, messageLimit(start));
}

/** Reads a message of the kind that is needed. @throws PageError that says what the file is instead */
export async function readMessage<Kind extends MessageKind>(
  file: File,
  kind: Kind,
): Promise<Message & { kind: Kind }> {
  const message = decodeMessage(await sharedCore(), await readMessageBytes(file));
  if (message.kind === kind) return message as Message & { kind: Kind };
  throw new PageError(
    TEXTS.words.isInstead(file.name, TEXTS.kinds[message.kind], TEXTS.kinds[kind]),
  );
}
