import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { SigningKey } from "twinwrap/escrow";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as web from "#build/escrow/ed25519-signing.js";
import * as node from "#build/escrow/ed25519-signing.node.js";

// What signs with a platform's Ed25519: node:crypto in Node, WebCrypto elsewhere. The oracle is node:crypto.

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const seed = Buffer.from(privateKey.export({ format: "jwk" }).d!, "base64url");
const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
const message = Buffer.from("what an officer signs\n");

afterEach(() => vi.unstubAllGlobals());

describe.each([
  ["node:crypto", node],
  ["WebCrypto", web],
])("by %s", (_, { importEd25519 }) => {
  test("the public key is the private one's, and a signature verifies", async () => {
    const key = await importEd25519(seed);
    expect(Buffer.from(key.publicKey)).toEqual(raw);
    const signature = await key.sign(message);
    expect(signature).toHaveLength(64);
    expect(verify(null, message, createPublicKey(privateKey), signature)).toBe(true);
    // Ed25519 is deterministic (RFC 8032, section 5.1.6).
    expect(await key.sign(message)).toEqual(signature);
  });

  test("the private key that was handed in stays as it is, for its owner to wipe", async () => {
    const mine = Uint8Array.from(seed);
    await importEd25519(mine);
    expect(Buffer.from(mine)).toEqual(seed);
  });
});

test.each([
  ["no WebCrypto at all, as on a page without HTTPS", undefined],
  [
    "none with Ed25519",
    {
      importKey: async () => {
        throw new DOMException("Unrecognized name.", "NotSupportedError");
      },
    },
  ],
])("%s: one clear error", async (_, subtle) => {
  vi.stubGlobal("crypto", { subtle });
  await expect(web.importEd25519(seed)).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(/does not sign with Ed25519/),
  });
});

test("a signer signs under a name, and a private key has 32 bytes", async () => {
  const signer = (await SigningKey.from(seed)).signer("ann");
  expect(signer.name).toBe("ann");
  expect(Buffer.from(signer.publicKey)).toEqual(raw);
  for (const length of [0, 31, 33, 64]) {
    await expect(SigningKey.from(new Uint8Array(length))).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
  }
});
