import { randomBytes } from "node:crypto";
import {
  encodePlaintextKeyBlob,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SIMPLEBLOB,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { expect, inject, test } from "vitest";
import { AT_KEYEXCHANGE, Batch, CRYPT_EXPORTABLE, dword, KP_EFFECTIVE_KEYLEN } from "./batch.js";
import { capture } from "./capture.js";
import { checkWraps, type WrapCase, type WrapGroup } from "./checks.js";
import type { CipherOptions } from "./ciphers.js";

// RC2 and RC4 keys with a salt of their own (KP_SALT_EX), as programs use them that set one.

const wine = inject("wine");
const keep = capture<WrapGroup>("salts", wine);

/** The longest salt that the provider takes, in bytes. */
const MAX_SALT = 24;
const LENGTHS = [1, 8, 11, 16, MAX_SALT];
/** Bytes of the keys: 40, 56 and 128 bits, and one between. */
const KEYS = [5, 7, 11, 16];

test.skipIf(wine === undefined)(
  "a salt of any length behind a key of any length (needs Wine and mingw-w64)",
  async () => {
    const batch = new Batch(wine!);
    const pair = batch.generate(AT_KEYEXCHANGE, 1024);
    const privatekeyblob = batch.export(pair, PRIVATEKEYBLOB);
    batch.export(pair, PUBLICKEYBLOB);
    const wraps: (() => WrapCase)[] = [];
    const one = (name: string, length: number, cipher: CipherOptions) => {
      const { algId, name: algorithm } = sessionAlgorithmByName(name);
      const secret = randomBytes(length);
      const plaintextkeyblob = Buffer.from(
        encodePlaintextKeyBlob({ aiKeyAlg: algId, key: secret }),
      );
      const key = batch.import(plaintextkeyblob, undefined, CRYPT_EXPORTABLE);
      if (cipher.effectiveBits !== undefined) {
        batch.set(key, KP_EFFECTIVE_KEYLEN, dword(cipher.effectiveBits));
      }
      const set = batch.salt(key, cipher.salt!);
      const plain = randomBytes(37);
      const encrypted = batch.encrypt(key, plain);
      const simpleblob = batch.export(key, SIMPLEBLOB, pair);
      wraps.push(() => {
        expect(set.outcome).toBe("accepted");
        return {
          by: "CryptoAPI",
          algorithm,
          cipher,
          simpleblob: simpleblob.bytes,
          plaintextkeyblob,
          plain,
          encrypted: encrypted.bytes,
        };
      });
      return key;
    };
    for (const length of KEYS) {
      for (const size of LENGTHS) {
        one("rc2", length, { salt: randomBytes(size) });
        one("rc4", length, { salt: randomBytes(size) });
      }
      one("rc2", length, { salt: randomBytes(8), effectiveBits: 40 });
    }
    const refused = ["rc2", "rc4"].map((name) =>
      batch.salt(one(name, 16, { salt: randomBytes(1) }), randomBytes(MAX_SALT + 1)),
    );
    await batch.run();
    expect(refused.map(({ outcome }) => outcome)).toEqual(["NTE_BAD_DATA", "NTE_BAD_DATA"]);
    const group: WrapGroup = {
      padding: "pkcs1-v1_5",
      privatekeyblob: privatekeyblob.bytes,
      wraps: wraps.map((wrap) => wrap()),
    };
    await checkWraps(group);
    keep(group);
  },
);
