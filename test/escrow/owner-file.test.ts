import { createPrivateKey, createPublicKey, randomBytes, verify } from "node:crypto";
import { loadCore } from "twinwrap/core";
import {
  decodeMessage,
  decodeOwnerFile,
  encodeOwnerFile,
  readControlKey,
  readControlPublicKey,
  writeControlKey,
  writeControlPublicKey,
  writeOfficerKeys,
  writeOfficerPublicKeys,
} from "twinwrap/escrow";
import { generateKeyPair } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { fill } from "./material.js";

// Independent: node:crypto's PEM readers, and the form of an owner's file written out by hand.

const core = await loadCore();
const failing = (code: string) => expect.objectContaining({ code });
const b64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");

describe("a control key", () => {
  test("signs what node:crypto verifies, locked or not", async () => {
    const message = randomBytes(50);
    for (const passphrase of [undefined, "open sesame"]) {
      const pem = await writeControlKey(fill(7), { passphrase, iterations: 1000 });
      const key = await readControlKey(pem, { passphrase });
      const publicPem = Buffer.from(writeControlPublicKey(key.publicKey)).toString();
      const signature = await key.signer("olivia").sign(message);
      expect(verify(null, message, createPublicKey(publicPem), signature)).toBe(true);
      expect(readControlPublicKey(Buffer.from(publicPem))).toEqual(key.publicKey);
      const foreign = createPrivateKey({
        key: Buffer.from(pem),
        format: "pem",
        ...(passphrase && { passphrase }),
      } as never);
      expect(createPublicKey(foreign as never).export({ type: "spki", format: "pem" })).toBe(
        publicPem,
      );
    }
  });

  test("is no officer's key, and no other", async () => {
    const rsa = await generateKeyPair({ bits: 2048 });
    const officer = await writeOfficerKeys({ seed: fill(7), shareKey: rsa.privateKey });
    await expect(readControlKey(officer)).rejects.toEqual(failing("BAD_FORMAT"));
    const { publicKey } = await readControlKey(await writeControlKey(fill(7)));
    const officerPublic = writeOfficerPublicKeys({ publicKey, shareKey: rsa.publicKey });
    expect(() => readControlPublicKey(officerPublic)).toThrow(failing("BAD_FORMAT"));
    await expect(readControlKey(writeControlPublicKey(publicKey))).rejects.toEqual(
      failing("BAD_KEY"),
    );
    const pem = await writeControlKey(fill(7));
    expect(() => readControlPublicKey(pem)).toThrow(failing("BAD_KEY"));
    // A point of small order verifies anything.
    const small = writeControlPublicKey(Uint8Array.of(1, ...new Uint8Array(31)));
    expect(() => readControlPublicKey(small)).toThrow(failing("BAD_FORMAT"));
  });
});

describe("an owner's file", () => {
  const file = { authority: "office", fingerprint: fill(1), owner: "olivia", secret: fill(2) };
  const TEXT = `{"authority":"office","fingerprint":"${b64url(fill(1))}","owner":"olivia","secret":"${b64url(fill(2))}","type":"twinwrap/owner/v1"}`;

  test("is canonical JSON, and read as it was written", () => {
    expect(Buffer.from(encodeOwnerFile(file)).toString()).toBe(TEXT);
    expect(decodeOwnerFile(Buffer.from(TEXT))).toEqual(file);
    // However it was carried.
    expect(decodeMessage(core, Buffer.from(`\ufeff ${TEXT.replaceAll(",", ",\r\n")}\r\n`))).toEqual(
      {
        kind: "owner",
        owner: file,
      },
    );
  });

  test.each([
    ["olivia", "two words"],
    ["olivia", "twinwrap/owner"],
    ["olivia", ""],
    ["office", "twinwrap/office"],
    ["owner/v1", "owner/v2"],
    [b64url(fill(2)), b64url(fill(2, 31))],
    [b64url(fill(1)), b64url(fill(1, 33))],
    ['"type"', '"token":1,"type"'],
    [`,"secret":"${b64url(fill(2))}"`, ""],
  ])("is refused: %s → %s", (from, to) => {
    const changed = TEXT.replace(from, to);
    expect(changed).not.toBe(TEXT);
    expect(() => decodeOwnerFile(Buffer.from(changed))).toThrow(/./);
    expect(() => decodeMessage(core, Buffer.from(changed))).toThrow(/./);
  });

  test("is not written if nobody could read it", () => {
    const code = failing("BAD_ARGUMENT");
    expect(() => encodeOwnerFile({ ...file, owner: "two words" })).toThrow(code);
    expect(() => encodeOwnerFile({ ...file, secret: fill(2, 31) })).toThrow(code);
  });
});
