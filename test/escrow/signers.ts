import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Signer } from "twinwrap/escrow";

/** A signer over a private key of node:crypto. */
export function signerFor(name: string, key: KeyObject): Signer {
  const { x } = key.export({ format: "jwk" });
  return {
    name,
    publicKey: new Uint8Array(Buffer.from(x!, "base64url")),
    sign: async (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** A fresh signer. */
export function newSigner(name: string): Signer {
  return signerFor(name, generateKeyPairSync("ed25519").privateKey);
}

/** The private key of RFC 8032's 32 bytes. */
export function fromSeed(seed: Uint8Array): KeyObject {
  const head = Buffer.from("302e020100300506032b657004220420", "hex"); // RFC 8410, section 7
  return createPrivateKey({ key: Buffer.concat([head, seed]), format: "der", type: "pkcs8" });
}
