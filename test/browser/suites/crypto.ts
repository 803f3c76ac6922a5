// node:crypto, node:fs and the vectors as the core's suites use them, for a page: node itself answers
// (oracle.ts), and the page waits for it. So the suites have in a browser the oracles that they have in Node.
import { Buffer } from "./buffer.js";
import { decode, encode } from "./wire.js";

/** Thrown by an oracle that one test has asked often enough: a question takes milliseconds. */
export class Enough extends Error {}

/** What a test may ask of ciphers and hashes; those of "every length" ask thousands of questions. */
const ENOUGH = 1000;
const CIPHER = 10;
const HASH = 1;
let asked = 0;

/** Before a test. */
export function askAfresh(): void {
  asked = 0;
}

/** @throws Enough */
function count(weight: number): void {
  asked += weight;
  if (asked > ENOUGH) throw new Enough();
}

// biome-ignore lint/suspicious/noExplicitAny: each as oracle.ts answers it
function ask(...question: unknown[]): any {
  const request = new XMLHttpRequest();
  request.open("POST", "/oracle", false);
  request.send(encode(question));
  const { value, error } = decode(request.responseText);
  if (error !== undefined) throw new Error(`${question[0]}: ${error}`);
  return value;
}

/** What has been asked of a cipher so far. */
export interface Ciphering {
  decrypt: boolean;
  name: string;
  key: Uint8Array;
  iv: Uint8Array | null;
  steps: ["update" | "setAAD" | "setAutoPadding", Uint8Array | boolean][];
}

/** What came out of it, and how it ends. */
interface Ending {
  outputs: Uint8Array[];
  last?: Uint8Array;
  tag?: Uint8Array;
  error?: string;
}

/** Asks for everything again with each piece. */
class Cipher {
  readonly #work: Ciphering;
  #answer: Ending | undefined;

  constructor(decrypt: boolean, name: string, key: Uint8Array, iv: Uint8Array | null) {
    this.#work = { decrypt, name, key, iv, steps: [] };
  }

  #step(...step: Ciphering["steps"][number]): this {
    this.#work.steps.push(step);
    this.#answer = undefined;
    return this;
  }

  #ask() {
    const answer: Ending = this.#answer ?? ask("cipher", this.#work);
    this.#answer = answer;
    return answer;
  }

  setAAD = (aad: Uint8Array) => this.#step("setAAD", aad.slice());
  setAutoPadding = (padded: boolean) => this.#step("setAutoPadding", padded);

  update(data: Uint8Array): Buffer {
    // Whether it decrypts may be what a test wants to know: it is answered always.
    if (!this.#work.decrypt) count(CIPHER);
    this.#step("update", data.slice());
    return Buffer.from(this.#ask().outputs.at(-1)!);
  }

  final(): Buffer {
    const { last, error } = this.#ask();
    if (error !== undefined) throw new Error(error);
    return Buffer.from(last!);
  }

  getAuthTag = () => Buffer.from(this.#ask().tag!);
}

export const createCipheriv = (name: string, key: Uint8Array, iv: Uint8Array | null) =>
  new Cipher(false, name, key, iv);
export const createDecipheriv = (name: string, key: Uint8Array, iv: Uint8Array | null) =>
  new Cipher(true, name, key, iv);

class Hash {
  readonly #parts: Uint8Array[] = [];
  readonly #name: string;
  readonly #key: Uint8Array | undefined;

  constructor(name: string, key?: Uint8Array) {
    this.#name = name;
    this.#key = key;
  }

  update(part: Uint8Array): this {
    this.#parts.push(part.slice());
    return this;
  }

  digest(encoding: "hex"): string;
  digest(): Buffer;
  digest(encoding?: "hex"): Buffer | string {
    count(HASH);
    const digest = Buffer.from(ask("hash", this.#name, this.#parts, this.#key ?? null));
    return encoding === undefined ? digest : digest.toString(encoding);
  }
}

export const createHash = (name: string) => new Hash(name);
export const createHmac = (name: string, key: Uint8Array) => new Hash(name, key);
export const pbkdf2Sync = (...args: unknown[]) => Buffer.from(ask("pbkdf2", ...args));
export const generatePrimeSync = (bits: number): bigint => ask("prime", bits);

export function randomBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65536));
  }
  return bytes;
}

export interface KeyInput {
  key: unknown;
}

/** A key is what it was made from. */
class Key {
  readonly input: KeyInput;

  constructor(input: KeyInput) {
    this.input = input;
  }

  export = () => ask("jwk", this.input);
}

export const createPrivateKey = (input: KeyInput) => new Key(input);
export const createPublicKey = (input: KeyInput | Key) =>
  new Key(input instanceof Key ? input.input : input);
export const privateDecrypt = ({ key, ...options }: { key: Key }, data: Uint8Array) =>
  Buffer.from(ask("decrypt", key.input, options, data));
export const publicEncrypt = ({ key, ...options }: { key: Key }, data: Uint8Array) =>
  Buffer.from(ask("encrypt", key.input, options, data));
/** OpenSSL's, rsa.h. */
export const constants = { RSA_NO_PADDING: 3, RSA_PKCS1_OAEP_PADDING: 4 };

// node:fs, for the files beside the suites; and ../vectors.ts.
export const readFileSync = (url: URL): string => ask("file", url.pathname.slice(1));
export const haveVectors: boolean = ask("haveVectors");
// biome-ignore lint/suspicious/noExplicitAny: as in vectors.ts
export const readVectorsJson = (path: string): any => JSON.parse(ask("vectors", path));
