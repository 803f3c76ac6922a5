import { createPrivateKey, createPublicKey } from "node:crypto";
import fc from "fast-check";
import {
  algorithmName,
  CALG_AES_256,
  CALG_RC2,
  CALG_RSA_KEYX,
  CryptoApiError,
  type DecodedBlob,
  decodeBlob,
  decodePlaintextKeyBlob,
  decodePrivateKeyBlob,
  decodePublicKeyBlob,
  decodeSimpleBlob,
  describeBlob,
  encodePlaintextKeyBlob,
  encodePrivateKeyBlob,
  encodePublicKeyBlob,
  encodeSimpleBlob,
  NTE_ERRORS,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SESSION_ALGORITHMS,
  SIMPLEBLOB,
  sessionAlgorithm,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { describe, expect, test, vi } from "vitest";
import { haveOpenssl, openssl } from "../openssl.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";

function encode({ bType, blob }: DecodedBlob): Uint8Array {
  if (bType === SIMPLEBLOB) return encodeSimpleBlob(blob);
  if (bType === PUBLICKEYBLOB) return encodePublicKeyBlob(blob);
  if (bType === PRIVATEKEYBLOB) return encodePrivateKeyBlob(blob);
  return encodePlaintextKeyBlob(blob);
}

/** The error that a call throws; anything but a CryptoApiError fails the test. */
function refusal(call: () => unknown): CryptoApiError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoApiError);
    return error as CryptoApiError;
  }
  throw new Error("was accepted");
}

const base64url = (number: Uint8Array) => Buffer.from(number).toString("base64url");
const stripped = (number: Uint8Array) => base64url(number.subarray(number.findIndex((b) => b > 0)));

function alter(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

// A 384-bit "modulus" and a key in the clear: enough for everything that needs no arithmetic.
const numbers = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + 1) & 0xff);
const simple = encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey: numbers(64) });
const publicBlob = encodePublicKeyBlob({
  aiKeyAlg: CALG_RSA_KEYX,
  n: numbers(65),
  e: Uint8Array.of(1, 0, 1),
});
/** The first bit of its modulus is set. */
const fullBlob = encodePublicKeyBlob({
  aiKeyAlg: CALG_RSA_KEYX,
  n: new Uint8Array(65).fill(0xff),
  e: Uint8Array.of(1, 0, 1),
});
const privateBlob = encodePrivateKeyBlob({
  aiKeyAlg: CALG_RSA_KEYX,
  n: numbers(65),
  e: Uint8Array.of(1, 0, 1),
  p: numbers(33),
  q: numbers(33),
  dp: numbers(33),
  dq: numbers(33),
  qi: numbers(33),
  d: numbers(65),
});
const plaintext = encodePlaintextKeyBlob({ aiKeyAlg: CALG_AES_256, key: numbers(32) });
const every = [simple, publicBlob, privateBlob, plaintext];

test("the copies of a private key's numbers are wiped", () => {
  const spy = vi.spyOn(Uint8Array.prototype, "fill");
  try {
    encodePrivateKeyBlob(decodePrivateKeyBlob(privateBlob));
    const wiped = spy.mock.contexts.map((bytes) => bytes as Uint8Array);
    const lengths = wiped.map(({ length }) => length).filter((length) => length >= 33);
    expect(lengths.sort((a, b) => a - b)).toEqual([33, 33, 33, 33, 33, 65, 85]);
    expect(wiped.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  } finally {
    spy.mockRestore();
  }
});

test("layouts, byte by byte as Microsoft documents them", () => {
  const littleEndian = Buffer.from(numbers(64)).reverse().toString("hex");
  expect(Buffer.from(simple).toString("hex")).toBe(`010200001066000000a40000${littleEndian}`);
  expect(Buffer.from(plaintext).toString("hex")).toBe(
    `080200001066000020000000${Buffer.from(numbers(32)).toString("hex")}`,
  );
  expect(Buffer.from(publicBlob.subarray(0, 20)).toString("hex")).toBe(
    "0602000000a40000525341310802000001000100",
  );
  expect(privateBlob.length).toBe(20 + 65 + 5 * 33 + 65);
  expect(Buffer.from(privateBlob.subarray(0, 12)).toString("hex")).toBe("0702000000a4000052534132");
});

describe.skipIf(!haveVectors)("real CryptoAPI blobs (needs ../shared/vectors)", () => {
  const capi = (path: string) => readVectors(`capi/${path}`);
  const manifest = haveVectors ? readVectorsJson("capi/manifest.json") : { keys: {}, files: {} };
  const extra = haveVectors ? readVectorsJson("capi/extra.json") : { cases: [] };
  const negatives = haveVectors ? readVectorsJson("capi/negatives.json") : { cases: [] };

  const files = [
    ...Object.keys(manifest.files),
    ...extra.cases.flatMap((c: Record<string, { file?: string }>) =>
      Object.values(c).flatMap(({ file }) => file ?? []),
    ),
  ].filter((file: string) => file.endsWith("blob"));

  test("every one is decoded and encoded to the same bytes", () => {
    expect(files.length).toBeGreaterThan(170);
    for (const file of files) {
      const bytes = capi(file);
      const decoded = decodeBlob(bytes);
      expect(Buffer.from(encode(decoded)).equals(bytes), file).toBe(true);
      expect(decoded.blob.trailing.length).toBe(0);
      expect(describeBlob(bytes).problem, file).toBeUndefined();
    }
  });

  test("the values are those of the manifest", () => {
    let seen = 0;
    for (const entry of manifest.cases) {
      if (entry.expect !== undefined) continue;
      const { aiKeyAlg, key } = decodePlaintextKeyBlob(capi(entry.plaintextkeyblob));
      expect(aiKeyAlg).toBe(Number(entry.algid));
      expect(Buffer.from(key).toString("hex")).toBe(entry.session_key);
      const bits = manifest.keys[entry.owner].bits;
      const blob = decodeSimpleBlob(capi(entry.owner_simpleblob), bits / 8);
      expect(blob.aiKeyAlg).toBe(Number(entry.algid));
      expect(blob.encryptedKey.length).toBe(bits / 8);
      seen++;
    }
    expect(seen).toBe(38);
    for (const entry of extra.cases) {
      const { key } = decodePlaintextKeyBlob(capi(entry["key.plaintextkeyblob"].file));
      expect(Buffer.from(key).toString("hex")).toBe(entry.session_key);
    }
  });

  test("RSA numbers are those that OpenSSL reads", () => {
    for (const name of Object.keys(manifest.keys)) {
      const jwk = createPrivateKey(capi(`keys/${name}.pem`)).export({ format: "jwk" });
      const key = decodePrivateKeyBlob(capi(`keys/${name}.privatekeyblob`));
      for (const part of ["n", "e", "p", "q", "dp", "dq", "qi", "d"] as const) {
        expect(stripped(key[part]!), `${name} ${part}`).toBe(jwk[part]);
      }
      const open = decodePublicKeyBlob(capi(`keys/${name}.publickeyblob`));
      expect([stripped(open.n), stripped(open.e)]).toEqual([jwk.n, jwk.e]);
    }
  });

  // What the codec itself must say; importing under a key is tested with the commands.
  const expected: Record<string, string> = {
    "reserved not 0": "NTE_BAD_DATA",
    "bType SYMMETRICWRAPKEYBLOB": "NTE_BAD_TYPE",
    "aiKeyAlg RSA_KEYX": "NTE_BAD_ALGID",
    "aiKeyAlg SHA-1": "NTE_BAD_ALGID",
    "12 bytes": "NTE_BAD_DATA",
    "7 bytes": "NTE_BAD_DATA",
    "short by one": "NTE_BAD_DATA",
    "public: magic RSA2": "NTE_BAD_DATA",
    "public: short": "NTE_BAD_DATA",
    "public: bitlen too big": "NTE_BAD_DATA",
    "public: aiKeyAlg AES-256": "NTE_BAD_ALGID",
    "private: magic RSA1": "NTE_BAD_DATA",
    "private: without d, one byte less": "NTE_BAD_DATA",
    "plaintext: size 31": "NTE_BAD_DATA",
    "plaintext: short": "NTE_BAD_DATA",
    "plaintext: size ffffffff": "NTE_BAD_DATA",
  };
  // Well-formed for a codec: only the private key, or arithmetic, finds fault with them.
  const wellFormed = [
    "aiKeyAlg AES-128, 32-byte key",
    "aiKeyAlg RC4, 32-byte key",
    "aiKeyAlg DES, 32-byte key",
    "bit flipped",
    "not below the modulus",
    "zero ciphertext",
    "PKCS#1 blob imported with CRYPT_OAEP",
    "OAEP blob imported without CRYPT_OAEP",
    "wrong private key",
    "no private key",
    "public: even modulus",
    "private: trailing byte",
    "private: p altered",
  ];

  test.each(
    negatives.cases as { name: string; blob: { file: string }; documented: string | null }[],
  )("negative: $name", ({ name, blob, documented }) => {
    const bytes = capi(blob.file);
    const kind = name.startsWith("public:")
      ? decodePublicKeyBlob
      : name.startsWith("private:")
        ? decodePrivateKeyBlob
        : name.startsWith("plaintext:")
          ? decodePlaintextKeyBlob
          : (b: Uint8Array) => decodeSimpleBlob(b, name.startsWith("OAEP") ? 128 : 256);
    if (wellFormed.includes(name) || documented?.startsWith("accepted")) {
      expect(kind(bytes)).toBeDefined();
      return;
    }
    const nte = expected[name] ?? documented;
    const error = refusal(() => kind(bytes));
    expect(error.nte).toBe(nte);
    expect(error.code).toBe("BAD_BLOB");
    expect(error.offset).toBeLessThanOrEqual(bytes.length);
  });

  test("what stands behind a blob is given back", () => {
    const one = decodeSimpleBlob(capi("negatives/019.bin"), 256);
    expect([one.encryptedKey.length, one.trailing]).toEqual([256, Uint8Array.of(0)]);
    expect(decodePrivateKeyBlob(capi("negatives/037.bin")).trailing).toEqual(Uint8Array.of(0));
  });

  test("a private key may end before d, but not inside it", () => {
    const whole = capi("keys/owner2-2048.privatekeyblob");
    const without = decodePrivateKeyBlob(capi("negatives/035.bin"));
    expect(without.d).toBeUndefined();
    expect(Buffer.from(encodePrivateKeyBlob(without)).equals(capi("negatives/035.bin"))).toBe(true);
    for (const cut of [1, 8, 255]) {
      const error = refusal(() => decodePrivateKeyBlob(whole.subarray(0, whole.length - cut)));
      expect([error.nte, error.offset]).toEqual(["NTE_BAD_DATA", whole.length - cut]);
    }
  });
});

describe.skipIf(!haveOpenssl)("OpenSSL reads what is encoded (needs openssl)", () => {
  test.each([1024, 1032, 2056])("a key of %i bits, both ways", (bits) => {
    const pem = openssl(["genrsa", String(bits)]);
    for (const extra of [[], ["-pubout"]]) {
      const theirs = openssl(["rsa", "-outform", "MSBLOB", ...extra], pem);
      const ours = Buffer.from(encode(decodeBlob(theirs)));
      expect(ours.equals(theirs)).toBe(true);
      const pubin = extra.length > 0 ? ["-pubin"] : [];
      const back = openssl(["rsa", "-inform", "MSBLOB", "-outform", "DER", ...pubin], ours);
      const key = extra.length > 0 ? createPublicKey(pem) : createPrivateKey(pem);
      const read =
        extra.length > 0
          ? createPublicKey({ key: back, format: "der", type: "spki" })
          : createPrivateKey({ key: back, format: "der", type: "pkcs8" });
      expect(read.equals(key as never)).toBe(true);
    }
  });
});

describe("errors stand where the documents say", () => {
  test.each([
    ["bType 2", alter(simple, 0, 2), "NTE_BAD_TYPE", 0],
    ["bVersion 1", alter(simple, 1, 1), "NTE_BAD_VER", 1],
    ["bVersion 3", alter(plaintext, 1, 3), "NTE_BAD_VER", 1],
    ["reserved", alter(publicBlob, 3, 1), "NTE_BAD_DATA", 2],
    ["an unknown ALG_ID", alter(simple, 4, 0xff), "NTE_BAD_ALGID", 4],
    ["a hash in a PLAINTEXTKEYBLOB", alter(plaintext, 4, 4, 0x80), "NTE_BAD_ALGID", 4],
    ["RSA_SIGN as algid", alter(simple, 9, 0x24), "NTE_BAD_ALGID", 8],
    ["the magic of a private key", alter(publicBlob, 11, 0x32), "NTE_BAD_DATA", 8],
    ["a bit more than there are bytes", alter(publicBlob, 12, 9), "NTE_BAD_DATA", 85],
    ["a modulus of more bits than bitlen", alter(fullBlob, 12, 7), "NTE_BAD_DATA", 12],
    ["bitlen 376", alter(publicBlob, 12, 0x78, 1), "NTE_BAD_DATA", 12],
    ["bitlen 16392", alter(publicBlob, 12, 8, 0x40), "NTE_BAD_DATA", 12],
    ["bitlen 2^32 - 8", alter(privateBlob, 12, 0xf8, 255, 255, 255), "NTE_BAD_DATA", 12],
    ["dwKeySize 33", alter(plaintext, 8, 33), "NTE_BAD_DATA", 8],
    ["nothing at all", new Uint8Array(0), "NTE_BAD_DATA", 0],
  ])("%s", (_, bytes, nte, offset) => {
    const error = refusal(() => decodeBlob(bytes));
    expect([error.nte, error.offset]).toEqual([nte, offset]);
    expect(error.hresult).toBe(NTE_ERRORS[error.nte]);
    expect(describeBlob(bytes).problem).toMatchObject({ nte, offset });
  });

  test("each decoder takes its own kind only", () => {
    const decoders = [
      decodeSimpleBlob,
      decodePublicKeyBlob,
      decodePrivateKeyBlob,
      decodePlaintextKeyBlob,
    ];
    for (const [i, decoder] of decoders.entries()) {
      for (const [j, bytes] of every.entries()) {
        if (i === j) expect(decoder(bytes)).toBeDefined();
        else expect(refusal(() => decoder(bytes)).nte).toBe("NTE_BAD_TYPE");
      }
    }
  });

  test("HRESULTs are those of winerror.h", () => {
    expect(NTE_ERRORS.NTE_BAD_KEY).toBe(0x80090003);
    expect(NTE_ERRORS.NTE_BAD_DATA).toBe(0x80090005);
    expect(NTE_ERRORS.NTE_BAD_PUBLIC_KEY).toBe(0x80090015);
  });

  test("a wrong modulus length is never silently right", () => {
    expect(refusal(() => decodeSimpleBlob(simple, 65)).offset).toBe(simple.length);
    expect(decodeSimpleBlob(simple, 60).trailing.length).toBe(4);
    const long = encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey: numbers(256) });
    expect(refusal(() => decodeSimpleBlob(long, 128)).nte).toBe("NTE_BAD_DATA");
  });
});

describe("any blob, however broken", () => {
  const blobs = fc.constantFrom(...every);

  test("a cut blob is refused, except before d and inside an RSA block of unknown length", () => {
    fc.assert(
      fc.property(blobs, fc.nat(400), (blob, keep) => {
        fc.pre(keep < blob.length);
        const cut = blob.subarray(0, keep);
        const allowed =
          (blob === privateBlob && keep === privateBlob.length - 65) ||
          (blob === simple && keep >= 12 + 48);
        if (allowed) expect(decodeBlob(cut)).toBeDefined();
        else expect(refusal(() => decodeBlob(cut)).nte).toBe("NTE_BAD_DATA");
      }),
      { numRuns: 2000 },
    );
  });

  test("a changed header byte is refused, or accepted as exactly what it now says", () => {
    fc.assert(
      fc.property(blobs, fc.nat(19), fc.integer({ min: 1, max: 255 }), (blob, at, flip) => {
        const changed = alter(blob, at, blob[at]! ^ flip);
        let decoded: DecodedBlob;
        try {
          decoded = decodeBlob(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(CryptoApiError);
          return;
        }
        // Accepted only where another value is a value: an ALG_ID, a length, the exponent, the key.
        expect(at).toBeGreaterThanOrEqual(4);
        // A bitlen that is no whole number of bytes is written as all of their bits.
        const expected = Buffer.from(changed);
        if (blob[0] === PUBLICKEYBLOB || blob[0] === PRIVATEKEYBLOB) {
          expected.writeUInt32LE(8 * Math.ceil(expected.readUInt32LE(12) / 8), 12);
        }
        expect(Buffer.from(encode(decoded)).equals(expected)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test("random bytes give a value that encodes to them, or a CryptoApiError", () => {
    const headed = fc
      .tuple(blobs, fc.nat(20), fc.uint8Array({ maxLength: 300 }))
      .map(([blob, keep, rest]) => Uint8Array.from([...blob.subarray(0, keep), ...rest]));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), headed), (bytes) => {
        const { fields, problem } = describeBlob(bytes, { secrets: true });
        // Every byte is explained once, in order.
        expect(fields.map((field) => field.hex).join("")).toBe(Buffer.from(bytes).toString("hex"));
        let at = 0;
        for (const field of fields) {
          expect(field.offset).toBe(at);
          at += field.length;
        }
        try {
          expect(Buffer.from(encode(decodeBlob(bytes))).equals(bytes)).toBe(true);
          expect(problem).toBeUndefined();
        } catch (error) {
          expect(error).toBeInstanceOf(CryptoApiError);
          expect(problem).toMatchObject({ nte: (error as CryptoApiError).nte });
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("up to 64 trailing bytes are accepted and given back, 65 are not", () => {
    for (const blob of [publicBlob, privateBlob, plaintext]) {
      const padded = (count: number) => Uint8Array.from([...blob, ...numbers(count)]);
      expect(decodeBlob(padded(64)).blob.trailing).toEqual(numbers(64));
      const error = refusal(() => decodeBlob(padded(65)));
      expect([error.nte, error.offset]).toEqual(["NTE_BAD_DATA", blob.length]);
    }
  });
});

describe("descriptions", () => {
  test("fields carry the names of Microsoft's documents", () => {
    expect(describeBlob(simple).fields.map((field) => field.name)).toEqual([
      "bType",
      "bVersion",
      "reserved",
      "aiKeyAlg",
      "algid",
      "encryptedkey",
    ]);
    expect(describeBlob(simple).fields[3]).toEqual({
      offset: 4,
      length: 4,
      name: "aiKeyAlg",
      hex: "10660000",
      meaning: "CALG_AES_256",
      secret: false,
    });
  });

  test("secrets are left out unless asked for", () => {
    const key = Buffer.from(numbers(32)).toString("hex");
    expect(JSON.stringify(describeBlob(plaintext))).not.toContain(key);
    expect(JSON.stringify(describeBlob(plaintext, { secrets: true }))).toContain(key);
    const open = describeBlob(privateBlob).fields.filter((field) => field.hex !== "");
    expect(open.map((field) => field.name)).not.toContain("prime1");
    expect(open.at(-1)?.name).toBe("modulus");
    // Nor does a key show as "unread" when the blob before it is broken.
    const broken = alter(privateBlob, 12, 0, 1);
    expect(describeBlob(broken).fields.at(-1)).toMatchObject({ name: "(unread)", hex: "" });
  });

  test("no broken blob shows key material, whichever header byte is wrong", () => {
    for (const [blob, secrets] of [
      [privateBlob, 20 + 65],
      [plaintext, 12],
    ] as const) {
      // Random where the keys stand, so that four bytes of them are not elsewhere by chance.
      const bytes = Uint8Array.from(blob, (byte, i) => (i < secrets ? byte : 0));
      crypto.getRandomValues(bytes.subarray(secrets));
      const windows = Array.from({ length: bytes.length - secrets - 3 }, (_, i) =>
        Buffer.from(bytes.subarray(secrets + i, secrets + i + 4)).toString("hex"),
      );
      for (let at = 0; at < (blob === plaintext ? 12 : 20); at++) {
        for (let value = 0; value < 256; value++) {
          const shown = describeBlob(alter(bytes, at, value)).fields.map((field) => field.hex);
          const leaked = windows.filter((window) => shown.some((hex) => hex.includes(window)));
          expect({ at, value, leaked }).toEqual({ at, value, leaked: [] });
        }
      }
    }
  });

  test("a bad blob is read on after its first problem", () => {
    const { fields, problem } = describeBlob(alter(simple, 1, 9));
    expect(problem?.nte).toBe("NTE_BAD_VER");
    expect(fields.at(-1)?.name).toBe("encryptedkey");
    expect(describeBlob(simple.subarray(0, 6)).fields.at(-1)?.meaning).toBe("cut: 2 of 4 bytes");
  });
});

describe("algorithms", () => {
  test("names and numbers", () => {
    expect(sessionAlgorithmByName("aes-256").algId).toBe(0x6610);
    expect(sessionAlgorithmByName("CALG_3DES_112").keyLength).toBe(16);
    expect(algorithmName(0x8004)).toBe("CALG_SHA1");
    expect(algorithmName(0x1234)).toBe("ALG_ID 0x00001234");
    expect(() => sessionAlgorithmByName("aes-512")).toThrow(/there are des, rc2/);
    for (const algorithm of SESSION_ALGORITHMS) {
      expect(sessionAlgorithm(algorithm.algId)).toBe(algorithm);
    }
  });

  test("encoders refuse what has no place in a blob", () => {
    const n = numbers(64);
    const e = Uint8Array.of(3);
    const bad = [
      () => encodeSimpleBlob({ aiKeyAlg: CALG_RSA_KEYX, encryptedKey: n }),
      () => encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey: numbers(47) }),
      () => encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey: numbers(2049) }),
      () => encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey: n, trailing: numbers(65) }),
      () => encodePublicKeyBlob({ aiKeyAlg: CALG_RC2, n, e }),
      () => encodePublicKeyBlob({ aiKeyAlg: CALG_RSA_KEYX, n, e: Uint8Array.of(1, 0, 0, 0, 1) }),
      () => encodePlaintextKeyBlob({ aiKeyAlg: CALG_AES_256, key: numbers(31) }),
      () => encodePlaintextKeyBlob({ aiKeyAlg: CALG_RC2, key: numbers(4) }),
    ];
    for (const call of bad) {
      expect(call).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    expect(
      encodePublicKeyBlob({ aiKeyAlg: CALG_RSA_KEYX, n, e: Uint8Array.of(0, 0, 0, 0, 3) })[16],
    ).toBe(3);
  });
});
