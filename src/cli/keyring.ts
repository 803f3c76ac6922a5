import { equalBytes } from "../bytes.js";
import { present } from "../calls.node.js";
import type { Header } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { fingerprint, type RsaPrivateKey, wipePrivateKey } from "../keys/index.js";
import { type KeyringOptions, UsageError } from "./command.js";
import { defaultKeys, keyPath, readPrivateKeyFile, readPublicKeyFile } from "./key-files.js";
import { publicPath } from "./key-names.js";
import { isSealed } from "./sealed.js";

// The private keys of a command that opens sealed files. Which one a file needs shows in its header, so no passphrase
// is asked for a key that does not fit.

interface Candidate {
  path: string;
  /** 32 bytes, once it is known. */
  fingerprint?: Uint8Array;
  key?: RsaPrivateKey;
  opening?: Promise<RsaPrivateKey>;
}

export class Keyring {
  readonly #candidates: Candidate[];
  readonly #options: KeyringOptions;

  constructor(paths: readonly string[], options: KeyringOptions) {
    this.#candidates = paths.map((path) => ({ path }));
    this.#options = options;
  }

  /** Whether the header decides which key is opened. */
  get isChoice(): boolean {
    return this.#candidates.length > 1;
  }

  /**
   * The first key that a header has a wrap for. If there is none, all keys that were named, because a public key
   * beside one may be another's; but nobody is asked to unlock keys that they did not name.
   * @throws TwinwrapError NOT_A_RECIPIENT
   */
  async keysFor({ wraps }: Pick<Header, "wraps">): Promise<RsaPrivateKey[]> {
    if (!this.isChoice) return this.all();
    for (const mayAsk of [false, true]) {
      for (const one of this.#candidates) {
        await this.#look(one, mayAsk);
        const { fingerprint: mine } = one;
        if (mine !== undefined && wraps.some((wrap) => equalBytes(wrap.fingerprint, mine))) {
          return [await this.#open(one)];
        }
      }
    }
    if (this.#options.key !== undefined) return this.all();
    throw new TwinwrapError(
      "NOT_A_RECIPIENT",
      "the file is sealed for none of your keys: no wrap in its header names one",
    );
  }

  /** All keys, for a file whose header can't be looked at first. */
  async all(): Promise<RsaPrivateKey[]> {
    const keys: RsaPrivateKey[] = [];
    for (const one of this.#candidates) keys.push(await this.#open(one));
    return keys;
  }

  wipe(): void {
    for (const { key } of this.#candidates) if (key !== undefined) wipePrivateKey(key);
  }

  /** Finds out which key it is: by the public one beside it, or by itself. */
  async #look(one: Candidate, mayAsk: boolean): Promise<void> {
    if (one.fingerprint !== undefined) return;
    const beside = publicPath(one.path);
    if (!mayAsk && present(beside)?.isFile()) {
      const key = await readPublicKeyFile(beside).catch(noKey);
      if (key !== undefined) one.fingerprint = await fingerprint(key);
      return;
    }
    try {
      await this.#open(one, mayAsk);
    } catch (error) {
      const isLocked = error instanceof TwinwrapError && error.code === "PASSPHRASE_NEEDED";
      if (mayAsk || !isLocked) throw error;
    }
  }

  /** Opens a key once, whoever asks meanwhile: a passphrase is not asked for twice. */
  #open(one: Candidate, mayAsk = true): Promise<RsaPrivateKey> {
    one.opening ??= this.#read(one, mayAsk).catch((error) => {
      delete one.opening;
      throw error;
    });
    return one.opening;
  }

  async #read(one: Candidate, mayAsk: boolean): Promise<RsaPrivateKey> {
    const options = mayAsk ? this.#options : { passphrase: false };
    one.key = await readPrivateKeyFile(one.path, options).catch((error) => {
      // It is about the key, whatever file it was to open.
      if (error instanceof Error) Object.assign(error, { path: one.path });
      throw error;
    });
    one.fingerprint = await fingerprint(one.key);
    return one.key;
  }
}

/** What lies beside a key need not be its public half. */
function noKey(error: unknown): undefined {
  if (!(error instanceof TwinwrapError)) throw error;
}

/** Refuses what is easily mistaken: a sealed file after -k. @throws UsageError */
export async function checkNoFiles({ key = [] }: KeyringOptions): Promise<void> {
  for (const named of key) {
    if (present(named)?.isFile() && (await isSealed(named))) {
      throw new UsageError(`${named} is a sealed file: -k takes the private key that opens it`);
    }
  }
}

/** Works with the keys that -k names, or with the default ones, and wipes them. @throws UsageError if there are none */
export async function withKeyring<T>(
  options: KeyringOptions,
  work: (ring: Keyring) => Promise<T>,
): Promise<T> {
  await checkNoFiles(options);
  const { key: named } = options;
  const paths =
    named === undefined
      ? await defaultKeys()
      : await Promise.all(named.map((name) => keyPath(name, "private")));
  const ring = new Keyring([...new Set(paths)], options);
  try {
    return await work(ring);
  } finally {
    ring.wipe();
  }
}
