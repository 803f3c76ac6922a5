// What the body works on, made afresh by node:crypto, and the check of what comes back from an engine.

import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  pbkdf2Sync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
} from "node:crypto";
import { readFileSync } from "node:fs";
import type { HashName } from "twinwrap/core";
import { openIndependently, sealIndependently } from "../envelope/independent.js";
import { haveVectors, readVectorsJson } from "../vectors.js";
import { pattern } from "./body.js";

/** All bytes are base64, so that the material is JSON. */
export interface SymmetricCase {
  kind: "gcm" | "ctr" | "kw" | "kwp";
  key: string;
  iv: string;
  aad: string;
  plaintext: string;
  ciphertext: string;
}

export interface RsaCase {
  /** PKCS#8 */
  key: string;
  padding: "oaep" | "pkcs1-v1_5";
  message: string;
  ciphertext: string;
}

export interface Material {
  symmetric: SymmetricCase[];
  hashes: { name: HashName; data: string; digest: string; hmac: string; pbkdf2: string }[];
  rsa: RsaCase[];
  /** Sealed files; their plaintext is `pattern(length)`. */
  files: { name: string; key: string; data: string; length: number }[];
  /** An officer's file, and what they sign. */
  officer: { pem: string; message: string; signature: string };
  /** An authority's authority.json. */
  authority: string;
  /** A receipt of a record that was verified. */
  receipt: string;
}

/** What an engine made. */
export type Product = { from?: string } & (
  | { kind: "rsa"; key: string; padding: RsaCase["padding"]; data: string }
  | { kind: "file"; key: string; length: number; data: string }
);

const base64 = (data: Uint8Array) => Buffer.from(data).toString("base64");
const unbase64 = (text: string) => Buffer.from(text, "base64");

const GCM_LENGTHS = [
  0, 1, 15, 16, 17, 95, 96, 97, 127, 128, 129, 767, 768, 769, 1024, 4095, 4097, 16384, 65536, 65537,
  131072, 131073, 300_000,
];

function gcm(keyLength: number, length: number, ivLength = 12): SymmetricCase {
  const [key, iv, aad, plaintext] = [keyLength, ivLength, length % 41, length].map((n) =>
    randomBytes(n),
  ) as [Buffer, Buffer, Buffer, Buffer];
  const cipher = createCipheriv(`aes-${keyLength * 8}-gcm` as "aes-256-gcm", key, iv);
  cipher.setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return {
    kind: "gcm",
    key: base64(key),
    iv: base64(iv),
    aad: base64(aad),
    plaintext: base64(plaintext),
    ciphertext: base64(ciphertext),
  };
}

function other(kind: "ctr" | "kw" | "kwp", keyLength: number, length: number): SymmetricCase {
  const [key, plaintext] = [randomBytes(keyLength), randomBytes(length)];
  const [name, iv] = {
    ctr: [`aes-${keyLength * 8}-ctr`, randomBytes(16)],
    kw: [`id-aes${keyLength * 8}-wrap`, Buffer.alloc(8, 0xa6)],
    kwp: [`id-aes${keyLength * 8}-wrap-pad`, Buffer.from("a65959a6", "hex")],
  }[kind] as [string, Buffer];
  const cipher = createCipheriv(name, key, iv);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return {
    kind,
    key: base64(key),
    iv: base64(iv),
    aad: "",
    plaintext: base64(plaintext),
    ciphertext: base64(ciphertext),
  };
}

/** Wycheproof's AES-GCM cases that are valid, where the vectors are at hand. */
function published(): SymmetricCase[] {
  if (!haveVectors) return [];
  const hex = (text: string) => Buffer.from(text, "hex").toString("base64");
  return readVectorsJson("wycheproof/aes_gcm_test.json")
    .testGroups.flatMap(({ tests }: { tests: Record<string, string>[] }) => tests)
    .filter(({ result }: { result: string }) => result === "valid")
    .map(
      ({
        key,
        iv,
        aad,
        msg,
        ct,
        tag,
      }: Record<"key" | "iv" | "aad" | "msg" | "ct" | "tag", string>) => ({
        kind: "gcm",
        key: hex(key),
        iv: hex(iv),
        aad: hex(aad),
        plaintext: hex(msg),
        ciphertext: hex(ct + tag),
      }),
    );
}

const PADDINGS = {
  oaep: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" },
  "pkcs1-v1_5": { padding: constants.RSA_PKCS1_PADDING },
};

const pkcs8 = (key: KeyObject) => key.export({ type: "pkcs8", format: "der" }).toString("base64");

function officer(share: KeyObject): Material["officer"] {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = [privateKey, share].map((key) => key.export({ type: "pkcs8", format: "pem" }));
  const message = randomBytes(100);
  return {
    pem: base64(Buffer.from(pem.join(""))),
    message: base64(message),
    signature: base64(sign(null, message, privateKey)),
  };
}

const golden = (name: string) =>
  base64(readFileSync(new URL(`../golden/files/${name}`, import.meta.url)));

export function makeMaterial(): Material {
  const keys = [2048, 2048, 3072].map((modulusLength) =>
    generateKeyPairSync("rsa", { modulusLength }),
  );
  const names: HashName[] = ["SHA-1", "SHA-256", "SHA-512"];
  return {
    officer: officer(keys[0]!.privateKey),
    authority: golden("authority.json"),
    receipt: golden("receipt.json"),
    symmetric: [
      ...[16, 24, 32].flatMap((key) => GCM_LENGTHS.map((length) => gcm(key, length))),
      ...[1, 8, 16, 60].map((iv) => gcm(32, 1000, iv)),
      ...published(),
      ...[16, 24, 32].flatMap((key) =>
        GCM_LENGTHS.slice(1).map((length) => other("ctr", key, length)),
      ),
      ...[16, 24, 32].flatMap((key) =>
        [16, 24, 32, 40, 1024].map((length) => other("kw", key, length)),
      ),
      ...[16, 24, 32].flatMap((key) =>
        [1, 7, 8, 9, 20, 33, 1000].map((length) => other("kwp", key, length)),
      ),
    ],
    hashes: names.flatMap((name) =>
      [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 200_000].map((length) => {
        const data = randomBytes(length);
        const node = name.replace("-", "").toLowerCase();
        return {
          name,
          data: base64(data),
          digest: createHash(node).update(data).digest("base64"),
          hmac: createHmac(node, data).update(data).digest("base64"),
          pbkdf2: pbkdf2Sync(data, data, 3, 50, node).toString("base64"),
        };
      }),
    ),
    rsa: keys
      .flatMap(({ publicKey, privateKey }) =>
        (["oaep", "pkcs1-v1_5"] as const).map((padding) => {
          const message = randomBytes(32);
          const ciphertext = publicEncrypt({ key: publicKey, ...PADDINGS[padding] }, message);
          return {
            key: pkcs8(privateKey),
            padding,
            message: base64(message),
            ciphertext: base64(ciphertext),
          };
        }),
      )
      .sort((a, b) => a.padding.localeCompare(b.padding)),
    files: (["oaep", "pkcs1-v1_5"] as const).flatMap((padding) =>
      [0, 1, 16384, 100_000].map((length) => {
        const { publicKey, privateKey } = keys[0]!;
        const data = sealIndependently(Buffer.from(pattern(length)), publicKey, { padding });
        return {
          name: `a sealed file of ${length} bytes, ${padding}`,
          key: pkcs8(privateKey),
          data: base64(data),
          length,
        };
      }),
    ),
  };
}

/** Whether what an engine made is right; node:crypto judges. */
export function isRight(product: Product, { rsa }: Material): boolean {
  const key = createPrivateKey({ key: unbase64(product.key), type: "pkcs8", format: "der" });
  const data = unbase64(product.data);
  if (product.kind === "file") {
    return openIndependently(data, key).plaintext.equals(pattern(product.length));
  }
  const { message } = rsa.find(
    (one) => one.key === product.key && one.padding === product.padding,
  )!;
  if (product.padding === "oaep") {
    return privateDecrypt({ key, ...PADDINGS.oaep }, data).equals(unbase64(message));
  }
  // Taken apart by hand: what OpenSSL answers to a wrong padding may be another message.
  const block = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, data);
  const end = block.indexOf(0, 2);
  return (
    block.readUInt16BE(0) === 2 && end >= 10 && block.subarray(end + 1).equals(unbase64(message))
  );
}
