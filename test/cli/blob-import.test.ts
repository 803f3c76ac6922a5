import { createPrivateKey } from "node:crypto";
import {
  CALG_AES_256,
  CryptoApiError,
  decodePlaintextKeyBlob,
  decodePrivateKeyBlob,
  encodePublicKeyBlob,
  encodeSimpleBlob,
  SESSION_ALGORITHMS,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { readPrivateKey, readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import {
  exportSimpleBlob,
  importKeyBlob,
  importSimpleBlob,
  setOddParity,
} from "#build/capi/index.js";
import { openWithNode } from "../capi/checks.js";
import { testKey } from "../keys/material.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";

// The answers of import and export, against what a real CryptoAPI wrote and answered.

const core = await loadCore();
const options = { core };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const PADDINGS = { pkcs1: "pkcs1-v1_5", oaep: "oaep" } as const;
type Padding = "oaep" | "pkcs1-v1_5";

/** What a call answers: "accepted", or the name of its error. */
async function answer(call: () => unknown): Promise<string> {
  try {
    await call();
    return "accepted";
  } catch (error) {
    expect(error).toBeInstanceOf(CryptoApiError);
    return (error as CryptoApiError).nte;
  }
}

describe.skipIf(!haveVectors)("a real CryptoAPI's blobs (needs ../shared/vectors)", () => {
  const capi = (path: string) => readVectors(`capi/${path}`);
  const load = (name: string) => (haveVectors ? readVectorsJson(`capi/${name}`) : { cases: [] });
  const manifest = load("manifest.json");
  const extra = load("extra.json");
  const negatives = load("negatives.json");
  const privateKey = (name: string) => readPrivateKey(capi(`keys/${name}.privatekeyblob`));
  const publicKey = (name: string) => readPublicKey(capi(`keys/${name}.publickeyblob`));

  /** Imports a blob, and what is exported again for the same key is opened by node:crypto. */
  async function bothWays(
    blob: string,
    keyName: string,
    padding: Padding,
    sessionKey: string,
    aiKeyAlg: number,
  ): Promise<void> {
    const other = padding === "oaep" ? "pkcs1-v1_5" : "oaep";
    const bytes = capi(blob);
    const key = await privateKey(keyName);
    const imported = await importSimpleBlob(bytes, key, padding, options);
    expect([imported.aiKeyAlg, hex(imported.key)]).toEqual([aiKeyAlg, sessionKey]);
    expect(await answer(() => importSimpleBlob(bytes, key, other, options))).toBe("NTE_BAD_DATA");
    const exported = await exportSimpleBlob(
      imported.key,
      aiKeyAlg,
      await publicKey(keyName),
      padding,
      options,
    );
    expect(hex(exported.subarray(0, 12))).toBe(hex(bytes.subarray(0, 12)));
    expect(exported.length).toBe(bytes.length);
    expect(hex(exported)).not.toBe(hex(bytes));
    expect(
      hex(openWithNode(exported, createPrivateKey(capi(`keys/${keyName}.pem`)), padding)),
    ).toBe(sessionKey);
  }

  type Case = Record<string, string> & { padding: "pkcs1" | "oaep" };

  test("every case of manifest.json, under owner and authority", async () => {
    const good = (manifest.cases as Case[]).filter((entry) => entry.expect === undefined);
    expect(good.length).toBe(38);
    for (const entry of good) {
      const algId = Number(entry.algid);
      const padding = PADDINGS[entry.padding];
      for (const [blob, key] of [
        [entry.owner_simpleblob!, entry.owner!],
        [entry.authority_simpleblob!, entry.authority!],
      ] as const) {
        await bothWays(blob, key, padding, entry.session_key!, algId);
      }
    }
  });

  test("every case of extra.json: odd key lengths", async () => {
    expect(extra.cases.length).toBe(13);
    for (const entry of extra.cases) {
      const { algId } = sessionAlgorithmByName(entry.alg);
      const padding = PADDINGS[entry.padding as "pkcs1"];
      for (const [role, key] of [
        ["owner.simpleblob", entry.owner],
        ["authority.simpleblob", entry.authority],
      ]) {
        await bothWays(entry[role].file, key, padding, entry.session_key, algId);
      }
    }
  });

  test("every recovery: what the authority wrapped for the new owner", async () => {
    expect(manifest.recoveries.length).toBe(8);
    for (const { case: id, new_owner, padding, simpleblob } of manifest.recoveries) {
      const { session_key, algid } = manifest.cases.find((entry: Case) => entry.id === id);
      await bothWays(
        simpleblob,
        new_owner,
        PADDINGS[padding as "pkcs1"],
        session_key,
        Number(algid),
      );
    }
  });

  test("keys that do not fit their modulus: the refused exports of manifest.json", async () => {
    const refused = (manifest.cases as Case[]).filter((entry) => entry.expect !== undefined);
    expect(refused.map(({ id }) => id)).toEqual(["004", "007"]);
    for (const { owner, alg, padding, error } of refused) {
      const { algId, keyLength } = sessionAlgorithmByName(alg!.replace(/^aes/, "aes-"));
      const key = new Uint8Array(keyLength);
      const to = await publicKey(owner!);
      expect(error).toMatch(/^NTE_BAD_LEN /);
      const call = () => exportSimpleBlob(key, algId, to, PADDINGS[padding], options);
      expect(await answer(call)).toBe("NTE_BAD_LEN");
    }
  });

  // docs/format.md gives the reason for every answer where Microsoft's documents give none.
  const decided: Record<string, string> = {
    "reserved not 0": "NTE_BAD_DATA",
    "bType SYMMETRICWRAPKEYBLOB": "NTE_BAD_TYPE",
    "aiKeyAlg AES-128, 32-byte key": "NTE_BAD_DATA",
    "aiKeyAlg RC4, 32-byte key": "NTE_BAD_DATA",
    "aiKeyAlg DES, 32-byte key": "NTE_BAD_DATA",
    "aiKeyAlg RSA_KEYX": "NTE_BAD_ALGID",
    "aiKeyAlg SHA-1": "NTE_BAD_ALGID",
    "12 bytes": "NTE_BAD_DATA",
    "7 bytes": "NTE_BAD_DATA",
    "not below the modulus": "NTE_BAD_DATA",
    "zero ciphertext": "NTE_BAD_DATA",
    "no private key": "NTE_NO_KEY",
    "public: magic RSA2": "NTE_BAD_DATA",
    "public: short": "NTE_BAD_DATA",
    "public: bitlen too big": "NTE_BAD_DATA",
    "public: aiKeyAlg AES-256": "NTE_BAD_ALGID",
    "public: even modulus": "NTE_BAD_KEY",
    "private: magic RSA1": "NTE_BAD_DATA",
    "private: without d, one byte less": "NTE_BAD_DATA",
    "private: trailing byte": "accepted",
    "private: p altered": "NTE_BAD_KEY",
    "plaintext: size 31": "NTE_BAD_DATA",
    "plaintext: short": "NTE_BAD_DATA",
    "plaintext: size ffffffff": "NTE_BAD_DATA",
  };

  test("every case of negatives.json", async () => {
    expect(negatives.cases.length).toBe(43);
    for (const { name, blob, import_key, flags, documented } of negatives.cases) {
      const bytes = capi(blob.file);
      const answered = await answer(async () => {
        if (/^(public|private):/.test(name)) return importKeyBlob(bytes);
        if (name.startsWith("plaintext:")) return decodePlaintextKeyBlob(bytes);
        const key = import_key === "-" ? undefined : await readPrivateKey(capi(import_key));
        const padding = flags === "0x40" ? "oaep" : "pkcs1-v1_5";
        return importSimpleBlob(bytes, key, padding, options);
      });
      const expected = documented === null ? decided[name] : documented.split(" ")[0];
      expect([name, answered]).toEqual([name, expected]);
    }
    const silent = negatives.cases.filter((entry: Case) => entry.documented === null);
    expect(silent.map((entry: Case) => entry.name).sort()).toEqual(Object.keys(decided).sort());
  });

  test("what is accepted is the right key", async () => {
    const key = await privateKey("owner2-2048");
    const good = await importSimpleBlob(capi("negatives/000.bin"), key, "pkcs1-v1_5", options);
    for (const file of ["013.bin", "019.bin"]) {
      const blob = capi(`negatives/${file}`);
      const imported = await importSimpleBlob(blob, key, "pkcs1-v1_5", options);
      expect(hex(imported.key)).toBe(hex(good.key));
    }
    const whole = decodePrivateKeyBlob(capi("keys/owner2-2048.privatekeyblob"));
    for (const file of ["035.bin", "037.bin"]) {
      const read = await readPrivateKey(capi(`negatives/${file}`));
      expect(hex(read.d)).toBe(hex(whole.d!));
      expect(hex(importKeyBlob(capi(`negatives/${file}`)).n)).toBe(hex(whole.n));
    }
  });
});

describe("import and export", async () => {
  const pem = testKey();
  const bytes = Buffer.from(pem);
  const key = await readPrivateKey(bytes);
  const to = readPublicKey(bytes);
  const wrap = (secret: Uint8Array, algId: number, padding: Padding = "oaep") =>
    exportSimpleBlob(secret, algId, to, padding, options);

  test("every algorithm, every length it takes, and one byte less and more", async () => {
    for (const { algId, minKeyLength, maxKeyLength } of SESSION_ALGORITHMS) {
      // A 1024-bit modulus holds at most 117 bytes.
      for (let length = minKeyLength - 1; length <= Math.min(maxKeyLength + 1, 117); length++) {
        const secret = crypto.getRandomValues(new Uint8Array(length));
        const blob = await wrap(secret, algId, "pkcs1-v1_5");
        expect(hex(openWithNode(blob, createPrivateKey(pem), "pkcs1-v1_5"))).toBe(hex(secret));
        const call = () => importSimpleBlob(blob, key, "pkcs1-v1_5", options);
        if (length < minKeyLength || length > maxKeyLength) {
          expect(await answer(call)).toBe("NTE_BAD_DATA");
        } else {
          expect(hex((await call()).key)).toBe(hex(secret));
        }
      }
    }
  });

  test("a session key fits to the byte", async () => {
    for (const [padding, room] of [
      ["oaep", 128 - 42],
      ["pkcs1-v1_5", 128 - 11],
    ] as const) {
      const most = new Uint8Array(room).fill(7);
      const rc2 = sessionAlgorithmByName("rc2").algId;
      const blob = await wrap(most, rc2, padding);
      expect(openWithNode(blob, createPrivateKey(pem), padding).length).toBe(room);
      expect((await importSimpleBlob(blob, key, padding, options)).key.length).toBe(room);
      expect(await answer(() => wrap(new Uint8Array(room + 1), rc2, padding))).toBe("NTE_BAD_LEN");
    }
  });

  test("what follows the block is passed over up to 64 bytes; a block of another size is told", async () => {
    const secret = new Uint8Array(32).fill(9);
    const blob = await wrap(secret, CALG_AES_256);
    const padded = (count: number) => Buffer.concat([blob, new Uint8Array(count)]);
    for (const count of [8, 64]) {
      const imported = await importSimpleBlob(padded(count), key, "oaep", options);
      expect(hex(imported.key)).toBe(hex(secret));
    }
    for (const wrong of [padded(65), padded(128), blob.subarray(0, 139), blob.subarray(0, 76)]) {
      await expect(importSimpleBlob(wrong, key, "oaep", options)).rejects.toMatchObject({
        nte: "NTE_BAD_DATA",
        offset: 12,
        message: expect.stringMatching(/^NTE_BAD_DATA: the encryptedkey has \d+ bytes, and a key/),
      });
    }
  });

  test("every byte of the block counts, and all failures are one", async () => {
    const blob = await wrap(new Uint8Array(16).fill(1), sessionAlgorithmByName("aes-128").algId);
    const messages = new Set<string>();
    for (let at = 12; at < blob.length; at++) {
      const altered = Uint8Array.from(blob);
      altered[at]! ^= 1 << (at % 8);
      const refused = importSimpleBlob(altered, key, "oaep", options);
      await refused.catch((error: Error) => messages.add(error.message));
      await expect(refused).rejects.toMatchObject({ nte: "NTE_BAD_DATA" });
    }
    expect(messages.size).toBe(1);
  });

  test("a block that is no number below the modulus", async () => {
    for (const encryptedKey of [key.n, new Uint8Array(128).fill(0xff)]) {
      const blob = encodeSimpleBlob({ aiKeyAlg: CALG_AES_256, encryptedKey });
      const call = () => importSimpleBlob(blob, key, "oaep", options);
      expect(await answer(call)).toBe("NTE_BAD_DATA");
    }
  });

  test("a public key blob must hold a key", async () => {
    const blob = (e: number[], n: Uint8Array = to.n) =>
      encodePublicKeyBlob({ aiKeyAlg: 0xa400, n, e: Uint8Array.from(e) });
    expect(hex(importKeyBlob(blob([1, 0, 1])).n)).toBe(hex(to.n));
    expect(await answer(() => importKeyBlob(blob([1])))).toBe("NTE_BAD_KEY");
    expect(await answer(() => importKeyBlob(blob([4])))).toBe("NTE_BAD_KEY");
    const short = crypto.getRandomValues(new Uint8Array(48)).fill(0xff, 47);
    expect(await answer(() => importKeyBlob(blob([3], short)))).toBe("NTE_BAD_KEY");
  });
});

test("odd parity, as FIPS 46-3 has it: every byte", () => {
  const every = Uint8Array.from({ length: 256 }, (_, i) => i);
  setOddParity(every);
  for (const [i, byte] of every.entries()) {
    const ones = byte.toString(2).replaceAll("0", "").length;
    expect([byte >> 1, ones % 2]).toEqual([i >> 1, 1]);
  }
});
