import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fingerprint, identifyKey, readPrivateKey, readPublicKey } from "twinwrap/keys";
import { expect, test } from "vitest";
import { BIT_STRING, DerReader, encodeDer, SEQUENCE, sequence } from "#build/keys/der.js";
import { haveOpenssl, openssl, opensslWithFile } from "../openssl.js";
import { preparedKeys } from "../prepared-keys.cjs";

// Certificates that openssl makes; node:crypto says which key is in them.

const der = preparedKeys(2048)[0]!;
const key = Buffer.from(
  `-----BEGIN PRIVATE KEY-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`,
);
const SUBJECT = ["-subj", "/C=CH/O=Acme \u00c4/CN=alice@example.org", "-utf8"];

/** A certificate for the key (PEM). */
function certificate(...args: string[]): Buffer {
  return opensslWithFile(key, (path) => [
    "req",
    "-new",
    "-x509",
    "-key",
    path,
    ...SUBJECT,
    ...args,
  ]);
}

/** What node:crypto finds in it. */
async function expectKeyOf(file: Uint8Array, pem: Buffer): Promise<void> {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  const { createHash } = await import("node:crypto");
  const wanted = createHash("sha256").update(spki).digest("hex");
  const read = readPublicKey(file);
  expect(Buffer.from(await fingerprint(read)).toString("hex")).toBe(wanted);
}

test.skipIf(!haveOpenssl)("the key in a certificate, PEM and DER (needs openssl)", async () => {
  const many = certificate("-addext", "subjectAltName=email:alice@example.org,DNS:x", "-days", "1");
  for (const pem of [
    certificate(),
    many,
    certificate("-set_serial", "-5"),
    certificate("-sha512"),
  ]) {
    const binary = openssl(["x509", "-outform", "DER"], pem);
    await expectKeyOf(pem, pem);
    await expectKeyOf(binary, pem);
    expect(identifyKey(pem)).toMatchObject({
      form: "pem",
      kind: "public",
      structure: "Certificate",
    });
    expect(identifyKey(binary)).toMatchObject({ form: "der", structure: "Certificate" });
    // Text around it, as `openssl x509 -text` and browsers write it, and the old label.
    await expectKeyOf(openssl(["x509", "-text"], pem), pem);
    const old = pem.toString("latin1").replaceAll(" CERTIFICATE", " X509 CERTIFICATE");
    await expectKeyOf(Buffer.from(old, "latin1"), pem);
  }
});

test.skipIf(!haveOpenssl)(
  "version 1, and one that another key signed (needs openssl)",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "twinwrap-"));
    try {
      const at = (name: string) => join(folder, name);
      const made = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
      writeFileSync(at("ca.key"), openssl(made));
      openssl([
        "req",
        "-new",
        "-x509",
        "-key",
        at("ca.key"),
        "-subj",
        "/CN=ca",
        "-out",
        at("ca.pem"),
      ]);
      writeFileSync(at("alice.key"), key);
      openssl(["req", "-new", "-key", at("alice.key"), ...SUBJECT, "-out", at("alice.csr")]);
      const by = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial"];
      openssl(["x509", "-req", "-in", at("alice.csr"), ...by, "-out", at("alice.crt")]);
      const leaf = readFileSync(at("alice.crt"));
      expect(new X509Certificate(leaf).issuer).toBe("CN=ca");
      await expectKeyOf(leaf, leaf);
      // The leaf comes first in a chain. A key in the same file counts before any certificate.
      const chain = Buffer.concat([leaf, readFileSync(at("ca.pem"))]);
      await expectKeyOf(chain, leaf);
      const bundle = Buffer.concat([chain, key]);
      expect(await readPrivateKey(bundle)).toEqual(await readPrivateKey(key));
      expect(identifyKey(bundle)).toMatchObject({ kind: "private", structure: "PrivateKeyInfo" });
      // The authority's own key is no RSA key.
      expect(() => readPublicKey(readFileSync(at("ca.pem")))).toThrow(/elliptic-curve/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test.skipIf(!haveOpenssl)(
  "a damaged certificate is refused, wherever it is cut (needs openssl)",
  () => {
    const binary = openssl(["x509", "-outform", "DER"], certificate());
    const spki = createPublicKey(key).export({ type: "spki", format: "der" });
    const end = binary.indexOf(spki) + spki.length;
    for (let length = 1; length < binary.length; length += length < end ? 7 : 1) {
      expect(() => readPublicKey(binary.subarray(0, length))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^BAD_/) }),
      );
    }
    const longer = Buffer.concat([binary, Buffer.of(0)]);
    expect(() => readPublicKey(longer)).toThrow(expect.objectContaining({ code: "BAD_FORMAT" }));
    // Behind the last that a certificate has, something that none has: a [4], and a second [3].
    const outer = new DerReader(binary).sequence();
    const [body, algorithm] = [outer.take(SEQUENCE), outer.take(SEQUENCE)];
    const signature = outer.take(BIT_STRING);
    const around = (...content: Uint8Array[]) =>
      encodeDer(
        sequence(
          { tag: SEQUENCE, content },
          { tag: SEQUENCE, content: [algorithm] },
          { tag: BIT_STRING, content: [signature] },
        ),
      );
    expect(Buffer.from(around(body)).equals(binary)).toBe(true);
    for (const tag of [0xa4, 0xa3]) {
      expect(() => readPublicKey(around(body, Buffer.of(tag, 2, 5, 0)))).toThrow(
        expect.objectContaining({ code: "BAD_FORMAT" }),
      );
    }
  },
);
