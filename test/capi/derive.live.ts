import { randomBytes } from "node:crypto";
import { PLAINTEXTKEYBLOB, SESSION_ALGORITHMS } from "twinwrap/blob";
import { inject, test } from "vitest";
import { Batch, CRYPT_CREATE_SALT, CRYPT_NO_SALT } from "./batch.js";
import { capture } from "./capture.js";
import { checkDerived, type DerivedCase, HASHES, type Hash } from "./derived.js";

// Session keys that a program derives from a password (CryptDeriveKey), with every hash for every cipher.

const wine = inject("wine");
const keep = capture<DerivedCase>("derive", wine);

test.skipIf(wine === undefined).each(Object.entries(HASHES) as [Hash, number][])(
  "keys derived from %s (needs Wine and mingw-w64)",
  async (hash, hashId) => {
    const batch = new Batch(wine!);
    const cases: (() => DerivedCase)[] = [];
    const one = (
      algorithm: (typeof SESSION_ALGORITHMS)[number],
      length: number,
      salt: DerivedCase["salt"],
    ) => {
      const flags = { zeros: 0, none: CRYPT_NO_SALT, hash: CRYPT_CREATE_SALT }[salt ?? "zeros"];
      const bits = length === algorithm.keyLength ? 0 : 8 * length;
      const password = randomBytes(1 + (cases.length % 20));
      const key = batch.derive(hashId, password, algorithm.algId, bits, flags);
      const plaintextkeyblob = batch.export(key, PLAINTEXTKEYBLOB);
      const plain = randomBytes(21);
      const encrypted = batch.encrypt(key, plain);
      cases.push(() => ({
        hash,
        algorithm: algorithm.name,
        password,
        ...(salt === undefined ? {} : { salt }),
        plaintextkeyblob: plaintextkeyblob.bytes,
        plain,
        encrypted: encrypted.bytes,
      }));
    };
    for (const algorithm of SESSION_ALGORITHMS) {
      one(algorithm, algorithm.keyLength, undefined);
      if (!/RC/.test(algorithm.name)) continue;
      one(algorithm, 5, "zeros");
      one(algorithm, 5, "none");
      one(algorithm, 5, "hash");
      one(algorithm, 7, undefined);
      one(algorithm, 11, "hash");
    }
    await batch.run();
    for (const done of cases.map((done) => done())) {
      checkDerived(done);
      keep(done);
    }
  },
);
