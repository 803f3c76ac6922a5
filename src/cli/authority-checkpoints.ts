import { TwinwrapError } from "../errors.js";
import { type Authority, parseProof, type Receipt, receiptFromJson } from "../escrow/index.js";
import { readMessage } from "./messages.js";

/** The checkpoints of an authority's logs in a file that somebody kept. */
async function checkpointsIn(path: string, { logKeys }: Authority): Promise<string[]> {
  const message = await readMessage(path, "receipt", "release", "sealed file", "checkpoint");
  const proofs = (items: { proof: string }[]) =>
    items.map(({ proof }) => parseProof(proof).checkpoint);
  switch (message.kind) {
    case "checkpoint":
      return [message.note];
    case "receipt":
      return proofs([message.receipt]);
    case "release":
      return [...new Set(proofs(message.release.releases))];
    case "sealed file": {
      const receipts = message.head.header.escrows
        .map(({ receipt }) => receipt)
        .filter((receipt) => receipt !== undefined)
        .map((receipt): Receipt => receiptFromJson(receipt));
      const found = proofs(receipts).filter((note) =>
        logKeys.some(({ name }) => note.startsWith(`${name}\n`)),
      );
      if (found.length > 0) return found;
      throw new TwinwrapError("BAD_FORMAT", `${path}: it holds no receipt of this authority`);
    }
  }
}

/** The checkpoints in files that are kept elsewhere. @throws TwinwrapError BAD_FORMAT */
export async function knownIn(paths: string[], authority: Authority): Promise<string[]> {
  const notes: string[] = [];
  for (const path of paths) notes.push(...(await checkpointsIn(path, authority)));
  return notes;
}
