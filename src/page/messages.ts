import { sharedCore } from "../core/index.js";
import { article, decodeMessage, type Message, type MessageKind } from "../escrow/index.js";
import { readAll } from "./files.js";
import { PageError } from "./words.js";

/** Reads a message of the kind that is needed. @throws PageError that says what it is instead */
export async function readMessage<Kind extends MessageKind>(
  file: File,
  kind: Kind,
): Promise<Message & { kind: Kind }> {
  const message = decodeMessage(await sharedCore(), await readAll(file));
  if (message.kind === kind) return message as Message & { kind: Kind };
  throw new PageError(`${file.name} is ${article(message.kind)}; needed is ${article(kind)}.`);
}
