import { sessionAlgorithm, sessionAlgorithmByName } from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { readPrivateKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { importSimpleBlob } from "#build/capi/index.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";
import { encryptAs } from "./ciphers.js";

// The files of the shared vectors, from the owner's SIMPLEBLOB to the plaintext. What their blobs hold
// is tested in test/blob and test/cli/blob-import.test.ts.

const core = await loadCore();

describe.skipIf(!haveVectors)("a real CryptoAPI's files (needs ../shared/vectors)", () => {
  const capi = (path: string) => readVectors(`capi/${path}`);
  const load = (name: string) => (haveVectors ? readVectorsJson(`capi/${name}`) : { cases: [] });

  async function open(blob: string, owner: string, padding: string): Promise<Uint8Array> {
    const key = await readPrivateKey(capi(`keys/${owner}.privatekeyblob`));
    const known = padding === "oaep" ? "oaep" : "pkcs1-v1_5";
    return (await importSimpleBlob(capi(blob), key, known, { core })).key;
  }

  test("every file of manifest.json", async () => {
    let seen = 0;
    for (const entry of load("manifest.json").cases) {
      if (entry.expect !== undefined) continue;
      const { name } = sessionAlgorithm(Number(entry.algid))!;
      const [plain, cipher] = [capi(entry.plain), capi(entry.cipher)];
      const key = await open(entry.owner_simpleblob, entry.owner, entry.padding);
      const iv = Buffer.from(entry.iv ?? "", "hex");
      const options = entry.mode === "cbc" ? { iv } : {};
      expect([entry.id, encryptAs(name, key, plain, options)]).toEqual([entry.id, cipher]);
      if (name.startsWith("CALG_AES_")) {
        const cbc = core.aesCbc(key);
        expect(Buffer.from(cbc.decrypt(iv, cipher))).toEqual(plain);
        cbc.dispose();
      }
      seen++;
    }
    expect(seen).toBe(38);
  });

  test("every file of extra.json: odd key lengths, with and without salt", async () => {
    const { cases } = load("extra.json");
    for (const entry of cases) {
      const { name } = sessionAlgorithmByName(entry.alg);
      const plain = capi(entry["plain.bin"].file);
      const key = await open(entry["owner.simpleblob"].file, entry.owner, entry.padding);
      expect(encryptAs(name, key, plain)).toEqual(capi(entry["cipher.bin"].file));
      const salted = entry["cipher-zero-salt.bin"];
      if (salted === undefined) continue;
      const zeros = { salt: new Uint8Array(11) };
      expect(encryptAs(name, key, plain, zeros)).toEqual(capi(salted.file));
    }
    expect(cases.length).toBe(13);
  });
});
