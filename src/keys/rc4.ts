import { copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

/**
 * RC4 (as RFC 6229 tests it): encrypts or decrypts, which is the same. Locked PVK files and old
 * CryptoAPI files need it, and none of the libraries kept here has it; OpenSSL 3, and so Node, has
 * switched it off. It is weak (RFC 7465): it is here to read what exists, and what it writes is not
 * protected. The addresses that it touches follow the key, so it is outside the constant-time claim.
 */
export class Rc4 {
  readonly #state = newBytes(256);
  #i = 0;
  #j = 0;

  /**
   * @param key 1 to 256 bytes; a key is for one message only
   * @throws TwinwrapError BAD_ARGUMENT for a key of another length
   */
  constructor(key: Uint8Array) {
    if (key.length < 1 || key.length > 256) {
      throw new TwinwrapError("BAD_ARGUMENT", "an RC4 key has 1 to 256 bytes");
    }
    const state = this.#state;
    for (let i = 0; i < 256; i++) state[i] = i;
    for (let i = 0, j = 0; i < 256; i++) {
      j = (j + state[i]! + key[i % key.length]!) & 0xff;
      [state[i], state[j]] = [state[j]!, state[i]!];
    }
  }

  /** The next bytes of the message: as many as `data` has. */
  update(data: Uint8Array): Uint8Array<ArrayBuffer> {
    const state = this.#state;
    const output = copyBytes(data);
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < output.length; at++) {
      i = (i + 1) & 0xff;
      j = (j + state[i]!) & 0xff;
      [state[i], state[j]] = [state[j]!, state[i]!];
      output[at]! ^= state[(state[i]! + state[j]!) & 0xff]!;
    }
    this.#i = i;
    this.#j = j;
    return output;
  }

  /** Wipes the state, which is as good as the key. */
  dispose(): void {
    wipe(this.#state);
  }
}

/**
 * A whole message through {@link Rc4}.
 * @param key 1 to 256 bytes; a key is for one message only
 * @throws TwinwrapError BAD_ARGUMENT for a key of another length
 */
export function rc4(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = new Rc4(key);
  try {
    return cipher.update(data);
  } finally {
    cipher.dispose();
  }
}
