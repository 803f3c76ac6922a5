import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
} from "twinwrap/keys";

/** A key pair made by node:crypto, in node's form and in ours. */
export interface Pair {
  node: { publicKey: KeyObject; privateKey: KeyObject };
  publicKey: RsaPublicKey;
  privateKey: RsaPrivateKey;
}

export async function makePair(modulusLength = 2048): Promise<Pair> {
  const node = generateKeyPairSync("rsa", { modulusLength });
  return {
    node,
    publicKey: await readPublicKey(node.publicKey.export({ type: "spki", format: "der" })),
    privateKey: await readPrivateKey(node.privateKey.export({ type: "pkcs8", format: "der" })),
  };
}
