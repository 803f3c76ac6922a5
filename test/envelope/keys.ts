import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import {
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
} from "twinwrap/keys";
import { preparedKeys } from "../prepared-keys.cjs";

/** A key pair made by node:crypto, in node's form and in ours. */
export interface Pair {
  node: { publicKey: KeyObject; privateKey: KeyObject };
  publicKey: RsaPublicKey;
  privateKey: RsaPrivateKey;
}

/** How many of the prepared keys of 2048 bits are for authorities. */
export const OFFICES = 10;
/** Keys that no office of test/authority has. */
const prepared = preparedKeys(2048).slice(OFFICES);

/** A pair that no other call gives in this process. */
export async function makePair(modulusLength = 2048): Promise<Pair> {
  const key = modulusLength === 2048 ? prepared.pop() : undefined;
  const node = key === undefined ? generateKeyPairSync("rsa", { modulusLength }) : pairOf(key);
  return {
    node,
    publicKey: await readPublicKey(node.publicKey.export({ type: "spki", format: "der" })),
    privateKey: await readPrivateKey(node.privateKey.export({ type: "pkcs8", format: "der" })),
  };
}

function pairOf(key: Buffer) {
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
