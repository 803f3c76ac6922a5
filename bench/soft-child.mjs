// The process behind bench/peers/node-crypto-soft.mjs: node:crypto, started so that OpenSSL does
// without AES instructions, timed slice by slice as it is told.
import { localContender } from "./contenders.mjs";
import { operation } from "./operations.mjs";
import { nodeCrypto } from "./peers/node-crypto.mjs";

const ready = new Map();

async function answer({ operation: id, size, digest, seconds }) {
  if (id === undefined) return {};
  const name = `${id} ${size}`;
  if (!ready.has(name)) ready.set(name, await localContender(nodeCrypto, operation(id), size));
  const contender = ready.get(name);
  return digest
    ? { digest: await contender.digest() }
    : { samples: await contender.slice(seconds) };
}

process.on("message", (question) => {
  answer(question).then(
    (result) => process.send(result),
    (error) => process.send({ error: String(error) }),
  );
});
