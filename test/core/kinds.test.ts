import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  pbkdf2Sync,
  privateDecrypt,
  publicEncrypt,
  webcrypto,
} from "node:crypto";
import vm from "node:vm";
import { TwinwrapError } from "twinwrap";
import { type Bytes, type Core, loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { testKey } from "../keys/material.js";

// What the core takes as bytes, and what it refuses: against node:crypto.

let core: Core;
beforeAll(async () => {
  core = await loadCore();
});

const hex = (bytes: Uint8Array | ArrayBuffer) => Buffer.from(bytes as ArrayBuffer).toString("hex");
const rsaKey = () => {
  const privateKey = createPrivateKey(testKey());
  return { privateKey, jwk: privateKey.export({ format: "jwk" }) };
};
const utf8 = (text: string) => Buffer.from(text);

/** Each takes bytes and shows them in another shape. */
const SHAPES: Record<string, (bytes: Uint8Array) => Bytes> = {
  Uint8Array: (bytes) => Uint8Array.from(bytes),
  Buffer: (bytes) => Buffer.from(bytes),
  ArrayBuffer: (bytes) => Uint8Array.from(bytes).buffer,
  DataView: (bytes) => new DataView(Uint8Array.of(0, ...bytes, 0).buffer, 1, bytes.length),
  Uint16Array: (bytes) => new Uint16Array(Uint8Array.from(bytes).buffer),
  Float64Array: (bytes) => new Float64Array(Uint8Array.from(bytes).buffer),
  "Uint8Array of another realm": vm.runInNewContext("(bytes) => Uint8Array.from(bytes)"),
  "ArrayBuffer of another realm": vm.runInNewContext("(bytes) => Uint8Array.from(bytes).buffer"),
  "Uint8Array of shared memory": (bytes) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return shared;
  },
  "Uint8Array of memory that can grow": (bytes) => {
    const options = { maxByteLength: 2 * bytes.length };
    // TypeScript's ES2022 does not know the second argument yet.
    const buffer = Reflect.construct(ArrayBuffer, [bytes.length, options]) as ArrayBuffer;
    const growing = new Uint8Array(buffer);
    growing.set(bytes);
    return growing;
  },
};

const key = utf8("a key of 32 bytes, none too good");
const salt = utf8("salt of 16 bytes");
const data = utf8("data of 16 bytes");
const iv = utf8("IV, 8 b.");

describe.each(Object.entries(SHAPES))("%s", (_, shape) => {
  test("hashes, HMAC and derivations", () => {
    const digest = createHash("sha256").update(data).digest("hex");
    expect(hex(core.sha256(shape(data)))).toBe(digest);
    expect(hex(core.sha1(shape(data)))).toBe(createHash("sha1").update(data).digest("hex"));
    expect(hex(core.sha512(shape(data)))).toBe(createHash("sha512").update(data).digest("hex"));
    expect(hex(core.hasher("SHA-256").update(shape(data)).digest())).toBe(digest);
    for (const [name, node] of [
      ["SHA-1", "sha1"],
      ["SHA-256", "sha256"],
      ["SHA-512", "sha512"],
    ] as const) {
      expect(hex(core.hmac(name, shape(key), shape(data)))).toBe(
        createHmac(node, key).update(data).digest("hex"),
      );
      expect(hex(core.pbkdf2(name, shape(key), shape(salt), 10, 40))).toBe(
        pbkdf2Sync(key, salt, 10, 40, node).toString("hex"),
      );
      const prk = core.hmac(name, shape(salt), shape(key));
      expect(hex(core.hkdfExpand(name, prk, shape(data), 40))).toBe(
        hex(hkdfSync(node, key, salt, data, 40)),
      );
      expect(hex(core.hkdfExpand(name, shape(key), shape(data), 20))).toBe(
        createHmac(node, key).update(data).update(Uint8Array.of(1)).digest("hex").slice(0, 40),
      );
    }
  });

  test("AES", async () => {
    const gcm = core.aesGcm(shape(key));
    const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(salt);
    const sealed = Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
    expect(hex(gcm.encrypt(shape(iv), shape(data), shape(salt)))).toBe(hex(sealed));
    expect(hex(gcm.decrypt(shape(iv), shape(sealed), shape(salt)))).toBe(hex(data));
    const [encryptor, decryptor] = [
      gcm.encryptor(shape(iv), shape(salt)),
      gcm.decryptor(shape(iv), shape(salt)),
    ];
    expect(hex(Buffer.concat([encryptor.update(shape(data)), encryptor.final()]))).toBe(
      hex(sealed),
    );
    expect(hex(decryptor.update(shape(sealed)))).toBe(hex(data));
    decryptor.final();
    core.input.set(data);
    gcm.encryptWindow(shape(iv), data.length, shape(salt));
    expect(hex(core.output.slice(0, 32))).toBe(hex(sealed));
    core.input.set(sealed);
    gcm.decryptWindow(shape(iv), data.length, shape(sealed.subarray(16)), shape(salt));
    expect(hex(core.output.slice(0, 16))).toBe(hex(data));

    const ctr = createCipheriv("aes-256-ctr", key, salt).update(data);
    expect(hex(core.aesCtr(shape(key)).xor(shape(salt), shape(data)))).toBe(hex(ctr));
    const cbc = createCipheriv("aes-256-cbc", key, salt);
    const padded = Buffer.concat([cbc.update(data), cbc.final()]);
    expect(hex(core.aesCbc(shape(key)).encrypt(shape(salt), shape(data)))).toBe(hex(padded));
    expect(hex(core.aesCbc(shape(key)).decrypt(shape(salt), shape(padded)))).toBe(hex(data));
    const cfb = createCipheriv("aes-256-cfb8", key, salt).update(data);
    expect(hex(core.aesCfb8(shape(key)).decrypt(shape(salt), shape(cfb)))).toBe(hex(data));
    for (const [name, ours] of [
      ["id-aes256-wrap", core.aesKw(shape(key))],
      ["id-aes256-wrap-pad", core.aesKwp(shape(key))],
    ] as const) {
      const start = Buffer.from(name === "id-aes256-wrap" ? "a6a6a6a6a6a6a6a6" : "a65959a6", "hex");
      const wrap = createCipheriv(name, key, start);
      const wrapped = Buffer.concat([wrap.update(salt), wrap.final()]);
      expect(hex(ours.wrap(shape(salt)))).toBe(hex(wrapped));
      expect(hex(ours.unwrap(shape(wrapped)))).toBe(hex(salt));
    }
  });

  test("RSA", () => {
    const { privateKey, jwk } = rsaKey();
    const numbers = Object.fromEntries(
      Object.entries(jwk)
        .filter(([name]) => name !== "kty")
        // A byte of zeros in front, so that the length is even.
        .map(([name, value]) => {
          const number = Buffer.from(value as string, "base64url");
          return [name, shape(Buffer.concat([Buffer.alloc(8 - (number.length % 8)), number]))];
        }),
    );
    const publicKey = core.rsaPublicKey(numbers as never);
    const ours = core.rsaPrivateKey(numbers as never);
    const block = publicKey.encrypt(shape(key), { padding: "oaep", label: shape(salt) });
    const oaep = { key: privateKey, oaepHash: "sha1", oaepLabel: salt };
    expect(hex(privateDecrypt(oaep, block))).toBe(hex(key));
    const theirs = publicEncrypt(
      { key: createPublicKey(privateKey), padding: constants.RSA_PKCS1_PADDING },
      key,
    );
    for (const found of [
      ours.decrypt(shape(theirs), { padding: "pkcs1-v1_5" }),
      ours.decryptChecked(shape(theirs), { padding: "pkcs1-v1_5" }),
      ours.unwrapKey(shape(theirs), { padding: "pkcs1-v1_5", length: 32 }),
      ours.decrypt(shape(block), { padding: "oaep", label: shape(salt) }),
    ]) {
      expect(hex(found)).toBe(hex(key));
    }
    publicKey.dispose();
    ours.dispose();
  });
});

test("what WebCrypto exports wraps as it is", async () => {
  const { privateKey, jwk } = rsaKey();
  const session = await webcrypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, [
    "encrypt",
  ]);
  const raw = await webcrypto.subtle.exportKey("raw", session);
  const publicKey = core.rsaPublicKey({
    n: Buffer.from(jwk.n!, "base64url"),
    e: Buffer.from(jwk.e!, "base64url"),
  });
  const block = publicKey.encrypt(raw, { padding: "oaep" });
  publicKey.dispose();
  expect(hex(privateDecrypt({ key: privateKey, oaepHash: "sha1" }, block))).toBe(hex(raw));
  expect(() => core.aesGcm(session as never)).toThrow("not an object (CryptoKey)");
});

test("text is no bytes: two passwords of one length never give one key", () => {
  const bytes = new Uint8Array(32);
  for (const [what, call] of Object.entries({
    password: (text: never) => core.pbkdf2("SHA-256", text, salt, 1, 32),
    salt: (text: never) => core.pbkdf2("SHA-256", key, text, 1, 32),
    key: (text: never) => core.hmac("SHA-256", text, data),
    data: (text: never) => core.sha256(text),
    prk: (text: never) => core.hkdfExpand("SHA-256", text, data, 32),
    info: (text: never) => core.hkdfExpand("SHA-256", bytes, text, 32),
    message: (text: never) => {
      const { jwk } = rsaKey();
      const publicKey = core.rsaPublicKey({
        n: Buffer.from(jwk.n!, "base64url"),
        e: Buffer.from(jwk.e!, "base64url"),
      });
      return publicKey.encrypt(text, { padding: "oaep" });
    },
  })) {
    for (const value of ["any 13 letters", "", [1, 2, 3], { length: 5 }, { length: -3 }, 7, null]) {
      const refused = expect(() => call(value as never), `${what} ${typeof value}`);
      refused.toThrow(TwinwrapError);
      refused.toThrow(`the ${what} must be bytes`);
    }
    expect(() => call(Promise.resolve(key) as never)).toThrow("await it");
  }
});

test("options are known, and belong to their padding", () => {
  const { jwk } = rsaKey();
  const number = (text: string | undefined) => Buffer.from(text!, "base64url");
  const publicKey = core.rsaPublicKey({ n: number(jwk.n), e: number(jwk.e) });
  for (const [options, message] of [
    [undefined, "options.padding must be one of"],
    [{ padding: "OAEP" }, "options.padding must be one of"],
    [{ padding: "oaep", hash: "sha256" }, "options.hash must be one of"],
    [{ padding: "oaep", mgfHash: "SHA-1" }, 'there is no "mgfHash"'],
    [{ padding: "oaep", label: "text" }, "options.label must be bytes"],
    [{ padding: "pkcs1-v1_5", label: key }, "pkcs1-v1_5 has neither"],
    [{ padding: "oaep", length: 32 }, 'there is no "length"'],
  ] as const) {
    expect(() => publicKey.encrypt(key, options as never)).toThrow(message);
  }
  publicKey.dispose();
  expect(() => core.rsaPublicKey({ n: jwk.n, e: jwk.e } as never)).toThrow("the RSA key.n must be");
});

test("text where the core's file is asked for is no URL, and bytes that are no core are none", async () => {
  const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  for (const [options, code] of [
    [{ wasm: "core.wasm" }, "BAD_ARGUMENT"],
    [{ wasm: null }, "BAD_ARGUMENT"],
    [{ wasm: Promise.resolve(5) }, "BAD_ARGUMENT"],
    [{ wasm: empty }, "BAD_ARGUMENT"],
    [{ wasm: new WebAssembly.Module(empty) }, "BAD_ARGUMENT"],
    [{ wasm: empty.subarray(1) }, "BAD_ARGUMENT"],
    [{ wasm: new URL("twinwrap-test:nowhere") }, "UNAVAILABLE"],
    [{ build: "fast" }, "BAD_ARGUMENT"],
    [{ file: "core.wasm" }, "BAD_ARGUMENT"],
    ["core.wasm", "BAD_ARGUMENT"],
    [null, "BAD_ARGUMENT"],
  ] as const) {
    await expect(loadCore(options as never)).rejects.toMatchObject({ name: "TwinwrapError", code });
  }
});
