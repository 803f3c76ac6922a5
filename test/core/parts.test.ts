// What browsers find embedded. Its parts make, byte for byte, the files that all other tests of the core are about, so
// that every function in a part is one that the constant-time gate has seen. A page carries only the parts that it
// needs: here they do what they are for.
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { inflateSync } from "node:zlib";
import { TwinwrapError } from "twinwrap";
import { describe, expect, test } from "vitest";
import { assemble } from "#build/core/bodies.js";
import { part as whole } from "#build/core/embedding.js";
import { part as aes } from "#build/core/embedding-aes.js";
import { part as opening } from "#build/core/embedding-opening.js";
import { part as sealing } from "#build/core/embedding-sealing.js";
import { Instance } from "#build/core/instance.js";
import { OpeningOnly } from "#build/core/opening.js";
import type { Part } from "#build/core/parts.js";
import { SealingOnly } from "#build/core/sealing.js";
import { shipped } from "../ct/build.js";
import { codeOf } from "../ct/wasm.js";

// As pages load it.
const { default: make }: { default(lent: object): typeof import("#build/core/relaxed.js") } =
  await import(new URL("../../build/core/relaxed-late.js", import.meta.url).href);
const { assembleRelaxed: makeRelaxed } = make({ TwinwrapError });
const assembleRelaxed = async (parts: readonly Part[]) =>
  makeRelaxed(parts, await Promise.all(parts.map(({ relaxed }) => relaxed!())));
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const PARTS = [sealing, opening, whole];
const MISSING = "00000b";

/** The bodies of a module's functions. */
function bodiesOf(module: Uint8Array): Uint8Array[] {
  const code = codeOf(module);
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = code[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  return Array.from({ length: number() }, () => {
    const length = number();
    at += length;
    return code.subarray(at - length, at);
  });
}

/** What node:crypto finds in an RSA block. It takes v1.5's padding off no more. */
function decryptInNode(block: Uint8Array, padding: number): string {
  if (padding !== constants.RSA_PKCS1_PADDING) {
    return privateDecrypt({ key: pair.privateKey, padding }, block).toString("hex");
  }
  const raw = privateDecrypt({ key: pair.privateKey, padding: constants.RSA_NO_PADDING }, block);
  expect([raw[0], raw[1], raw.indexOf(0, 2) >= 10]).toEqual([0, 2, true]);
  return raw.subarray(raw.indexOf(0, 2) + 1).toString("hex");
}

test("together they are the files that the build made", async () => {
  expect(hashOf(await assemble(PARTS))).toBe(hashOf(shipped("core")));
  expect(hashOf(await assembleRelaxed(PARTS))).toBe(hashOf(shipped("core-relaxed")));
  expect(hashOf(inflateSync(Buffer.from(aes.text, "base64")))).toBe(hashOf(shipped("core-aes")));
});

test.each([
  ["core", assemble],
  ["core-relaxed", assembleRelaxed],
] as const)("fewer are %s without some of its functions, and nothing else", async (file, make) => {
  const bodies = (module: Uint8Array) =>
    bodiesOf(module).map((body) => Buffer.from(body).toString("hex"));
  const all = bodies(shipped(file));
  let before = 0;
  for (const count of [1, 2]) {
    const some = bodies(await make(PARTS.slice(0, count)));
    const there = some.filter((body) => body !== MISSING).length;
    expect(there).toBeGreaterThan(before + 10);
    before = there;
    expect(some.map((body, i) => (body === MISSING ? all[i] : body))).toEqual(all);
  }
  expect(all).not.toContain(MISSING);
});

const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = pair.privateKey.export({ format: "jwk" });
const number = (name: "n" | "e" | "d" | "p" | "q" | "dp" | "dq" | "qi") =>
  new Uint8Array(Buffer.from(jwk[name]!, "base64url"));
const publicKey = { n: number("n"), e: number("e") };
const privateKey = {
  ...publicKey,
  ...{ d: number("d"), p: number("p"), q: number("q") },
  ...{ dp: number("dp"), dq: number("dq"), qi: number("qi") },
};
const PADDINGS = [
  ["oaep", constants.RSA_PKCS1_OAEP_PADDING],
  ["pkcs1-v1_5", constants.RSA_PKCS1_PADDING],
] as const;

describe("what sealing needs", async () => {
  const module = await WebAssembly.compile(await assemble([sealing]));
  const core = new SealingOnly(await Instance.create(module));

  test("AES-GCM, both ways: a pool works with this module too", () => {
    const [key, iv, text] = [randomBytes(32), randomBytes(12), randomBytes(16_384)];
    const cipher = createCipheriv("aes-256-gcm", key, iv);
    const expected = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    const gcm = core.aesGcm(key);
    expect(Buffer.compare(gcm.encrypt(iv, text), expected)).toBe(0);
    expect(Buffer.compare(gcm.decrypt(iv, expected), text)).toBe(0);
    expected[0]! ^= 1;
    expect(() => gcm.decrypt(iv, expected)).toThrow("decryption failed");
    // It is for chunks: what is longer than the windows is refused.
    expect(() => gcm.encrypt(iv, randomBytes(70_000))).toThrow("longer than the core's windows");
    expect(() => gcm.decrypt(iv, randomBytes(70_000))).toThrow("longer than the core's windows");
    gcm.dispose();
  });

  test("hashes, HKDF and comparison", () => {
    const data = randomBytes(100_000);
    expect(Buffer.from(core.sha256(data)).toString("hex")).toBe(hashOf(data));
    // RFC 5869 has no vectors for SHA-512; HKDF-Expand of one block is HMAC(prk, info || 1).
    const [prk, info] = [randomBytes(32), randomBytes(200)];
    const expected = createHmac("sha512", prk).update(info).update(Buffer.of(1)).digest();
    expect(Buffer.compare(core.hkdfExpand("SHA-512", prk, info, 64), expected)).toBe(0);
    expect(core.equal(prk, new Uint8Array(prk))).toBe(true);
    expect(core.equal(prk, randomBytes(32))).toBe(false);
  });

  test.each(PADDINGS)("RSA for the public key, %s", (padding, number) => {
    const message = randomBytes(32);
    const key = core.rsaPublicKey(publicKey);
    const block = key.encrypt(message, { padding });
    key.dispose();
    expect(decryptInNode(block, number)).toEqual(message.toString("hex"));
  });
});

describe("what opening needs", async () => {
  const module = await WebAssembly.compile(await assemble([sealing, opening]));
  const core = new OpeningOnly(await Instance.create(module));

  test.each(PADDINGS)("RSA for the private key, %s", (padding, number) => {
    const message = randomBytes(32);
    const block = publicEncrypt({ key: pair.publicKey, padding: number }, message);
    const key = core.rsaPrivateKey(privateKey);
    const options = { padding, length: 32 };
    expect(Buffer.from(key.unwrapKey(block, options)).toString("hex")).toBe(
      message.toString("hex"),
    );
    // Another block gives a key all the same.
    block[100]! ^= 1;
    const other = key.unwrapKey(block, options);
    expect(other.length).toBe(32);
    expect(Buffer.compare(other, message)).not.toBe(0);
    key.dispose();
  });

  test("all that sealing needs", () => {
    expect(Buffer.from(core.sha256(new Uint8Array(3))).toString("hex")).toBe(
      hashOf(Buffer.alloc(3)),
    );
  });
});
