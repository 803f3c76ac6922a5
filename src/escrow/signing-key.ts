import { importEd25519 } from "#ed25519-signing";
import { bytesOf, needText } from "../arguments.js";
import type { Signer } from "./note.js";

const needSeed = bytesOf(32);

/** An Ed25519 private key that signs notes. It stays inside the platform's cryptography. */
export class SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #sign: Signer["sign"];

  private constructor(publicKey: Uint8Array, sign: Signer["sign"]) {
    this.publicKey = publicKey;
    this.#sign = sign;
  }

  /**
   * @param seed the private key, 32 bytes (RFC 8032, section 5.1.5); the caller wipes it
   * @throws TwinwrapError BAD_ARGUMENT; UNSUPPORTED where the engine does not sign with Ed25519
   */
  static async from(seed: Uint8Array): Promise<SigningKey> {
    const { publicKey, sign } = await importEd25519(needSeed(seed, "the private key"));
    return new SigningKey(publicKey, sign);
  }

  /** Signs notes under a name. @throws TwinwrapError BAD_ARGUMENT */
  signer(name: string): Signer {
    return { name: needText(name, "the name"), publicKey: this.publicKey, sign: this.#sign };
  }
}
