// A contender is one peer made ready for one operation on one size: checked first, then timed.
import { createHash } from "node:crypto";
import { expectedResult } from "./operations.mjs";
import { benchmarkSlice } from "./slice.mjs";

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A peer's way to do the operation, in this process. */
export async function localContender(offers, operation, size, { name, calls, verify } = {}) {
  const run = await operation.prepare(offers[operation.offer], size);
  const contender = { name, run, calls };
  return {
    name,
    digest: async () => digest(await run()),
    async check() {
      const result = await run();
      const right =
        verify === undefined
          ? (await expectedResult(operation, size)).equals(result)
          : verify(result, operation.input(size));
      if (!right) throw new Error("gives a wrong result");
    },
    slice: (seconds) => benchmarkSlice(contender, seconds),
  };
}

/** The same in the process behind `ask`. */
function remoteContender({ ask }, operation, size, { name }) {
  const question = { operation: operation.id, size };
  return {
    name,
    async check() {
      const answer = await ask({ ...question, digest: true });
      if (answer.digest !== digest(await expectedResult(operation, size)))
        throw new Error("gives a wrong result");
    },
    slice: async (seconds) => (await ask({ ...question, seconds })).samples,
  };
}

/** @returns undefined if the peer has no such operation */
export async function contender(peer, operation, size) {
  if (operation.context === false && peer.context) return undefined;
  if (size > peer.largest) return undefined;
  if (peer.keyLengths?.includes(operation.keyLength ?? 32) === false) return undefined;
  if (peer.offers.ask !== undefined) {
    return operation.local ? undefined : remoteContender(peer.offers, operation, size, peer);
  }
  if (peer.offers[operation.offer] === undefined) return undefined;
  return localContender(peer.offers, operation, size, peer);
}
