import { createHash, createHmac } from "node:crypto";
import { type RsaPublicKey, readPublicKey } from "twinwrap/keys";
import { expect } from "vitest";
import { fromSeed, signerFor } from "./signers.js";

// What the tests of the escrow formats share: fixed keys, and hashes made with node:crypto from the
// bytes that docs/format.md names.

/** Two RSA-2048 keys, as DER SubjectPublicKeyInfo. */
export const [SPKI, OTHER_SPKI] = [
  "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAjkHoSSAOQHedvqXzWAq+zV6h7anMNsLrbytXkGqeiOizvhdUqJWIDixAUJNuhmjQREqVSgguiFBNS8Wf2cVw9XTsqjDNbaATuxN9jVmMwtJk8DKNb88cMfyr/3CvXkqZHASnBv+1llZQYFehzSHXrTi5+E9UJq95pnZ0ulUQp5xwKxNkYRcelbMa6jU+usxv9y9RzOQAQwVPY+7zt+KD0/6b69XwgmrT8Os7iuNDY1ulemcWAC9doij/tcRtO71RAVBx77g3a6k3qwPOj3ODRBHFlVKUwnbSM8NPPSDQvSCdTdVo8/9kGQ+uWB7OSAmObRe//G4i45upwRZhtQQBSwIDAQAB",
  "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAnL+0IPtR5NLJx8ECbT3oUY0LnnjrkQZdg5IOH7fg44t6x0So2ZENIGdF+tFj/PANWLzDnywi1AmLv5P0u3oFpp9/dDbdKwHD+pTh01MNKxXiApcxho/UR9qgwWJzMPaSGwrc4oH1cPv15B+J6BYXNW2M9lNN8QIpmwNyM/m2O0d1Vaht/MbaGnhq/ganhqjJRFfwkbu48sssKY8r2Kz0BNV/9onZzChNc7KGO9zDbg1iYL7YEDgPNmKqUpChJg4VlSSN8/RfhBzqtYvhXmUpUDuuA7pHBaZeVJ70qfIsCaCPSQzkEYIDnr2DBbui+B2zGl2CX9md1XnZjAzSxyJmBQIDAQAB",
].map((text) => Buffer.from(text, "base64")) as [Buffer, Buffer];

/** An RSA-2048 public key by number, of which nobody has the private one. */
export function spareKey(number: number): RsaPublicKey {
  const { n, e } = readPublicKey(SPKI);
  const other = Buffer.from(n);
  other.writeUInt32BE(number, 100);
  return { n: new Uint8Array(other), e };
}

export const sha256 = (...parts: (Uint8Array | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const hmac = (key: Uint8Array, ...parts: (Uint8Array | string)[]) => {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return mac.digest();
};

/** `length` times the same byte. */
export const fill = (byte: number, length = 32) => Buffer.alloc(length, byte);

/** What a first policy says if one officer suffices. */
export const ONE_OFFICER = {
  number: 1,
  previous: fill(7),
  release: 1,
  change: 1,
  emergency: 1,
  waiting: 0,
  owners: "open" as const,
  unproven: "refused" as const,
};

/** A leaf about a release, of hashes of nothing. */
export const releaseEntry = (time: Date) => ({
  type: "release" as const,
  time,
  record: fill(1),
  owner: fill(2),
  request: fill(3),
  policy: fill(4),
  approvals: fill(5),
  recipient: fill(6),
  basis: "quorum" as const,
});

export const b64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** A signer whose private key is 32 times the same byte. */
export const signer = (name: string, byte: number) => signerFor(name, fromSeed(fill(byte)));

/** An Ed25519 public key by number. */
export const spareEd25519 = (number: number) => signer("spare", number).publicKey;

export const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
export const BAD_ARGUMENT = expect.objectContaining({ code: "BAD_ARGUMENT" });
export const OVER_LIMIT = expect.objectContaining({ code: "LIMIT_EXCEEDED" });
export const NOT_VERIFIED = expect.objectContaining({ code: "NOT_VERIFIED" });
