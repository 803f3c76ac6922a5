import { createPrivateKey } from "node:crypto";
import { CALG_RSA_KEYX, encodePrivateKeyBlob } from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { identifyKey, readPrivateKey, readPublicKey, writePrivateKey } from "twinwrap/keys";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { adviceFor } from "#build/cli/advice.js";
import type { TwinwrapError } from "#build/errors.js";
import {
  type DerNode,
  encodeDer,
  nullValue,
  octetString,
  oid,
  sequence,
  smallInteger,
} from "#build/keys/der.js";
import { lockKey } from "#build/keys/pbes2.js";
import { encodePkcs8 } from "#build/keys/pkcs.js";
import { lockedPvk } from "#build/keys/pvk.js";
import { haveOpenssl, openssl, opensslWithFile } from "../openssl.js";
import { stride } from "../quick.js";
import { outcome as codeOf, testKey } from "./material.js";

const secret = createPrivateKey(testKey());
const pem = Buffer.from(testKey());
const PASSPHRASE = "correct horse Batterie 電池";
const spoken = `pass:${PASSPHRASE}`;

let key: Awaited<ReturnType<typeof readPrivateKey>>;
let locked: Buffer;
beforeAll(async () => {
  key = await readPrivateKey(pem);
  locked = Buffer.from(await writePrivateKey(key, "pem", { passphrase: PASSPHRASE }));
});

/** Locked by openssl in one of its ways, with few iterations. */
function lockedBy(...args: string[]): Buffer {
  return openssl(["pkcs8", "-topk8", "-passout", spoken, ...args], pem);
}

describe("keys locked here", () => {
  test("node opens them, PEM and DER", async () => {
    expect(createPrivateKey({ key: locked, passphrase: PASSPHRASE }).equals(secret)).toBe(true);
    const der = Buffer.from(await writePrivateKey(key, "der", { passphrase: PASSPHRASE }));
    const read = { key: der, passphrase: PASSPHRASE, format: "der", type: "pkcs8" } as const;
    expect(createPrivateKey(read).equals(secret)).toBe(true);
    expect(() => createPrivateKey({ key: locked, passphrase: "wrong" })).toThrow();
    expect(identifyKey(der)).toEqual({
      form: "der",
      kind: "locked",
      structure: "EncryptedPrivateKeyInfo",
    });
  });

  test.skipIf(!haveOpenssl)(
    "openssl opens them, and finds what is promised (needs openssl)",
    () => {
      const out = opensslWithFile(locked, (path) => ["pkey", "-in", path, "-passin", spoken]);
      expect(createPrivateKey(out).equals(secret)).toBe(true);
      const text = openssl(["asn1parse"], locked).toString();
      expect(text).toMatch(/:PBES2\n[\s\S]*:PBKDF2\n[\s\S]*:hmacWithSHA256\n[\s\S]*:aes-256-cbc\n/);
      expect(text).toMatch(/l= {2}16 prim: OCTET STRING[\s\S]*INTEGER +:0927C0\n/); // 600,000
    },
  );

  test("salt and IV are fresh every time", async () => {
    const again = () => writePrivateKey(key, "der", { passphrase: "x", iterations: 1000 });
    const [one, other] = [Buffer.from(await again()), Buffer.from(await again())];
    const at = one.indexOf(Buffer.from("0410", "hex"));
    expect(one.subarray(at, at + 18).equals(other.subarray(at, at + 18))).toBe(false);
    // The IV is what follows aes256-CBC's OID.
    const ivOf = (der: Buffer) => {
      const [, iv] = der.toString("hex").split("060960864801650304012a0410");
      return iv!.slice(0, 32);
    };
    expect(ivOf(one)).not.toBe(ivOf(other));
    expect(one.subarray(-200).equals(other.subarray(-200))).toBe(false);
  });

  test("a passphrase is text in UTF-8 or bytes, and any core serves", async () => {
    const core = await loadCore();
    const bytes = Uint8Array.from(Buffer.from(PASSPHRASE));
    expect(await readPrivateKey(locked, { passphrase: bytes, core })).toEqual(key);
    expect(Buffer.from(bytes).toString()).toBe(PASSPHRASE);
    const other = await writePrivateKey(key, "pem", { passphrase: bytes, iterations: 1000, core });
    expect(await readPrivateKey(other, { passphrase: PASSPHRASE })).toEqual(key);
  });

  test("only PEM and DER can be locked, with a real passphrase and sane iterations", async () => {
    const write = (form: "pem" | "jwk" | "msblob", options: object) =>
      codeOf(() => writePrivateKey(key, form, options));
    expect(await write("jwk", { passphrase: "x" })).toBe("BAD_ARGUMENT");
    expect(await write("msblob", { passphrase: "x" })).toBe("BAD_ARGUMENT");
    expect(await write("pem", { passphrase: "" })).toBe("BAD_ARGUMENT");
    expect(await write("pem", { passphrase: new Uint8Array(0) })).toBe("BAD_ARGUMENT");
    for (const iterations of [0, 999, 10_000_001, 1000.5, Number.NaN]) {
      expect(await write("pem", { passphrase: "x", iterations })).toBe("BAD_ARGUMENT");
    }
  });
});

describe("the passphrase", () => {
  test("is asked for only if the key is locked", async () => {
    let asked = 0;
    const ask = async () => {
      asked++;
      return PASSPHRASE;
    };
    expect(await readPrivateKey(pem, { passphrase: ask })).toEqual(key);
    expect(asked).toBe(0);
    expect(await readPrivateKey(locked, { passphrase: ask })).toEqual(key);
    expect(asked).toBe(1);
    const why = new Error("no terminal");
    const refuse = () => Promise.reject(why);
    await expect(readPrivateKey(locked, { passphrase: refuse })).rejects.toBe(why);
  });

  test("opens in the other normal form of Unicode, and is written as it is given", async () => {
    const composed = "Grüße aus Köln, 電池".normalize("NFC");
    const decomposed = composed.normalize("NFD");
    // Neither form: one letter composed, the other not.
    const mixed = "ü".normalize("NFC") + "ö".normalize("NFD");
    for (const [written, given, opens] of [
      [composed, decomposed, true],
      [decomposed, composed, true],
      [composed, composed, true],
      [mixed, mixed, true],
      [mixed.normalize("NFC"), mixed, true],
      [mixed.normalize("NFD"), mixed, true],
      [mixed, mixed.normalize("NFC"), false],
    ] as const) {
      const options = { cipher: "aes-256-cbc", passphrase: written, format: "pem" } as const;
      const theirs = Buffer.from(secret.export({ ...options, type: "pkcs8" }));
      const read = readPrivateKey(theirs, { passphrase: given });
      if (opens) expect(await read).toEqual(key);
      else await expect(read).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
      // Bytes are what they are.
      const bytes = readPrivateKey(theirs, { passphrase: Buffer.from(given) });
      if (written === given) expect(await bytes).toEqual(key);
      else await expect(bytes).rejects.toMatchObject({ code: "WRONG_PASSPHRASE" });
    }
    const options = { passphrase: decomposed, iterations: 1000 };
    const ours = Buffer.from(await writePrivateKey(key, "pem", options));
    expect(() => createPrivateKey({ key: ours, passphrase: composed })).toThrow();
    expect(createPrivateKey({ key: ours, passphrase: decomposed }).equals(secret)).toBe(true);
    const pvk = await writePrivateKey(key, "pvk", { ...options, allowWeakLock: true });
    expect(await readPrivateKey(pvk, { passphrase: composed })).toEqual(key);
  });

  test("each spelling is tried once, ASCII has one", async () => {
    const core = await loadCore();
    const derive = vi.spyOn(core, "pbkdf2");
    const quick = await writePrivateKey(key, "der", { passphrase: "x", iterations: 1000 });
    for (const [passphrase, times] of [
      ["wrong", 1],
      ["ü".normalize("NFC"), 2],
      ["ü".normalize("NFD"), 2],
      ["ü".normalize("NFC") + "ö".normalize("NFD"), 3],
    ] as const) {
      derive.mockClear();
      const code = await codeOf(() => readPrivateKey(quick, { passphrase, core }));
      expect([code, derive.mock.calls.length]).toEqual(["WRONG_PASSPHRASE", times]);
    }
  });

  test("missing", async () => {
    expect(await codeOf(() => readPrivateKey(locked))).toBe("PASSPHRASE_NEEDED");
    expect(() => readPublicKey(locked)).toThrow(
      expect.objectContaining({ code: "PASSPHRASE_NEEDED" }),
    );
  });

  test("wrong: one error, also when the padding happens to fit", async () => {
    const quick = await writePrivateKey(key, "der", { passphrase: PASSPHRASE, iterations: 1000 });
    const messages = new Set<string>();
    for (let i = 0; i < 1000; i++) {
      const attempt = readPrivateKey(quick, { passphrase: `wrong ${i}` });
      const error = await attempt.then(
        () => undefined,
        (reason: TwinwrapError) => reason,
      );
      expect(error?.code).toBe("WRONG_PASSPHRASE");
      messages.add(error!.message);
    }
    expect(messages.size).toBe(1);
    for (const passphrase of ["\0", ` ${PASSPHRASE}`, PASSPHRASE.toUpperCase()]) {
      expect(await codeOf(() => readPrivateKey(quick, { passphrase }))).toBe("WRONG_PASSPHRASE");
    }
  });
});

describe("a damaged locked key", () => {
  const TYPED = ["BAD_FORMAT", "BAD_KEY", "LIMIT_EXCEEDED", "WRONG_PASSPHRASE"];

  test("every truncation of the PEM and of the DER", async () => {
    const der = await writePrivateKey(key, "der", { passphrase: PASSPHRASE });
    for (const whole of [locked.subarray(0, -1), der]) {
      for (let length = 0; length < whole.length; length += stride(3)) {
        const cut = whole.subarray(0, length);
        const code = await codeOf(() => readPrivateKey(cut, { passphrase: PASSPHRASE }));
        expect(["BAD_FORMAT"], `${length} bytes`).toContain(code);
      }
    }
  });

  test("every altered byte of the DER", async () => {
    const der = await writePrivateKey(key, "der", { passphrase: PASSPHRASE, iterations: 1000 });
    for (let at = 0; at < der.length; at += stride(3)) {
      const altered = Uint8Array.from(der);
      altered[at]! ^= 1;
      const code = await codeOf(() => readPrivateKey(altered, { passphrase: PASSPHRASE }));
      expect(TYPED, `byte ${at}`).toContain(code);
    }
  });
});

describe.skipIf(!haveOpenssl)("keys locked by openssl and node (needs openssl)", () => {
  const opens = async (file: Uint8Array) =>
    expect(await readPrivateKey(file, { passphrase: PASSPHRASE })).toEqual(key);

  test.each(["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"])("%s", async (cipher) => {
    await opens(lockedBy("-v2", cipher));
    await opens(lockedBy("-v2", cipher, "-outform", "DER"));
    const options = { format: "pem", type: "pkcs8", cipher, passphrase: PASSPHRASE } as const;
    await opens(Buffer.from(secret.export(options)));
  });

  test.each(["hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA512"])("%s", async (prf) => {
    await opens(lockedBy("-v2", "aes-256-cbc", "-v2prf", prf));
    await opens(lockedBy("-v2", "aes-256-cbc", "-v2prf", prf, "-iter", "1"));
    await opens(lockedBy("-v2", "aes-128-cbc", "-v2prf", prf, "-iter", "30001"));
  });

  test("openssl genpkey -aes-256-cbc", async () => {
    const bits = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
    const made = openssl(["genpkey", ...bits, "-aes-256-cbc", "-pass", spoken]);
    const theirs = createPrivateKey({ key: made, passphrase: PASSPHRASE }).export({
      format: "jwk",
    });
    const own = await readPrivateKey(made, { passphrase: PASSPHRASE });
    expect(Buffer.from(own.n).toString("base64url")).toBe(theirs.n);
    expect(Buffer.from(own.d).toString("base64url")).toBe(theirs.d);
  });

  test("other ways are named before any passphrase is asked for, with advice that works", async () => {
    const ask = () => Promise.reject(new Error("asked"));
    const traditional = openssl(["rsa", "-traditional", "-aes128", "-passout", spoken], pem);
    const files: [Uint8Array, RegExp][] = [
      [lockedBy("-scrypt"), /scrypt/],
      [lockedBy("-v1", "PBE-SHA1-3DES"), /an old scheme \(1\.2\.840\.113549\.1\.12\.1\.3\)/],
      [lockedBy("-v2", "des3"), /another cipher than AES-CBC/],
      [lockedBy("-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"), /another function/],
      [traditional, /old PEM encryption/],
    ];
    for (const [file, message] of files) {
      for (const work of [
        () => readPrivateKey(file, { passphrase: ask }),
        async () => identifyKey(file),
      ]) {
        await expect(work()).rejects.toMatchObject({
          code: "BAD_FORMAT",
          message: expect.stringMatching(message),
        });
        expect(adviceFor(await work().catch((error) => error))).toContain(
          "openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in FILE",
        );
      }
      const relock = [
        "-topk8",
        "-v2",
        "aes-256-cbc",
        "-iter",
        "6000",
        "-passin",
        spoken,
        "-passout",
        spoken,
      ];
      await opens(opensslWithFile(file, (path) => ["pkcs8", ...relock, "-in", path]));
    }
  });

  test("a locked key of another kind is named once it is open", async () => {
    const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    const ec = openssl(["genpkey", ...curve, "-aes-256-cbc", "-pass", spoken]);
    await expect(readPrivateKey(ec, { passphrase: PASSPHRASE })).rejects.toThrow(/elliptic-curve/);
    expect(await codeOf(() => readPrivateKey(ec, { passphrase: "x" }))).toBe("WRONG_PASSPHRASE");
  });
});

describe("limits on what a locked key may ask for", () => {
  const PBES2 = "1.2.840.113549.1.5.13";
  const PBKDF2 = "1.2.840.113549.1.5.12";
  const prf = sequence(oid("1.2.840.113549.2.9"), nullValue());

  /** A locked key that was never locked: its parameters are all that is looked at. */
  function made(parameters: DerNode[], iv = 16, ciphertext = 32): Uint8Array {
    const cipher = sequence(oid("2.16.840.1.101.3.4.1.42"), octetString(new Uint8Array(iv)));
    const scheme = sequence(sequence(oid(PBKDF2), sequence(...parameters)), cipher);
    const data = octetString(new Uint8Array(ciphertext));
    return encodeDer(sequence(sequence(oid(PBES2), scheme), data));
  }
  const salt = (length: number) => octetString(new Uint8Array(length));
  const outcome = (file: Uint8Array) => codeOf(() => readPrivateKey(file, { passphrase: "x" }));

  test.each([
    ["well-formed", made([salt(8), smallInteger(1), prf]), "WRONG_PASSPHRASE"],
    ["without a PRF", made([salt(8), smallInteger(1)]), "WRONG_PASSPHRASE"],
    [
      "with a key length",
      made([salt(8), smallInteger(1), smallInteger(32), prf]),
      "WRONG_PASSPHRASE",
    ],
    ["a salt of 1024 bytes", made([salt(1024), smallInteger(1), prf]), "WRONG_PASSPHRASE"],
    ["a salt of 1025 bytes", made([salt(1025), smallInteger(1), prf]), "LIMIT_EXCEEDED"],
    ["no salt", made([salt(0), smallInteger(1), prf]), "BAD_FORMAT"],
    ["10,000,001 iterations", made([salt(8), smallInteger(10_000_001), prf]), "LIMIT_EXCEEDED"],
    ["2^47 iterations", made([salt(8), smallInteger(2 ** 47), prf]), "LIMIT_EXCEEDED"],
    ["0 iterations", made([salt(8), smallInteger(0), prf]), "BAD_FORMAT"],
    ["a key length of 16", made([salt(8), smallInteger(1), smallInteger(16), prf]), "BAD_FORMAT"],
    ["a short IV", made([salt(8), smallInteger(1), prf], 12), "BAD_FORMAT"],
    ["half a block", made([salt(8), smallInteger(1), prf], 16, 40), "BAD_FORMAT"],
    ["no ciphertext", made([salt(8), smallInteger(1), prf], 16, 0), "BAD_FORMAT"],
  ])("%s", async (_, file, code) => {
    expect(await outcome(file)).toBe(code);
  });
});

test("a locked key with an exponent of one opens where that is allowed", async () => {
  const core = await loadCore();
  const key = await readPrivateKey(Buffer.from(testKey()));
  const one = Uint8Array.of(1);
  const weak = { ...key, e: one, d: one, dp: one, dq: one };
  const options = { passphrase: "open sesame", core };
  const pkcs8 = lockKey(core, encodePkcs8(weak), "open sesame", 1000);
  const blob = encodePrivateKeyBlob({ ...weak, aiKeyAlg: CALG_RSA_KEYX });
  for (const file of [pkcs8, lockedPvk(core, blob, "open sesame")]) {
    expect(await readPrivateKey(file, { ...options, allowExponentOne: true })).toEqual(weak);
    expect(await codeOf(() => readPrivateKey(file, options))).toBe("BAD_KEY");
  }
});
