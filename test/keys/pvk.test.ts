import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generatePrimeSync,
  randomBytes,
} from "node:crypto";
import { describeBlob } from "twinwrap/blob";
import {
  identifyKey,
  type KeyForm,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
  writePublicKey,
} from "twinwrap/keys";
import { beforeAll, describe, expect, test } from "vitest";
import { toHex } from "#build/bytes.js";
import { type BigKey, bitLength, jwk, keyFromPrimes, makeKey } from "../core/rsa-reference.js";
import { haveOpenssl, openssl, opensslWithFile } from "../openssl.js";
import { testKey } from "./material.js";

// Every form of a key into every other, beside what openssl writes of MSBLOB and PVK, and node:crypto
// of JWK, PEM and DER. The lock of PVK files is written once more here, with node's SHA-1 and
// openssl's RC4.

const LEGACY = ["-provider", "legacy", "-provider", "default"];
const haveLegacy =
  haveOpenssl &&
  (() => {
    try {
      return openssl(["enc", "-rc4", "-K", "00".repeat(16), ...LEGACY]).length === 0;
    } catch {
      return false;
    }
  })();
const PASSPHRASE = "correct horse Batterie 電池";
const spoken = `pass:${PASSPHRASE}`;

/** A PVK file locked as its description says, made of one that is not. */
function lockedWith(plain: Uint8Array, salt: Uint8Array, keyBytes: 5 | 16): Buffer {
  const file = Buffer.from(plain);
  const hash = createHash("sha1").update(salt).update(PASSPHRASE).digest().subarray(0, keyBytes);
  const key = Buffer.concat([hash, Buffer.alloc(16 - keyBytes)]).toString("hex");
  const header = Buffer.from(file.subarray(0, 24));
  header.writeUInt32LE(1, 12);
  header.writeUInt32LE(16, 16);
  const body = openssl(["enc", "-rc4", "-K", key, ...LEGACY], file.subarray(32));
  return Buffer.concat([header, salt, file.subarray(24, 32), body]);
}

/** A short number is one with a byte less than its place in a blob. */
function withShort(name: "d" | "dp" | "dq"): BigKey {
  const room = name === "d" ? 1024 : 512;
  const { p, q } = makeKey(1024, 3n);
  for (let e = 5n; ; e += 2n) {
    try {
      const key = keyFromPrimes(p, q, e);
      if (bitLength(key[name]) <= room - 8) return key;
    } catch {
      // e and (p - 1)(q - 1) share a factor
    }
  }
}

/** The same of qi, which does not depend on e: of some primes any two. */
function withShortQi(): BigKey {
  for (const primes: bigint[] = []; ; ) {
    const prime = generatePrimeSync(512, { bigint: true });
    for (const other of primes) {
      for (const [p, q] of [[prime, other] as const, [other, prime] as const]) {
        const key = keyFromPrimes(p, q, 65537n);
        if (bitLength(key.n) === 1024 && bitLength(key.qi) <= 504) return key;
      }
    }
    primes.push(prime);
  }
}

function swapped(): BigKey {
  const { p, q } = makeKey(1024);
  return p < q ? keyFromPrimes(p, q, 65537n) : keyFromPrimes(q, p, 65537n);
}

describe.skipIf(!haveOpenssl)("every form into every other (needs openssl)", () => {
  const keys: [string, () => BigKey][] = [
    ["1024 bits", () => makeKey(1024)],
    ["1536 bits", () => makeKey(1536)],
    ["2048 bits", () => makeKey(2048)],
    ["3072 bits", () => makeKey(3072)],
    ["4096 bits", () => makeKey(4096)],
    ["1032 bits: half of the bytes is not whole", () => makeKey(1032)],
    ["p < q", swapped],
    ["a short d", () => withShort("d")],
    ["a short dp", () => withShort("dp")],
    ["a short dq", () => withShort("dq")],
    ["a short qi", withShortQi],
    ["e = 3", () => makeKey(1024, 3n)],
    ["e = 2^32 - 1", () => makeKey(1024, 2n ** 32n - 1n)],
  ];

  test.each(keys)("%s", async (_, make) => {
    const theirs = createPrivateKey({ key: jwk(make()), format: "jwk" });
    const open = createPublicKey(theirs);
    const bytes = (content: string | Buffer) => Buffer.from(content);
    const pem = bytes(theirs.export({ format: "pem", type: "pkcs8" }));
    const secret: Record<KeyForm, Buffer> = {
      pem,
      der: bytes(theirs.export({ format: "der", type: "pkcs8" })),
      jwk: bytes(JSON.stringify(theirs.export({ format: "jwk" }))),
      msblob: openssl(["rsa", "-outform", "MSBLOB"], pem),
      pvk: openssl(["rsa", "-outform", "PVK", "-pvk-none"], pem),
    };
    const shown: Omit<Record<KeyForm, Buffer>, "pvk"> = {
      pem: bytes(open.export({ format: "pem", type: "spki" })),
      der: bytes(open.export({ format: "der", type: "spki" })),
      jwk: bytes(JSON.stringify(open.export({ format: "jwk" }))),
      msblob: openssl(["rsa", "-outform", "MSBLOB", "-pubout"], pem),
    };
    /** The same bytes; of a JWK, whose text may be laid out in any way, the same members. */
    const same = (from: string, to: string, ours: Uint8Array, file: Buffer) => {
      const plain = (content: Uint8Array) =>
        to === "jwk" ? JSON.parse(Buffer.from(content).toString()) : toHex(content);
      expect(plain(ours), `${from} to ${to}`).toEqual(plain(file));
    };
    for (const [from, file] of Object.entries(secret)) {
      expect(identifyKey(file)).toMatchObject({ form: from, kind: "private" });
      const key = await readPrivateKey(file);
      for (const [to, expected] of Object.entries(secret)) {
        same(from, to, await writePrivateKey(key, to as KeyForm), expected);
      }
      same(from, "der", writePublicKey(readPublicKey(file), "der"), shown.der);
    }
    for (const [from, file] of Object.entries(shown)) {
      for (const [to, expected] of Object.entries(shown)) {
        same(from, to, writePublicKey(readPublicKey(file), to as KeyForm), expected);
      }
    }
    // And back again: what is written is what openssl reads.
    const key = await readPrivateKey(pem);
    for (const form of ["MSBLOB", "PVK"] as const) {
      const written = await writePrivateKey(key, form.toLowerCase() as KeyForm);
      const back = opensslWithFile(written, (path) => ["rsa", "-inform", form, "-in", path]);
      expect(createPrivateKey(back).equals(theirs), form).toBe(true);
    }
  });

  test("a key of 2049 bits: whole bytes, as CryptoAPI writes it", async () => {
    const theirs = createPrivateKey({ key: jwk(makeKey(2049)), format: "jwk" });
    expect(theirs.asymmetricKeyDetails?.modulusLength).toBe(2049);
    const pem = Buffer.from(theirs.export({ format: "pem", type: "pkcs8" }));
    const written = Buffer.from(await writePrivateKey(await readPrivateKey(pem), "pvk"));
    expect(written.readUInt32LE(24 + 12)).toBe(2056);
    const back = opensslWithFile(written, (path) => ["rsa", "-inform", "PVK", "-in", path]);
    expect(createPrivateKey(back).equals(theirs)).toBe(true);
    expect(await readPrivateKey(written)).toEqual(await readPrivateKey(pem));
    const file = openssl(["rsa", "-outform", "PVK", "-pvk-none"], pem);
    expect(file.readUInt32LE(24 + 12)).toBe(2049);
    expect(await readPrivateKey(file)).toEqual(await readPrivateKey(pem));
  });

  test("keys for signatures", async () => {
    const pem = Buffer.from(testKey());
    const key = await readPrivateKey(pem);
    const blob = openssl(["rsa", "-outform", "MSBLOB"], pem);
    const pvk = openssl(["rsa", "-outform", "PVK", "-pvk-none"], pem);
    const signing = (file: Buffer, at: number) => {
      const copy = Buffer.from(file);
      copy.writeUInt32LE(0x2400, at + 4); // CALG_RSA_SIGN
      if (at > 0) copy.writeUInt32LE(2, 8); // AT_SIGNATURE
      return copy;
    };
    for (const file of [signing(blob, 0), signing(pvk, 24)]) {
      expect(await readPrivateKey(file)).toEqual(key);
      // What is written is for encryption again, as OpenSSL writes it.
      expect(blob.equals(await writePrivateKey(await readPrivateKey(file), "msblob"))).toBe(true);
      expect(pvk.equals(await writePrivateKey(await readPrivateKey(file), "pvk"))).toBe(true);
    }
  });

  test("a PVK file of another kind of key is named before a passphrase is asked for", async () => {
    const bits = ["-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024"];
    const q = ["-pkeyopt", "dsa_paramgen_q_bits:160"]; // the one size that such blobs have
    const parameters = openssl(["genpkey", ...bits, ...q]);
    const dsa = opensslWithFile(parameters, (path) => ["genpkey", "-paramfile", path]);
    const ask = () => Promise.reject(new Error("asked"));
    const file = openssl(["dsa", "-outform", "PVK", "-pvk-none"], dsa);
    const read = readPrivateKey(file, { passphrase: ask });
    await expect(read).rejects.toMatchObject({ code: "BAD_BLOB", nte: "NTE_BAD_ALGID" });
    await expect(read).rejects.toThrow(/CALG_DSS_SIGN/);
  });
});

describe.skipIf(!haveLegacy)("locked PVK files (needs openssl with its legacy provider)", () => {
  const pem = Buffer.from(testKey());
  const lockedByOpenssl = (how: string) =>
    openssl(["rsa", "-outform", "PVK", how, "-passout", spoken, ...LEGACY], pem);
  let plain: Buffer;
  let key: Awaited<ReturnType<typeof readPrivateKey>>;
  let ours: Buffer;
  beforeAll(async () => {
    plain = openssl(["rsa", "-outform", "PVK", "-pvk-none"], pem);
    key = await readPrivateKey(pem);
    const options = { passphrase: PASSPHRASE, allowWeakLock: true };
    ours = Buffer.from(await writePrivateKey(key, "pvk", options));
  });

  test.each([
    ["-pvk-strong", 16],
    ["-pvk-weak", 5],
  ] as const)("%s of openssl is opened, and is what its description says", async (how, length) => {
    const file = lockedByOpenssl(how);
    expect(lockedWith(plain, file.subarray(24, 40), length).equals(file)).toBe(true);
    expect(identifyKey(file)).toEqual({ form: "pvk", kind: "locked", structure: "PVK" });
    expect(await readPrivateKey(file, { passphrase: PASSPHRASE })).toEqual(key);
    const bytes = Uint8Array.from(Buffer.from(PASSPHRASE));
    expect(await readPrivateKey(file, { passphrase: bytes })).toEqual(key);
    expect(Buffer.from(bytes).toString()).toBe(PASSPHRASE);
    for (const passphrase of ["", "wrong", `${PASSPHRASE} `]) {
      await expect(
        readPrivateKey(file, { passphrase, allowEmptyPassphrase: true }),
      ).rejects.toMatchObject({
        code: "WRONG_PASSPHRASE",
        message: "the passphrase does not open the key",
      });
    }
    const needed = { code: "PASSPHRASE_NEEDED" };
    await expect(readPrivateKey(file)).rejects.toMatchObject(needed);
    expect(() => readPublicKey(file)).toThrow(expect.objectContaining(needed));
  });

  test("ours are the same bytes for the same salt, and openssl opens them", async () => {
    expect(lockedWith(plain, ours.subarray(24, 40), 16).equals(ours)).toBe(true);
    const open = (file: Uint8Array) =>
      opensslWithFile(file, (path) => [
        ...["rsa", "-inform", "PVK", "-in", path, "-passin", spoken, ...LEGACY],
      ]);
    expect(createPrivateKey(open(ours)).equals(createPrivateKey(pem))).toBe(true);
    expect(await readPrivateKey(ours, { passphrase: PASSPHRASE })).toEqual(key);
  });

  test("the salt is fresh every time", async () => {
    const options = { passphrase: PASSPHRASE, allowWeakLock: true };
    const again = Buffer.from(await writePrivateKey(key, "pvk", options));
    expect(again.length).toBe(ours.length);
    expect(again.subarray(24, 40).equals(ours.subarray(24, 40))).toBe(false);
    expect(again.subarray(48).equals(ours.subarray(48))).toBe(false);
  });

  test("a locked file of a key for signatures", async () => {
    const signing = Buffer.from(plain);
    signing.writeUInt32LE(2, 8);
    signing.writeUInt32LE(0x2400, 28);
    const file = lockedWith(signing, Buffer.alloc(16, 7), 16);
    expect(await readPrivateKey(file, { passphrase: PASSPHRASE })).toEqual(key);
  });

  test("what is damaged under the lock never gives a key", async () => {
    for (let at = 48; at < ours.length; at += 3) {
      const altered = Buffer.from(ours);
      altered[at]! ^= 1;
      await expect(readPrivateKey(altered, { passphrase: PASSPHRASE })).rejects.toMatchObject({
        code: expect.stringMatching(/^(WRONG_PASSPHRASE|BAD_BLOB|BAD_KEY)$/),
      });
    }
  });
});

describe("the lock of a PVK file is written only where it is asked for", () => {
  test.each([{ passphrase: "x" }, { passphrase: "", allowWeakLock: true }])(
    "%j",
    async (options) => {
      const key = await readPrivateKey(Buffer.from(testKey()));
      const write = writePrivateKey(key, "pvk", options);
      await expect(write).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    },
  );
});

test("a locked PVK file shows nothing of the key, whole or cut", () => {
  const locked = randomBytes(600);
  const header = Buffer.alloc(24);
  for (const [i, word] of [0xb0b5f11e, 0, 1, 1, 16, 8 + locked.length].entries()) {
    header.writeUInt32LE(word, 4 * i);
  }
  const start = Buffer.concat([header, randomBytes(16), Buffer.from("0702000000a40000", "hex")]);
  const file = Uint8Array.from(Buffer.concat([start, locked]));
  const shown = (bytes: Uint8Array, options = {}) =>
    describeBlob(bytes, options)
      .fields.map(({ hex }) => hex)
      .join(" ");
  expect(shown(file, { secrets: true })).toContain(locked.toString("hex"));
  for (let length = start.length + 4; length <= file.length; length++) {
    expect(shown(file.subarray(0, length))).not.toContain(locked.toString("hex", 0, 4));
  }
});

test("primes too unequal for CryptoAPI's layout: PEM holds them, blobs do not", async () => {
  const key = jwk(makeKey(1024, 65537n, 700));
  const read = await readPrivateKey(Buffer.from(JSON.stringify(key)));
  expect((await writePrivateKey(read, "pem")).length).toBeGreaterThan(0);
  for (const form of ["msblob", "pvk"] as const) {
    await expect(writePrivateKey(read, form)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringContaining("p does not fit 64 bytes"),
    });
  }
});
