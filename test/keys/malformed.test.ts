import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { identifyKey, readPrivateKey, readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { adviceFor } from "#build/cli/advice.js";
import { haveOpenssl, openssl, opensslWithFile } from "../openssl.js";
import { isQuick, stride } from "../quick.js";
import { outcome, testKey } from "./material.js";

const secret = createPrivateKey(testKey());
const open = createPublicKey(testKey());
const der = {
  pkcs8: Uint8Array.from(secret.export({ format: "der", type: "pkcs8" })),
  pkcs1: Uint8Array.from(secret.export({ format: "der", type: "pkcs1" })),
  spki: Uint8Array.from(open.export({ format: "der", type: "spki" })),
  publicPkcs1: Uint8Array.from(open.export({ format: "der", type: "pkcs1" })),
};
const text = (content: string) => Uint8Array.from(Buffer.from(content, "latin1"));
const pem = text(testKey());
const jwk = text(JSON.stringify(secret.export({ format: "jwk" })));

const REFUSED = ["BAD_FORMAT", "BAD_KEY", "BAD_BLOB", "LIMIT_EXCEEDED"];

describe("every truncation is refused with a typed error", () => {
  test.each(Object.entries({ ...der, jwk }))("%s", async (_, whole) => {
    for (let length = 0; length < whole.length; length += stride(3)) {
      const cut = whole.subarray(0, length);
      for (const work of [readPublicKey, readPrivateKey, identifyKey]) {
        expect(REFUSED, `${work.name} of ${length}`).toContain(await outcome(() => work(cut)));
      }
    }
  });

  test("pem, but for the line's end after END", async () => {
    for (let length = 0; length < pem.length - 1; length++) {
      expect(REFUSED).toContain(await outcome(() => readPrivateKey(pem.subarray(0, length))));
    }
    expect(await outcome(() => readPrivateKey(pem.subarray(0, pem.length - 1)))).toBe("accepted");
  });

  test("nor is anything taken that has a byte more", async () => {
    for (const whole of Object.values(der)) {
      expect(await outcome(() => readPublicKey(Uint8Array.from([...whole, 0])))).toBe("BAD_FORMAT");
    }
  });
});

describe("what else a PKCS#8 key may hold", async () => {
  const key = await readPrivateKey(pem);
  /** The key with more behind it, in the structure's version 0 or 1. */
  function withMore(more: Uint8Array, version = 0) {
    const made = Buffer.concat([der.pkcs8, more]);
    made.writeUInt16BE(der.pkcs8.length - 4 + more.length, 2);
    made[6] = version;
    return made;
  }
  /** Attributes: friendlyName, PKCS #9's. */
  const attributes = (length: number, last = "x") => {
    const name = Buffer.from("06092a864886f70d010914", "hex");
    const set = Buffer.from([
      0x31,
      length + 2,
      0x1e,
      length,
      ...Buffer.alloc(length - 1, "\0x"),
      last.charCodeAt(0),
    ]);
    const whole = Buffer.concat([name, set]);
    return Buffer.from([0xa0, whole.length + 2, 0x30, whole.length, ...whole]);
  };
  const copy = Buffer.from([0x81, 0x81, der.publicPkcs1.length + 1, 0, ...der.publicPkcs1]);

  test("attributes, and in version 1 a copy of the public key, are passed over", async () => {
    const file = withMore(attributes(8));
    const node = createPrivateKey({ key: file, format: "der", type: "pkcs8" });
    expect(node.equals(secret)).toBe(true);
    expect(await readPrivateKey(file)).toEqual(key);
    expect(await readPrivateKey(withMore(copy, 1))).toEqual(key);
    const both = Buffer.concat([attributes(8), copy]);
    expect(await readPrivateKey(withMore(both, 1))).toEqual(key);
    for (const [more, version] of [
      [copy, 0],
      [attributes(8), 1],
      [Buffer.concat([copy, attributes(8)]), 1],
      [Buffer.concat([attributes(8), attributes(8)]), 0],
    ] as const) {
      expect(await outcome(() => readPrivateKey(withMore(more, version)))).toBe("BAD_FORMAT");
    }
  });

  const wrap = (body: string) =>
    text(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`);

  test("a PEM's padding is one character or two", async () => {
    for (let length = 2; length <= 12; length += 2) {
      const base64 = withMore(attributes(length)).toString("base64");
      expect(await readPrivateKey(wrap(base64))).toEqual(key);
      for (const more of ["=", "==", "===", "====", "A===", "A==", "A"]) {
        expect(await outcome(() => readPrivateKey(wrap(base64 + more))), more).toBe("BAD_FORMAT");
      }
    }
  });

  test("what it stands for is zero, and nothing but padding stands behind it", async () => {
    const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // One of each length modulo 3, two of which are padded; all end with a "p", 0x70.
    const padded = [8, 10, 12]
      .map((length) => withMore(attributes(length, "p")).toString("base64"))
      .filter((base64) => base64.endsWith("="));
    expect(padded).toHaveLength(2);
    for (const base64 of padded) {
      const at = base64.indexOf("=") - 1;
      const next = ALPHABET[ALPHABET.indexOf(base64[at]!) + 1];
      const altered = `${base64.slice(0, at)}${next}${base64.slice(at + 1)}`;
      // Others pass over such bits.
      expect(Buffer.from(altered, "base64").equals(Buffer.from(base64, "base64"))).toBe(true);
      expect(await outcome(() => readPrivateKey(wrap(altered)))).toBe("BAD_FORMAT");
    }
    const zeros = padded.find((base64) => base64.endsWith("A="))!;
    expect(await outcome(() => readPrivateKey(wrap(zeros)))).toBe("accepted");
    const behind = wrap(`${zeros.slice(0, -2)}=A`);
    expect(await outcome(() => readPrivateKey(behind))).toBe("BAD_FORMAT");
  });
});

describe("every altered byte", () => {
  test.each(["pkcs8", "pkcs1"] as const)("of a private key in %s is noticed", async (name) => {
    const whole = der[name];
    for (let at = 0; at < whole.length; at += stride(3)) {
      for (const flip of [1, 0x80, 0xff]) {
        const altered = Uint8Array.from(whole);
        altered[at]! ^= flip;
        expect(REFUSED, `byte ${at}`).toContain(await outcome(() => readPrivateKey(altered)));
      }
    }
  });

  test("a public key that looks locked by one wrong byte is not taken for a locked one", async () => {
    const altered = Uint8Array.from(der.spki);
    const tag = 3 + 15; // BIT STRING, behind the outer header and the AlgorithmIdentifier
    expect(altered[tag]).toBe(0x03);
    altered[tag] = 0x04; // OCTET STRING, as in EncryptedPrivateKeyInfo
    for (const work of [readPublicKey, readPrivateKey, identifyKey]) {
      expect(await outcome(() => work(altered))).toBe("BAD_FORMAT");
    }
  });

  test("of anything else gives a key or a typed error", async () => {
    const files = fc.constantFrom(der.spki, der.publicPkcs1, pem, jwk);
    await fc.assert(
      fc.asyncProperty(files, fc.nat(), fc.nat(255), async (file, at, value) => {
        const altered = Uint8Array.from(file);
        altered[at % file.length] = value;
        for (const work of [readPublicKey, readPrivateKey, identifyKey]) {
          expect([...REFUSED, "accepted"]).toContain(await outcome(() => work(altered)));
        }
      }),
      { numRuns: isQuick ? 600 : 3000 },
    );
  });

  test("random files give typed errors", async () => {
    const starts = fc.constantFrom([], [0x30, 0x82], [0x30], [6, 2], [7, 2], [0x7b], [0x2d]);
    await fc.assert(
      fc.asyncProperty(starts, fc.uint8Array({ maxLength: 200 }), async (start, rest) => {
        const file = Uint8Array.from([...start, ...rest]);
        expect(REFUSED).toContain(await outcome(() => readPublicKey(file)));
        expect(REFUSED).toContain(await outcome(() => identifyKey(file)));
      }),
      { numRuns: isQuick ? 500 : 2000 },
    );
  });
});

describe("PEM as people have it", () => {
  const body = testKey().split("\n").slice(1, -2).join("\n");
  const same = async (content: string) =>
    expect(await readPrivateKey(text(content))).toEqual(await readPrivateKey(pem));

  test("text around it, other line ends, a byte order mark, spaces", async () => {
    await same(`Bag Attributes\n    friendlyName: x\n${testKey()}\nand more`);
    await same(testKey().replaceAll("\n", "\r\n"));
    await same(`\xef\xbb\xbf${testKey()}`);
    await same(testKey().replaceAll("\n", "  \n"));
    await same(
      `-----BEGIN PRIVATE KEY-----\n${body.replaceAll("\n", "")}\n-----END PRIVATE KEY-----`,
    );
  });

  test("indented, in one line, and as a string in a program or a configuration", async () => {
    const whole = testKey();
    for (const written of [
      whole.replaceAll("\n", "\r"),
      whole.replace(/^/gm, "    "),
      whole.replaceAll("\n", ""),
      whole.trim().replaceAll("\n", " "),
      whole.replaceAll("\n", "\\n"),
      whole.replaceAll("\n", "\\r\\n"),
      whole.replaceAll("\n", "\\\\n"),
      whole.replaceAll("\n", "\\\n"),
      JSON.stringify({ client: "x", private_key: whole, uri: "https://example.org" }),
      `KEY="${whole.trim()}"\n`,
      `key: |\n${whole.replace(/^/gm, "  ")}\nother: value\n`,
      `Here is my key, from the safe:\n\n${whole}\nYours, A. -- B.\n`,
    ]) {
      await same(written);
    }
  });

  test("what is inside counts, not the label", async () => {
    const labelled = (label: string, bytes: Uint8Array) =>
      text(
        `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString("base64")}\n-----END ${label}-----\n`,
      );
    const { n, e } = readPublicKey(der.spki);
    for (const [label, bytes] of [
      ["RSA PUBLIC KEY", der.spki],
      ["PUBLIC KEY", der.publicPkcs1],
      ["PRIVATE KEY", der.spki],
    ] as const) {
      expect(readPublicKey(labelled(label, bytes))).toEqual({ n, e });
      expect(identifyKey(labelled(label, bytes)).kind).toBe("public");
    }
    const key = await readPrivateKey(pem);
    for (const [label, bytes] of [
      ["RSA PRIVATE KEY", der.pkcs8],
      ["PRIVATE KEY", der.pkcs1],
      ["ENCRYPTED PRIVATE KEY", der.pkcs8],
      ["PUBLIC KEY", der.pkcs8],
    ] as const) {
      expect(await readPrivateKey(labelled(label, bytes))).toEqual(key);
    }
    const cipher = {
      cipher: "aes-256-cbc",
      passphrase: "x",
      format: "der",
      type: "pkcs8",
    } as const;
    const locked = labelled("PRIVATE KEY", secret.export(cipher));
    expect(identifyKey(locked).kind).toBe("locked");
    expect(await readPrivateKey(locked, { passphrase: "x" })).toEqual(key);
  });

  test("the first key counts, whatever else is there", async () => {
    const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    await same(`${certificate}${testKey()}`);
    const other = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    await same(`${testKey()}${other.export({ format: "pem", type: "spki" })}`);
  });

  const broken: [string, string][] = [
    ["no END", testKey().replace("-----END", "----END")],
    ["another label at the END", testKey().replace("END PRIVATE", "END PUBLIC")],
    ["a label that never ends", `-----BEGIN ${"X".repeat(100)}\n`],
    ["a label that breaks off", "-----BEGIN PRIV\nATE KEY-----\n"],
    ["nothing inside", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"],
    ["a foreign character", testKey().replace(body, `*${body.slice(1)}`)],
    ["padding in the middle", testKey().replace(body, `AAA=${body.slice(4)}`)],
    ["a character too few", testKey().replace(body, body.slice(1))],
    ["padding too long", "-----BEGIN PRIVATE KEY-----\nA===\n-----END PRIVATE KEY-----\n"],
    ["bits under the padding", "-----BEGIN PRIVATE KEY-----\nMAB=\n-----END PRIVATE KEY-----\n"],
  ];
  test.each(broken)("refused: %s", async (_, content) => {
    expect(await outcome(() => readPrivateKey(text(content)))).toBe("BAD_FORMAT");
  });
});

describe("what is no RSA key is named, and what to do", () => {
  const pemOf = (key: { export(options: object): string | Buffer }, type = "pkcs8") =>
    text(key.export({ format: "pem", type }).toString());
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ed = generateKeyPairSync("ed25519");
  const pss = generateKeyPairSync("rsa-pss", { modulusLength: 1024 });
  const json = (value: unknown) => text(JSON.stringify(value));
  const members = secret.export({ format: "jwk" });

  const cases: [string, Uint8Array, string, RegExp][] = [
    ["EC, PKCS#8", pemOf(ec.privateKey), "BAD_KEY", /elliptic-curve.*only an RSA key/],
    ["EC, SEC1", pemOf(ec.privateKey, "sec1"), "BAD_KEY", /elliptic-curve/],
    ["EC, public", pemOf(ec.publicKey, "spki"), "BAD_KEY", /elliptic-curve/],
    ["EC, SEC1 DER", ec.privateKey.export({ format: "der", type: "sec1" }), "BAD_KEY", /elliptic/],
    ["EC, SPKI DER", ec.publicKey.export({ format: "der", type: "spki" }), "BAD_KEY", /elliptic/],
    ["Ed25519", pemOf(ed.privateKey), "BAD_KEY", /Ed25519/],
    ["Ed25519 DER", ed.publicKey.export({ format: "der", type: "spki" }), "BAD_KEY", /Ed25519/],
    ["X25519", pemOf(generateKeyPairSync("x25519").publicKey, "spki"), "BAD_KEY", /X25519/],
    ["RSA-PSS", pemOf(pss.privateKey), "BAD_KEY", /RSA-PSS key, which may only sign/],
    ["RSA-PSS, public", pemOf(pss.publicKey, "spki"), "BAD_KEY", /RSA-PSS/],
    ["EC JWK", json(ec.privateKey.export({ format: "jwk" })), "BAD_KEY", /elliptic/],
    ["Ed25519 JWK", json(ed.privateKey.export({ format: "jwk" })), "BAD_KEY", /Ed25519/],
    ["JWK of a kind unheard of", json({ kty: "XYZ" }), "BAD_KEY", /the algorithm XYZ/],
    ["a JWK Set", json({ keys: [members] }), "BAD_FORMAT", /JWK Set/],
    ["JSON", json({ a: 1 }), "BAD_FORMAT", /no JWK/],
    ["almost JSON", text("{ kty: RSA }"), "BAD_FORMAT", /not JSON/],
    ["a JWK with more primes", json({ ...members, oth: [] }), "BAD_KEY", /more than two primes/],
    ["a JWK without e", json({ ...members, e: undefined }), "BAD_FORMAT", /no n or no e/],
    ["a JWK with a number", json({ ...members, n: 5 }), "BAD_FORMAT", /n is not a number/],
    ["a JWK in base64", json({ ...members, e: "AQAB==" }), "BAD_FORMAT", /e is not unpadded/],
    [
      "OpenSSH",
      text(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n",
      ),
      "BAD_FORMAT",
      /an OpenSSH private key/,
    ],
    [
      "OpenSSH, public",
      text("ssh-rsa AAAAB3NzaC1yc2E= me@here"),
      "BAD_FORMAT",
      /an OpenSSH public key/,
    ],
    ["PuTTY", text("PuTTY-User-Key-File-3: ssh-rsa\n"), "BAD_FORMAT", /a PuTTY key/],
    [
      "UTF-16",
      Uint8Array.from(Buffer.from(`\ufeff${testKey()}`, "utf16le")),
      "BAD_FORMAT",
      /UTF-16/,
    ],
    ["a text", text("hello"), "BAD_FORMAT", /no key in a form read here/],
    [
      "a receipt",
      json({ leaf: "x", type: "twinwrap/receipt/v1" }),
      "BAD_FORMAT",
      /an authority's receipt/,
    ],
    [
      "an approval",
      text("twinwrap/approval/v1\nauthority x\n"),
      "BAD_FORMAT",
      /an officer's approval/,
    ],
    ["a sealed file", text("TWIN\r\n\x1a\n\0\x01"), "BAD_FORMAT", /this is a sealed file/],
    [
      "OpenPGP",
      text("-----BEGIN PGP PUBLIC KEY BLOCK-----\nAA==\n-----END PGP PUBLIC KEY BLOCK-----\n"),
      "BAD_FORMAT",
      /OpenPGP/,
    ],
    ["much nesting", text(`{"kty":${"[".repeat(60_000)}`), "BAD_FORMAT", /nested/],
    ["many values", text(`{"kty":[${"1,".repeat(30_000)}1]}`), "BAD_FORMAT", /values/],
    ["a long kind", json({ kty: "X".repeat(60_000) }), "BAD_KEY", /^.{1,250}$/],
    // "0" is SEQUENCE's tag; what follows is no length.
    ["a text of a number", text("0 is none"), "BAD_FORMAT", /no key in a form read here/],
    ["nothing", new Uint8Array(0), "BAD_FORMAT", /empty/],
    ["too much", new Uint8Array(65537), "LIMIT_EXCEEDED", /65536/],
  ];
  test.each(cases)("%s", async (_, file, code, message) => {
    for (const work of [readPublicKey, readPrivateKey, identifyKey]) {
      const attempt = async () => work(Uint8Array.from(file));
      await expect(attempt()).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    }
  });

  test.skipIf(!haveOpenssl)("what OpenSSL writes besides (needs openssl)", async () => {
    const key = Buffer.from(testKey());
    const request = (...args: string[]) =>
      opensslWithFile(key, (path) => ["req", "-new", "-key", path, "-subj", "/CN=x", ...args]);
    const certificate = request("-x509");
    const dsaBits = ["-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024"];
    const dsa = openssl(["genpkey", ...dsaBits]);
    const dsaKey = opensslWithFile(dsa, (path) => ["genpkey", "-paramfile", path]);
    const bundle = Buffer.concat([key, certificate]);
    const files: [Uint8Array, RegExp, RegExp?][] = [
      [certificate, /^this is a certificate; the private key is needed$/],
      [openssl(["x509", "-trustout"], certificate), /certificate/, /openssl x509 -in FILE/],
      [request(), /certificate request/, /openssl req -in/],
      [request("-outform", "DER"), /certificate request/, /openssl req -inform DER/],
      [openssl(["pkcs12", "-export", "-passout", "pass:x"], bundle), /PKCS#12/, /openssl pkcs12/],
      [dsaKey, /DSA key/],
      [openssl(["dsa"], dsaKey), /DSA key/],
      [openssl(["dsa", "-outform", "DER"], dsaKey), /DSA key/],
      [openssl(["ecparam", "-name", "prime256v1", "-genkey"]), /elliptic-curve/],
      [openssl(["genrsa", "-primes", "3", "2048"]), /more than two primes/],
    ];
    for (const [file, message, advice] of files) {
      const error = await readPrivateKey(file).catch((error) => error);
      expect(error).toMatchObject({
        code: expect.stringMatching(/BAD_FORMAT|BAD_KEY/),
        message: expect.stringMatching(message),
      });
      if (advice !== undefined) expect(adviceFor(error)).toMatch(advice);
    }
  });

  test.skipIf(!haveOpenssl)("the advice given for PKCS#12 works (needs openssl)", async () => {
    const key = Buffer.from(testKey());
    const certificate = opensslWithFile(key, (path) => [
      ...["req", "-new", "-key", path, "-subj", "/CN=x", "-x509"],
    ]);
    const bundle = Buffer.concat([key, certificate]);
    const pkcs12 = openssl(["pkcs12", "-export", "-passout", "pass:x"], bundle);
    const taken = opensslWithFile(pkcs12, (path) => [
      ...["pkcs12", "-in", path, "-nocerts", "-passin", "pass:x", "-passout", "pass:y"],
    ]);
    const opened = await readPrivateKey(taken, { passphrase: "y" });
    expect(opened).toEqual(await readPrivateKey(pem));
  });
});
