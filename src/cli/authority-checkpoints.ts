import { sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type AuthorityFile,
  parseIdentity,
  parseProof,
  type Receipt,
  receiptFromJson,
} from "../escrow/index.js";
import { type Message, readMessage } from "./messages.js";

const KINDS = ["receipt", "release", "sealed file", "checkpoint"] as const;
type Holding = Message & { kind: (typeof KINDS)[number] };

/** The checkpoints of an authority's logs in a file that somebody kept. @param logs their origins */
function checkpointsIn(path: string, message: Holding, logs: readonly string[]): string[] {
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
        logs.some((name) => note.startsWith(`${name}\n`)),
      );
      if (found.length > 0) return found;
      throw new TwinwrapError("BAD_FORMAT", `${path}: it holds no receipt of this authority`);
    }
  }
}

/** The checkpoints in files that are kept elsewhere. @throws TwinwrapError BAD_FORMAT */
export async function knownIn(paths: readonly string[], { logKeys }: Authority): Promise<string[]> {
  const logs = logKeys.map(({ name }) => name);
  const notes: string[] = [];
  for (const path of paths) {
    notes.push(...checkpointsIn(path, await readMessage(path, ...KINDS), logs));
  }
  return notes;
}

/** The same, and every authority.json among them. @throws TwinwrapError BAD_FORMAT */
export async function knownWithFiles(
  paths: readonly string[],
  { logKeys }: Authority,
): Promise<{ checkpoints: string[]; files: AuthorityFile[] }> {
  const core = await sharedCore();
  const files: AuthorityFile[] = [];
  const others: [path: string, message: Holding][] = [];
  for (const path of paths) {
    const message = await readMessage(path, ...KINDS, "authority");
    if (message.kind === "authority") files.push(message.authority);
    else others.push([path, message]);
  }
  // They may know logs that the store has lost.
  const identities = files.flatMap((file) =>
    file.identities.map((one) => parseIdentity(core, one)),
  );
  const logs = [...logKeys, ...identities.map(({ log }) => log)].map(({ name }) => name);
  return {
    checkpoints: others.flatMap(([path, message]) => checkpointsIn(path, message, logs)),
    files,
  };
}
