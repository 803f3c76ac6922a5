import { createHash, createPrivateKey, createPublicKey, type JsonWebKey } from "node:crypto";
import {
  fingerprint,
  generateKeyPair,
  identifyKey,
  KEY_FORMS,
  publicKeyOf,
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
  writePublicKey,
} from "twinwrap/keys";
import { describe, expect, test, vi } from "vitest";
import { jwk, makeKey } from "../core/rsa-reference.js";
import { haveOpenssl, openssl } from "../openssl.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";
import { testKey } from "./material.js";

const NUMBERS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const;

/** Our key as a JWK, which node:crypto gives of its keys too. */
function jwkOf(key: RsaPublicKey | RsaPrivateKey): JsonWebKey {
  const jwk: Record<string, string> = { kty: "RSA" };
  for (const name of NUMBERS) {
    const number = (key as RsaPrivateKey)[name];
    if (number !== undefined) jwk[name] = Buffer.from(number).toString("base64url");
  }
  return jwk;
}

/** Every form in which node writes this key, with what each one is. */
function formsOf(pem: Buffer): [string, Uint8Array, string, string][] {
  const secret = createPrivateKey(pem);
  const open = createPublicKey(pem);
  const forms: [string, Uint8Array, string, string][] = [];
  for (const format of ["pem", "der"] as const) {
    for (const type of ["pkcs8", "pkcs1"] as const) {
      const bytes = Buffer.from(secret.export({ format: format as "pem", type }));
      const structure = type === "pkcs8" ? "PrivateKeyInfo" : "RSAPrivateKey";
      forms.push([format, bytes, "private", structure]);
    }
    for (const type of ["spki", "pkcs1"] as const) {
      const bytes = Buffer.from(open.export({ format: format as "pem", type }));
      const structure = type === "spki" ? "SubjectPublicKeyInfo" : "RSAPublicKey";
      forms.push([format, bytes, "public", structure]);
    }
  }
  const json = (jwk: JsonWebKey) => Buffer.from(JSON.stringify(jwk));
  forms.push(["jwk", json(secret.export({ format: "jwk" })), "private", "JWK"]);
  forms.push(["jwk", json(open.export({ format: "jwk" })), "public", "JWK"]);
  return forms;
}

async function expectToRead(file: Uint8Array, kind: string, pem: Buffer): Promise<void> {
  const before = Buffer.from(file);
  expect(jwkOf(readPublicKey(file))).toEqual(createPublicKey(pem).export({ format: "jwk" }));
  if (kind === "private") {
    const theirs = createPrivateKey(pem).export({ format: "jwk" });
    expect(jwkOf(await readPrivateKey(file))).toEqual(theirs);
  } else {
    await expect(readPrivateKey(file)).rejects.toMatchObject({ code: "BAD_KEY" });
  }
  // Only copies were wiped.
  expect(before.equals(file)).toBe(true);
}

/** All our forms of a key are opened by node; DER and PEM are byte for byte what node writes. */
async function expectToWrite(pem: Buffer): Promise<void> {
  const theirs = createPrivateKey(pem);
  const open = createPublicKey(pem);
  const key = await readPrivateKey(pem);
  for (const format of ["pem", "der"] as const) {
    const spki = Buffer.from(open.export({ format: format as "pem", type: "spki" }));
    const pkcs8 = Buffer.from(theirs.export({ format: format as "pem", type: "pkcs8" }));
    expect(spki.equals(writePublicKey(key, format)), format).toBe(true);
    expect(pkcs8.equals(await writePrivateKey(key, format)), format).toBe(true);
  }
  const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());
  const jwk = parse(await writePrivateKey(key, "jwk"));
  expect(createPrivateKey({ key: jwk, format: "jwk" }).equals(theirs)).toBe(true);
  const publicJwk = parse(writePublicKey(key, "jwk"));
  expect(Object.keys(publicJwk)).toEqual(["kty", "n", "e"]);
  expect(createPublicKey({ key: publicJwk, format: "jwk" }).equals(open)).toBe(true);
}

describe.skipIf(!haveVectors)("keys of a real CryptoAPI (needs ../shared/vectors)", () => {
  const capi = (path: string) => readVectors(`capi/${path}`);
  const names: string[] = haveVectors
    ? Object.keys(readVectorsJson("capi/manifest.json").keys)
    : [];

  test.each(names)("%s: every form is read, and written as node and CryptoAPI do", async (name) => {
    const pem = capi(`keys/${name}.pem`);
    for (const [form, bytes, kind, structure] of formsOf(pem)) {
      expect(identifyKey(bytes)).toEqual({ form, kind, structure });
      await expectToRead(bytes, kind, pem);
    }
    const privateBlob = capi(`keys/${name}.privatekeyblob`);
    const publicBlob = capi(`keys/${name}.publickeyblob`);
    expect(identifyKey(privateBlob)).toMatchObject({ form: "msblob", kind: "private" });
    expect(identifyKey(publicBlob)).toMatchObject({ form: "msblob", kind: "public" });
    await expectToRead(privateBlob, "private", pem);
    await expectToRead(publicBlob, "public", pem);
    await expectToWrite(pem);
    const key = await readPrivateKey(pem);
    expect(privateBlob.equals(await writePrivateKey(key, "msblob"))).toBe(true);
    expect(publicBlob.equals(writePublicKey(key, "msblob"))).toBe(true);
  });

  test("keys with p < q are among them", async () => {
    const keys = await Promise.all(
      names.map((name) => readPrivateKey(capi(`keys/${name}.privatekeyblob`))),
    );
    const smaller = keys.filter(({ p, q }) => Buffer.compare(p, q) < 0);
    expect(smaller.length).toBeGreaterThan(0);
    expect(smaller.length).toBeLessThan(keys.length);
  });

  test("a PRIVATEKEYBLOB without d: d is computed", async () => {
    const pem = capi("keys/owner2-2048.pem");
    const jwk = jwkOf(await readPrivateKey(capi("negatives/035.bin")));
    const theirs = createPrivateKey(pem).export({ format: "jwk" });
    // d modulo lcm(p - 1, q - 1) may be another number than CryptoAPI's, of the same effect.
    expect({ ...jwk, d: "" }).toEqual({ ...theirs, d: "" });
    const again = createPrivateKey({ key: jwk, format: "jwk" });
    expect(createPublicKey(again as never).equals(createPublicKey(pem))).toBe(true);
  });

  test("broken keys among the negatives are named as such", async () => {
    const altered = { code: "BAD_KEY", message: expect.stringContaining("n is not the product") };
    await expect(readPrivateKey(capi("negatives/038.bin"))).rejects.toMatchObject(altered);
    const read = (number: string) => () => readPublicKey(capi(`negatives/${number}.bin`));
    expect(read("038")).toThrow(expect.objectContaining(altered));
    expect(read("033")).toThrow(/modulus is even/);
    expect(read("031")).toThrow(expect.objectContaining({ code: "BAD_BLOB", nte: "NTE_BAD_VER" }));
    expect(read("032")().n.length).toBe(256);
    expect(read("000")).toThrow(/this is a SIMPLEBLOB/);
    expect(read("039")).toThrow(/this is a PLAINTEXTKEYBLOB/);
  });
});

describe.skipIf(!haveOpenssl)("with OpenSSL (needs openssl)", () => {
  test.each([1032, 2056])("a fresh key of %i bits in every form, both ways", async (bits) => {
    const pem = openssl(["genrsa", String(bits)]);
    for (const [, bytes, kind] of formsOf(pem)) await expectToRead(bytes, kind, pem);
    await expectToWrite(pem);
    await expectToRead(openssl(["rsa", "-outform", "MSBLOB"], pem), "private", pem);
    await expectToRead(openssl(["rsa", "-outform", "MSBLOB", "-pubout"], pem), "public", pem);
    const key = await readPrivateKey(pem);
    const back = openssl(["rsa", "-inform", "MSBLOB"], await writePrivateKey(key, "msblob"));
    expect(createPrivateKey(back).equals(createPrivateKey(pem))).toBe(true);
    const text = openssl(["pkey", "-check", "-noout"], await writePrivateKey(key, "pem"));
    expect(text.toString()).toContain("valid");
  });

  // `openssl genrsa 2049` makes keys of 2048 bits: these are of the bits they say.
  test.each([1017, 1023, 1025, 2047, 2049])(
    "a modulus of %i bits, for which a blob has a byte only in part",
    async (bits) => {
      const theirs = createPrivateKey({ key: jwk(makeKey(bits)), format: "jwk" });
      expect(theirs.asymmetricKeyDetails?.modulusLength).toBe(bits);
      const pem = Buffer.from(theirs.export({ format: "pem", type: "pkcs8" }));
      for (const [, bytes, kind] of formsOf(pem)) await expectToRead(bytes, kind, pem);
      await expectToWrite(pem);
      const key = await readPrivateKey(pem);
      const whole = 8 * Math.ceil(bits / 8);
      for (const [ours, args, kind] of [
        [await writePrivateKey(key, "msblob"), [], "private"],
        [writePublicKey(key, "msblob"), ["-pubout"], "public"],
      ] as const) {
        // CryptoAPI has whole bytes, and so have we; OpenSSL writes the bits there are. Both are read.
        const blob = openssl(["rsa", "-outform", "MSBLOB", ...args], pem);
        expect([blob.readUInt32LE(12), Buffer.from(ours).readUInt32LE(12)]).toEqual([bits, whole]);
        expect(blob.subarray(16).equals(ours.subarray(16))).toBe(true);
        await expectToRead(blob, kind, pem);
        await expectToRead(ours, kind, pem);
      }
      const blob = await writePrivateKey(key, "msblob");
      const back = createPrivateKey(openssl(["rsa", "-inform", "MSBLOB"], blob));
      expect(back.equals(theirs)).toBe(true);
      const file = openssl(["rsa", "-outform", "PVK", "-pvk-none"], pem);
      expect(file.readUInt32LE(24 + 12)).toBe(bits);
      await expectToRead(file, "private", pem);
      // A modulus longer than its length says is damage.
      const less = Buffer.from(blob);
      less.writeUInt32LE(bits - 1, 12);
      const refused = { nte: "NTE_BAD_DATA" };
      if (bits % 8 !== 1) await expect(readPrivateKey(less)).rejects.toMatchObject(refused);
    },
  );

  test.each(["3", "17", "4294967295"])("exponent %s", async (e) => {
    const bits = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
    const pem = openssl([...bits, "-pkeyopt", `rsa_keygen_pubexp:${e}`]);
    await expectToRead(pem, "private", pem);
    await expectToWrite(pem);
  });

  test("the fingerprint is what openssl computes", async () => {
    const pem = Buffer.from(testKey());
    const der = openssl(["pkey", "-pubout", "-outform", "DER"], pem);
    const digest = openssl(["dgst", "-sha256", "-binary"], der);
    expect(digest.equals(await fingerprint(readPublicKey(pem)))).toBe(true);
  });
});

test("the fingerprint is SHA-256 over the SPKI, whatever the key came in", async () => {
  const pem = Buffer.from(testKey());
  const spki = createPublicKey(pem).export({ format: "der", type: "spki" });
  const expected = createHash("sha256").update(spki).digest();
  for (const [, bytes] of formsOf(pem)) {
    expect(expected.equals(await fingerprint(readPublicKey(bytes)))).toBe(true);
  }
  const { n, e } = readPublicKey(pem);
  const padded = { n: Uint8Array.from([0, 0, ...n]), e: Uint8Array.from([0, ...e]) };
  expect(expected.equals(await fingerprint(padded))).toBe(true);
});

describe("generation", () => {
  test("a pair is sound and of the size asked for", async () => {
    const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
    const theirs = createPrivateKey(Buffer.from(await writePrivateKey(privateKey, "pem")));
    const details = { modulusLength: 2048, publicExponent: 65537n };
    expect(theirs.asymmetricKeyDetails).toMatchObject(details);
    expect(publicKeyOf(privateKey)).toEqual(publicKey);
    for (const form of KEY_FORMS) {
      expect(await readPrivateKey(await writePrivateKey(privateKey, form))).toEqual(privateKey);
      if (form === "pvk") {
        const error = expect.objectContaining({ code: "BAD_ARGUMENT" });
        expect(() => writePublicKey(publicKey, form)).toThrow(error);
      } else expect(readPublicKey(writePublicKey(publicKey, form))).toEqual(publicKey);
    }
  });

  test("3072 bits are the default; odd sizes are refused", async () => {
    expect((await generateKeyPair()).publicKey.n.length).toBe(384);
    for (const bits of [1024, 2047, 2049, 16392, Number.NaN]) {
      await expect(generateKeyPair({ bits })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    }
  });

  test("what WebCrypto gave of the private key is wiped", async () => {
    const given: ArrayBuffer[] = [];
    const { subtle } = crypto;
    const { exportKey } = subtle;
    const spy = vi.spyOn(subtle, "exportKey").mockImplementation(async (_, key) => {
      const der = await exportKey.call(subtle, "pkcs8", key);
      given.push(der as ArrayBuffer);
      return der as ArrayBuffer;
    });
    await generateKeyPair({ bits: 2048 }).finally(() => spy.mockRestore());
    expect(given).toHaveLength(1);
    expect(given[0]!.byteLength).toBeGreaterThan(1000);
    expect(new Uint8Array(given[0]!).every((byte) => byte === 0)).toBe(true);
  });

  test("without WebCrypto, one clear line", async () => {
    const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
    Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
    try {
      await expect(generateKeyPair()).rejects.toMatchObject({
        code: "UNSUPPORTED",
        message: expect.stringContaining("WebCrypto is missing"),
      });
    } finally {
      Object.defineProperty(globalThis, "crypto", real);
    }
  });
});
