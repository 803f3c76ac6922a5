import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { type Signer, SigningKey } from "twinwrap/escrow";
import { type LockOptions, readEd25519Key, writeEd25519Key } from "#build/keys/ed25519.js";

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

/** An Ed25519 key whose private half is at hand; it signs by the product. */
export class SeedKey {
  readonly seed: Uint8Array;
  /** By node:crypto. */
  readonly publicKey: Uint8Array;

  constructor(seed: Uint8Array) {
    this.seed = seed;
    this.publicKey = signerFor("", fromSeed(seed)).publicKey;
  }

  static generate(): SeedKey {
    return new SeedKey(randomBytes(32));
  }

  static async read(
    pem: Uint8Array,
    options?: Parameters<typeof readEd25519Key>[1],
  ): Promise<SeedKey> {
    return new SeedKey(await readEd25519Key(pem, options));
  }

  write(options?: LockOptions): Promise<Uint8Array> {
    return writeEd25519Key(this.seed, options);
  }

  signer(name: string): Signer {
    const { publicKey, seed } = this;
    const sign = async (message: Uint8Array) =>
      (await SigningKey.from(seed)).signer(name).sign(message);
    return { name, publicKey, sign };
  }
}
