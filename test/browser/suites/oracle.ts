// Answers what the suites ask of node:crypto and of files while they run in a page (crypto.ts asks).
import * as node from "node:crypto";
import { readFileSync } from "node:fs";
import { haveVectors, readVectors } from "../../vectors.js";
import type { Ciphering, KeyInput } from "./crypto.js";
import { decode, encode } from "./wire.js";

const plain = (bytes: Uint8Array) => new Uint8Array(bytes);

const restored = (input: KeyInput) =>
  // biome-ignore lint/suspicious/noExplicitAny: as the suite gave it
  ({ ...input, key: input.key instanceof Uint8Array ? Buffer.from(input.key) : input.key }) as any;
const privateKey = (input: KeyInput) => node.createPrivateKey(restored(input));
const publicKey = (input: KeyInput) => node.createPublicKey(restored(input));

// biome-ignore lint/suspicious/noExplicitAny: each as crypto.ts calls it
const ANSWERS: Record<string, (...args: any[]) => unknown> = {
  cipher({ decrypt, name, key, iv, steps }: Ciphering) {
    const make = decrypt ? node.createDecipheriv : node.createCipheriv;
    const cipher = make(name as "aes-256-gcm", key, iv as Uint8Array);
    const outputs = steps.map(([method, given]) => {
      if (method === "update") return plain(cipher.update(given as Uint8Array));
      if (method === "setAAD") cipher.setAAD(given as Uint8Array);
      else cipher.setAutoPadding(given as boolean);
      return undefined;
    });
    try {
      const last = plain(cipher.final());
      const tag = "getAuthTag" in cipher && /gcm/.test(name) && plain(cipher.getAuthTag());
      return { outputs, last, tag };
    } catch (error) {
      return { outputs, error: String(error) };
    }
  },
  hash: (name: string, parts: Uint8Array[], key: Uint8Array | null) => {
    const hash = key === null ? node.createHash(name) : node.createHmac(name, key);
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },
  pbkdf2: (...args: Parameters<typeof node.pbkdf2Sync>) => plain(node.pbkdf2Sync(...args)),
  prime: (bits: number) => node.generatePrimeSync(bits, { bigint: true }),
  jwk: (input: KeyInput) => privateKey(input).export({ format: "jwk" }),
  decrypt: (input: KeyInput, options: object, data: Uint8Array) =>
    plain(node.privateDecrypt({ ...options, key: privateKey(input) }, data)),
  encrypt: (input: KeyInput, options: object, data: Uint8Array) =>
    plain(node.publicEncrypt({ ...options, key: publicKey(input) }, data)),
  haveVectors: () => haveVectors,
  vectors: (path: string) => readVectors(path).toString("utf8"),
  file: (name: string) => readFileSync(new URL(`../../core/${name}`, import.meta.url), "utf8"),
};

/** @param question the name of an answer and its arguments */
export function answer(question: string): string {
  const [what, ...args] = decode(question);
  try {
    return encode({ value: ANSWERS[what]!(...args) });
  } catch (error) {
    return encode({ error: String(error) });
  }
}
