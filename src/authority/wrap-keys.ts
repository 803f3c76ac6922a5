import { toHex, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { wrapKeyOf } from "../escrow/chain.js";
import type { Authority } from "../escrow/index.js";
import {
  fingerprint,
  identifyKey,
  type Passphrase,
  publicKeyOf,
  type RsaPrivateKey,
  readPrivateKey,
  wipePrivateKey,
} from "../keys/index.js";
import { withPassphrase } from "../keys/passphrase.js";
import type { Openers } from "./opener.js";

/** The file of an RSA private key, locked or not. */
export interface WrapKeyFile {
  name: string;
  /** Is wiped. */
  pem: Uint8Array;
}

/** The files of the authority's RSA keys: that of the one in use and those before it. They open into the openers. */
export class WrapKeys {
  readonly #core: Core;
  readonly #read: () => Promise<WrapKeyFile[]>;
  readonly #openers: Openers;
  /** The files whose keys are open. */
  readonly #done = new Set<string>();
  #isComplete = false;

  /** @param read gives all files, that of the key in use first */
  constructor(core: Core, openers: Openers, read: () => Promise<WrapKeyFile[]>) {
    this.#core = core;
    this.#openers = openers;
    this.#read = read;
  }

  /**
   * Opens those that are not locked, and all that the passphrase opens. It is asked for once.
   * @returns whether one is open
   * @throws TwinwrapError WRONG_PASSPHRASE if it opens none; BAD_KEY if one is not the authority's; UNAVAILABLE if
   *   there is no thread for them
   */
  async unlock(authority: Authority, passphrase: Passphrase | undefined): Promise<boolean> {
    // Threads that were lost took the keys along.
    if (this.#openers.keys.size === 0) this.#done.clear();
    else if (this.#isComplete) return true;
    const files = await this.#read();
    try {
      const closed = files.filter(({ name }) => !this.#done.has(name));
      const locked = closed.filter(({ pem }) => identifyKey(pem).kind === "locked");
      for (const file of closed) {
        if (!locked.includes(file)) await this.#add(authority, file);
      }
      if (locked.length > 0 && passphrase !== undefined) {
        // The person asked may have given none: opening a key shows whether it is right.
        await withPassphrase(passphrase, true, (secret) => this.#tryAll(authority, locked, secret));
      }
      this.#isComplete = files.every(({ name }) => this.#done.has(name));
      return this.#openers.keys.size > 0;
    } finally {
      wipe(...files.map(({ pem }) => pem));
    }
  }

  async #tryAll(
    authority: Authority,
    files: readonly WrapKeyFile[],
    passphrase: string | Uint8Array,
  ): Promise<void> {
    const wrong: unknown[] = [];
    for (const file of files) {
      try {
        await this.#add(authority, file, passphrase);
      } catch (error) {
        if (!(error instanceof TwinwrapError && error.code === "WRONG_PASSPHRASE")) throw error;
        wrong.push(error);
      }
    }
    if (wrong.length === files.length) throw wrong[0];
  }

  async #add(
    authority: Authority,
    { name, pem }: WrapKeyFile,
    passphrase?: string | Uint8Array,
  ): Promise<void> {
    const core = this.#core;
    let key: RsaPrivateKey | undefined;
    try {
      key = await readPrivateKey(pem, { core, passphrase, allowEmptyPassphrase: true });
      const mine = await fingerprint(publicKeyOf(key), { core });
      if (wrapKeyOf(authority, mine) === undefined) {
        throw new TwinwrapError(
          "BAD_KEY",
          `the RSA key ${toHex(mine)} (${name}) is none of this authority`,
        );
      }
      await this.#openers.add(toHex(mine), key);
      this.#done.add(name);
    } finally {
      if (key !== undefined) wipePrivateKey(key);
    }
  }
}
