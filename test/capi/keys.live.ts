import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { PRIVATEKEYBLOB, PUBLICKEYBLOB, SIMPLEBLOB } from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import {
  generateKeyPair,
  readPrivateKey,
  readPublicKey,
  writePrivateKey,
  writePublicKey,
} from "twinwrap/keys";
import { describe, expect, inject, test } from "vitest";
import { exportSimpleBlob } from "#build/capi/index.js";
import { jwk, keyFromPrimes, makeKey } from "../core/rsa-reference.js";
import { type Answer, AT_KEYEXCHANGE, Batch, CRYPT_EXPORTABLE, CRYPT_OAEP } from "./batch.js";
import { capture } from "./capture.js";
import { checkKey, type KeyCase, nodeKey, openWithNode } from "./checks.js";

// RSA keys as PUBLICKEYBLOB and PRIVATEKEYBLOB, both ways.

const wine = inject("wine");
const keep = capture<KeyCase>("keys", wine);
const core = await loadCore();
const AES_256 = 0x6610;

describe.skipIf(wine === undefined)("RSA keys (needs Wine and mingw-w64)", () => {
  test.each([1024, 1032, 1536, 2048, 2056, 3072, 4096])("theirs of %i bits, here", async (bits) => {
    const batch = new Batch(wine!);
    const key = batch.generate(AT_KEYEXCHANGE, bits);
    const privatekeyblob = batch.export(key, PRIVATEKEYBLOB);
    const publickeyblob = batch.export(key, PUBLICKEYBLOB);
    await batch.run();
    const made: KeyCase = {
      by: "CryptoAPI",
      bits,
      privatekeyblob: privatekeyblob.bytes,
      publickeyblob: publickeyblob.bytes,
    };
    await checkKey(made);
    keep(made);
  });

  /** A key in any form that we read. */
  async function make(bits: number): Promise<Uint8Array> {
    if (bits === 16384) {
      // Primes of that size take minutes; these are old.
      const file = new URL("../core/primes-8192.json", import.meta.url);
      const { primes } = JSON.parse(readFileSync(file, "utf8"));
      const [p, q] = primes.map((hex: string) => BigInt(`0x${hex}`));
      return Buffer.from(JSON.stringify(jwk(keyFromPrimes(p, q, 65537n))));
    }
    if (bits === 1032 || bits % 8 !== 0) return Buffer.from(JSON.stringify(jwk(makeKey(bits))));
    if (bits < 2048) {
      const options = { modulusLength: bits, publicExponent: bits === 1024 ? 3 : 65537 };
      const { privateKey } = generateKeyPairSync("rsa", options);
      return privateKey.export({ type: "pkcs8", format: "der" });
    }
    const { privateKey } = await generateKeyPair({ bits });
    return writePrivateKey(privateKey, "der");
  }

  test("a length that is not whole bytes, as OpenSSL writes it, is refused there", async () => {
    const batch = new Batch(wine!);
    const answers: Answer[] = [];
    for (const bits of [1023, 1025]) {
      const key = await readPrivateKey(await make(bits));
      for (const blob of [await writePrivateKey(key, "msblob"), writePublicKey(key, "msblob")]) {
        new DataView(blob.buffer).setUint32(12, bits, true);
        answers.push(batch.tryImport(blob));
        expect(readPublicKey(blob).n.length).toBe(Math.ceil(bits / 8));
      }
    }
    await batch.run();
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(4).fill("NTE_BAD_DATA"));
  });

  const sizes = [1023, 1024, 1025, 1032, 1536, 2048, 2049, 3072, 4096, 16384];
  test.each(sizes)("ours of %i bits, there", async (bits) => {
    const key = await readPrivateKey(await make(bits));
    const privatekeyblob = Buffer.from(await writePrivateKey(key, "msblob"));
    const publickeyblob = Buffer.from(writePublicKey(key, "msblob"));
    const session = randomBytes(32);
    const simpleblob = await exportSimpleBlob(session, AES_256, key, "oaep", { core });
    const plain = randomBytes(100);

    const batch = new Batch(wine!);
    const pair = batch.import(privatekeyblob, undefined, CRYPT_EXPORTABLE);
    const privateAgain = batch.export(pair, PRIVATEKEYBLOB);
    const publicAgain = batch.export(pair, PUBLICKEYBLOB);
    const open = batch.import(publickeyblob);
    const openAgain = batch.export(open, PUBLICKEYBLOB);
    // It opens with our private key what we wrapped, and wraps for our public key.
    const theirs = batch.import(simpleblob, pair, CRYPT_OAEP);
    const encrypted = batch.encrypt(theirs, plain);
    const fresh = batch.generate(AES_256);
    const wrapped = batch.export(fresh, SIMPLEBLOB, open, CRYPT_OAEP);
    const freshly = batch.encrypt(fresh, plain);
    await batch.run();

    expect(privateAgain.bytes).toEqual(privatekeyblob);
    expect([publicAgain.bytes, openAgain.bytes]).toEqual([publickeyblob, publickeyblob]);
    const made: KeyCase = { by: "Twinwrap", bits, privatekeyblob, publickeyblob };
    await checkKey(made);
    const opened = openWithNode(wrapped.bytes, nodeKey(privatekeyblob), "oaep");
    for (const [secret, result] of [
      [session, encrypted.bytes],
      [opened, freshly.bytes],
    ] as const) {
      const cbc = core.aesCbc(secret);
      expect(Buffer.from(cbc.encrypt(new Uint8Array(16), plain))).toEqual(result);
      cbc.dispose();
    }
    keep(made);
  });
});
