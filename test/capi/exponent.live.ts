import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  CALG_RSA_KEYX,
  encodePrivateKeyBlob,
  PLAINTEXTKEYBLOB,
  SESSION_ALGORITHMS,
  SIMPLEBLOB,
} from "twinwrap/blob";
import { expect, inject, test } from "vitest";
import { Batch } from "./batch.js";
import { capture } from "./capture.js";
import type { WrapCase, WrapGroup } from "./checks.js";

// Private keys with an exponent of one (Microsoft's KB 228786): programs export and import session keys in
// the clear with them, as SIMPLEBLOBs.

const wine = inject("wine");
const keep = capture<WrapGroup>("exponent", wine);

test.skipIf(wine === undefined)("session keys under e = 1 (needs Wine and mingw-w64)", async () => {
  const jwk = generateKeyPairSync("rsa", { modulusLength: 512 }).privateKey.export({
    format: "jwk",
  });
  const [n, p, q, qi] = [jwk.n, jwk.p, jwk.q, jwk.qi].map((text) =>
    Buffer.from(text!, "base64url"),
  );
  const one = Uint8Array.of(1);
  const rest = { n: n!, e: one, p: p!, q: q!, dp: one, dq: one, qi: qi!, d: one };
  const privatekeyblob = Buffer.from(encodePrivateKeyBlob({ aiKeyAlg: CALG_RSA_KEYX, ...rest }));
  const batch = new Batch(wine!);
  const pair = batch.import(privatekeyblob);
  const wraps = SESSION_ALGORITHMS.map(({ algId, name }): (() => WrapCase) => {
    const key = batch.generate(algId);
    const plain = randomBytes(30);
    const simpleblob = batch.export(key, SIMPLEBLOB, pair);
    const plaintextkeyblob = batch.export(key, PLAINTEXTKEYBLOB);
    const encrypted = batch.encrypt(key, plain);
    return () => ({
      by: "CryptoAPI",
      algorithm: name,
      simpleblob: simpleblob.bytes,
      plaintextkeyblob: plaintextkeyblob.bytes,
      plain,
      encrypted: encrypted.bytes,
    });
  });
  await batch.run();
  const done = wraps.map((wrap) => wrap());
  for (const { simpleblob, plaintextkeyblob } of done) {
    const block = Buffer.from(simpleblob.subarray(12)).reverse();
    expect(block.toString("hex")).toContain(plaintextkeyblob.toString("hex", 12));
  }
  keep({ padding: "pkcs1-v1_5", privatekeyblob, wraps: done });
});
