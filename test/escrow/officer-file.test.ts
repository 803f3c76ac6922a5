import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  verify,
} from "node:crypto";
import {
  readOfficerKey,
  readOfficerPublicKeys,
  readOfficerShareKey,
  writeOfficerKeys,
  writeOfficerPublicKeys,
} from "twinwrap/escrow";
import { generateKeyPair, readPrivateKey, readPublicKey, writePrivateKey } from "twinwrap/keys";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { writeEd25519PublicKey } from "#build/keys/ed25519.js";
import { haveOpenssl, openssl } from "../openssl.js";
import { SeedKey } from "./signers.js";

// Independent: node:crypto's own PEM readers and, where it is there, the openssl binary.

const ITERATIONS = 1000;
const message = randomBytes(100);

async function signedBy(key: SeedKey): Promise<Uint8Array> {
  return key.signer("example").sign(message);
}

describe("Ed25519 keys", () => {
  test("sign what node:crypto verifies", async () => {
    const key = SeedKey.generate();
    const publicKey = createPublicKey(Buffer.from(writeEd25519PublicKey(key.publicKey)).toString());
    expect(verify(null, message, publicKey, await signedBy(key))).toBe(true);
    expect(verify(null, randomBytes(100), publicKey, await signedBy(key))).toBe(false);
    expect(key.signer("a name")).toMatchObject({ name: "a name", publicKey: key.publicKey });
  });

  test.each([undefined, "open sesame", randomBytes(20)])(
    "are written, locked or not",
    async (passphrase) => {
      const key = SeedKey.generate();
      const pem = await key.write({ passphrase, iterations: ITERATIONS });
      const read = await SeedKey.read(pem, { passphrase });
      expect(read.publicKey).toEqual(key.publicKey);
      const options = {
        key: Buffer.from(pem),
        format: "pem",
        ...(passphrase && { passphrase: Buffer.from(passphrase) }),
      } as const;
      const foreign = createPublicKey(createPrivateKey(options) as never);
      expect(verify(null, message, foreign, await signedBy(read))).toBe(true);
    },
  );

  test("that node:crypto wrote are read", async () => {
    const key = SeedKey.generate();
    const pem = createPrivateKey(Buffer.from(await key.write()).toString()).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "x",
    });
    const read = await SeedKey.read(Buffer.from(pem), { passphrase: "x" });
    expect(read.publicKey).toEqual(key.publicKey);
  });

  test("stay closed for a wrong passphrase, each time with the same error", async () => {
    const pem = await SeedKey.generate().write({ passphrase: "right", iterations: ITERATIONS });
    await expect(SeedKey.read(pem)).rejects.toMatchObject({ code: "PASSPHRASE_NEEDED" });
    // One in 256 has padding that fits.
    for (let i = 0; i < 600; i++) {
      await expect(SeedKey.read(pem, { passphrase: `wrong ${i}` })).rejects.toMatchObject({
        code: "WRONG_PASSPHRASE",
      });
    }
  });

  test("are told from others", async () => {
    const { privateKey } = await generateKeyPair({ bits: 2048 });
    const rsa = await writePrivateKey(privateKey, "pem");
    await expect(SeedKey.read(rsa)).rejects.toMatchObject({ code: "BAD_KEY" });
    const locked = await writePrivateKey(privateKey, "pem", {
      passphrase: "x",
      iterations: ITERATIONS,
    });
    await expect(SeedKey.read(locked, { passphrase: "x" })).rejects.toMatchObject({
      code: "BAD_KEY",
    });
    const pub = writeEd25519PublicKey(SeedKey.generate().publicKey);
    await expect(SeedKey.read(pub)).rejects.toMatchObject({ code: "BAD_KEY" });
    for (const text of [
      "",
      "hello",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ]) {
      await expect(SeedKey.read(Buffer.from(text))).rejects.toMatchObject({
        code: "BAD_FORMAT",
      });
    }
    await expect(SeedKey.read(Buffer.alloc(65537))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });
});

describe("an officer's two keys", () => {
  let rsa: Awaited<ReturnType<typeof generateKeyPair>>;
  const key = SeedKey.generate();
  beforeAll(async () => {
    rsa = await generateKeyPair({ bits: 3072 });
  });

  test("stand in one file, locked with one passphrase", async () => {
    const passphrase = "three officers";
    const keys = { seed: key.seed, shareKey: rsa.privateKey };
    const file = await writeOfficerKeys(keys, { passphrase, iterations: ITERATIONS });
    expect((await readOfficerKey(file, { passphrase })).publicKey).toEqual(key.publicKey);
    expect(await readOfficerShareKey(file, { passphrase })).toEqual(rsa.privateKey);
    await expect(readOfficerKey(file, { passphrase: "two" })).rejects.toMatchObject({
      code: "WRONG_PASSPHRASE",
    });
    await expect(readOfficerShareKey(file)).rejects.toMatchObject({ code: "PASSPHRASE_NEEDED" });
    // To others the first of them is the file's key; as an RSA key it is refused.
    expect(createPrivateKey({ key: Buffer.from(file), passphrase }).asymmetricKeyType).toBe(
      "ed25519",
    );
    await expect(readPrivateKey(file, { passphrase })).rejects.toMatchObject({ code: "BAD_KEY" });
  });

  test("are read however mail and editors left them, and under any label", async () => {
    const keys = { publicKey: key.publicKey, shareKey: rsa.publicKey };
    const open = Buffer.from(writeOfficerPublicKeys(keys)).toString();
    const secret = Buffer.from(
      await writeOfficerKeys({ seed: key.seed, shareKey: rsa.privateKey }),
    ).toString();
    for (const change of [
      (pem: string) => pem.replaceAll("\n", "\r\n"),
      (pem: string) => `\ufeff${pem}`,
      (pem: string) => `My keys:\n${pem.replace(/^/gm, "  ")}\n\n`,
      (pem: string) => pem.replaceAll("\n", "\\n"),
      (pem: string) =>
        pem.replaceAll(" PRIVATE KEY", " RSA PRIVATE KEY").replaceAll(" PUBLIC", " RSA PUBLIC"),
    ]) {
      expect(readOfficerPublicKeys(Buffer.from(change(open)))).toEqual(keys);
      const file = Buffer.from(change(secret));
      expect((await readOfficerKey(file)).publicKey).toEqual(key.publicKey);
      expect(await readOfficerShareKey(file)).toEqual(rsa.privateKey);
    }
  });

  test("open with the passphrase in the other normal form of Unicode", async () => {
    const passphrase = "Grüße".normalize("NFD");
    const keys = { seed: key.seed, shareKey: rsa.privateKey };
    const file = await writeOfficerKeys(keys, { passphrase, iterations: ITERATIONS });
    const given = { passphrase: passphrase.normalize("NFC") };
    expect((await readOfficerKey(file, given)).publicKey).toEqual(key.publicKey);
    expect(await readOfficerShareKey(file, given)).toEqual(rsa.privateKey);
  });

  test("have a public half in one file", async () => {
    const keys = { publicKey: key.publicKey, shareKey: rsa.publicKey };
    const file = writeOfficerPublicKeys(keys);
    expect(readOfficerPublicKeys(file)).toEqual(keys);
    const [first, second] = Buffer.from(file)
      .toString()
      .split(/(?<=-----END PUBLIC KEY-----\n)/);
    expect(createPublicKey(first!).export({ format: "jwk" }).x).toBe(
      Buffer.from(key.publicKey).toString("base64url"),
    );
    expect(readPublicKey(Buffer.from(second!))).toEqual(rsa.publicKey);
    const swapped = Buffer.from(`${second}${first}`);
    expect(() => readOfficerPublicKeys(swapped)).toThrow(
      expect.objectContaining({ code: "BAD_KEY" }),
    );
    for (const wrong of [first!, `${file}${first}`, ""]) {
      expect(() => readOfficerPublicKeys(Buffer.from(wrong))).toThrow(
        expect.objectContaining({ code: "BAD_FORMAT" }),
      );
    }
  });

  test.skipIf(!haveOpenssl)("are read by OpenSSL (needs the openssl binary)", async () => {
    const file = await writeOfficerKeys({ seed: key.seed, shareKey: rsa.privateKey });
    const text = openssl(["pkey", "-noout", "-text"], file).toString();
    expect(text).toMatch(/^ED25519 Private-Key/);
    expect(text.replace(/[^0-9a-f]/g, "")).toContain(Buffer.from(key.publicKey).toString("hex"));
  });

  test("leave nothing behind where the second cannot be written", async () => {
    const wiped: string[] = [];
    const { fill } = Uint8Array.prototype;
    const spy = vi.spyOn(Uint8Array.prototype, "fill").mockImplementation(function (
      this: Uint8Array,
      ...about
    ) {
      wiped.push(Buffer.from(this).toString());
      return fill.apply(this, about);
    });
    const wrong = { ...rsa.privateKey, d: Uint8Array.of(3) };
    const writing = writeOfficerKeys({ seed: key.seed, shareKey: wrong });
    await expect(writing.finally(() => spy.mockRestore())).rejects.toMatchObject({
      code: "BAD_KEY",
    });
    const first = Buffer.from(await key.write()).toString();
    expect(wiped).toContain(first);
  });
});

test("what stands behind a key's bytes is malformed, not a fault of Node's", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  // SEQUENCE, INTEGER 0, SEQUENCE of the OID, OCTET STRING of an OCTET STRING
  const behindKey = Buffer.from([...der, 0]);
  const behindOid = Buffer.from([...der.subarray(0, 12), 5, 0, ...der.subarray(12)]);
  for (const at of [1, 13]) behindKey[at]! += 1;
  for (const at of [1, 6]) behindOid[at]! += 2;
  for (const wrong of [behindKey, behindOid]) {
    const pem = `-----BEGIN PRIVATE KEY-----\n${wrong.toString("base64")}\n-----END PRIVATE KEY-----\n`;
    await expect(SeedKey.read(Buffer.from(pem))).rejects.toMatchObject({ code: "BAD_FORMAT" });
  }
});
