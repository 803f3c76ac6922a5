import { randomBytes, randomInt } from "node:crypto";
import {
  encodePlaintextKeyBlob,
  PLAINTEXTKEYBLOB,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SESSION_ALGORITHMS,
  type SessionAlgorithm,
  SIMPLEBLOB,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { type RsaPublicKey, readPublicKey } from "twinwrap/keys";
import { describe, expect, inject, test } from "vitest";
import { exportSimpleBlob, setOddParity } from "#build/capi/index.js";
import {
  AT_KEYEXCHANGE,
  Batch,
  CRYPT_EXPORTABLE,
  CRYPT_MODE_ECB,
  CRYPT_NO_SALT,
  CRYPT_OAEP,
  dword,
  KP_EFFECTIVE_KEYLEN,
  KP_IV,
  KP_MODE,
  type Slot,
} from "./batch.js";
import { capture } from "./capture.js";
import { checkWraps, PADDINGS, type Padding, type WrapCase, type WrapGroup } from "./checks.js";
import { type CipherOptions, encryptAs } from "./ciphers.js";

// Session keys as SIMPLEBLOBs, both ways: made on one side, opened and used on the other.

const wine = inject("wine");
const keep = capture<WrapGroup>("wraps", wine);
const core = await loadCore();

/** A session key to be made, and how the program is told to use it. */
interface Plan {
  algorithm: SessionAlgorithm;
  /** Bytes of the key. */
  length: number;
  /** What is not said is left as the program finds it: CBC, an IV of zeros, all bits of the key. */
  cipher?: CipherOptions;
}

const plan = (name: string, length?: number, cipher?: CipherOptions): Plan => {
  const algorithm = sessionAlgorithmByName(name);
  const rest = cipher === undefined ? {} : { cipher };
  return { algorithm, length: length ?? algorithm.keyLength, ...rest };
};

// Keys of 40 bits, which only RC2 and RC4 have, get a salt: a new one has none under CRYPT_NO_SALT, and
// an imported one has 11 zeros. (Wine gives those even to an import under CRYPT_NO_SALT.)
const SALTED = 5;
const ZERO_SALT = Buffer.alloc(11);

function setUp(batch: Batch, key: Slot, { iv, mode, effectiveBits }: CipherOptions = {}): void {
  if (effectiveBits !== undefined) batch.set(key, KP_EFFECTIVE_KEYLEN, dword(effectiveBits));
  if (mode === "ecb") batch.set(key, KP_MODE, dword(CRYPT_MODE_ECB));
  if (iv !== undefined) batch.set(key, KP_IV, iv);
}

/** A SIMPLEBLOB that the program makes, of a key that it makes and uses. */
function theirs(batch: Batch, pair: Slot, plan: Plan, padding: Padding): () => WrapCase {
  const { algorithm, length, cipher } = plan;
  const bits = length === algorithm.keyLength ? 0 : 8 * length;
  const key = batch.generate(algorithm.algId, bits, length === SALTED ? CRYPT_NO_SALT : 0);
  setUp(batch, key, cipher);
  const plain = randomBytes(randomInt(100));
  const flags = padding === "oaep" ? CRYPT_OAEP : 0;
  const simpleblob = batch.export(key, SIMPLEBLOB, pair, flags);
  const plaintextkeyblob = batch.export(key, PLAINTEXTKEYBLOB);
  const encrypted = batch.encrypt(key, plain);
  return () => ({
    by: "CryptoAPI",
    algorithm: algorithm.name,
    ...(cipher === undefined ? {} : { cipher }),
    simpleblob: simpleblob.bytes,
    plaintextkeyblob: plaintextkeyblob.bytes,
    plain,
    encrypted: encrypted.bytes,
  });
}

/** A SIMPLEBLOB that we make, of a key that the program opens and uses. */
async function ours(
  batch: Batch,
  pair: Slot,
  publicKey: RsaPublicKey,
  plan: Plan,
  padding: Padding,
): Promise<() => WrapCase> {
  const { algorithm, length } = plan;
  const cipher = length === SALTED ? { ...plan.cipher, salt: ZERO_SALT } : plan.cipher;
  const { algId, name } = algorithm;
  const secret = randomBytes(length);
  if (name.includes("DES")) setOddParity(secret);
  const wrapped = await exportSimpleBlob(secret, algId, publicKey, padding, { core });
  const simpleblob = Buffer.from(wrapped);
  const plaintextkeyblob = Buffer.from(encodePlaintextKeyBlob({ aiKeyAlg: algId, key: secret }));

  // Wine takes CRYPT_OAEP only where no other flag is set.
  const flags = padding === "oaep" ? CRYPT_OAEP : CRYPT_EXPORTABLE;
  const key = batch.import(simpleblob, pair, flags);
  setUp(batch, key, cipher);
  const plain = randomBytes(randomInt(100));
  const encrypted = batch.encrypt(key, plain);
  const letter = randomBytes(randomInt(100));
  const opened = batch.decrypt(key, encryptAs(name, secret, letter, cipher));
  const exported = padding === "oaep" ? undefined : batch.export(key, PLAINTEXTKEYBLOB);
  return () => {
    expect(opened.bytes).toEqual(letter);
    if (exported !== undefined) expect(exported.bytes).toEqual(plaintextkeyblob);
    return {
      by: "Twinwrap",
      algorithm: name,
      ...(cipher === undefined ? {} : { cipher }),
      simpleblob,
      plaintextkeyblob,
      plain,
      encrypted: encrypted.bytes,
    };
  };
}

/** Carries plans out in both directions under one fresh RSA key of the program's; checks and keeps. */
async function bothWays(bits: number, padding: Padding, plans: Plan[]): Promise<void> {
  const making = new Batch(wine!);
  const made = making.generate(AT_KEYEXCHANGE, bits);
  const privatekeyblob = making.export(made, PRIVATEKEYBLOB);
  const publickeyblob = making.export(made, PUBLICKEYBLOB);
  await making.run();

  const publicKey = readPublicKey(publickeyblob.bytes);
  const batch = new Batch(wine!);
  const pair = batch.import(privatekeyblob.bytes);
  const wraps: (() => WrapCase)[] = [];
  for (const plan of plans) {
    wraps.push(theirs(batch, pair, plan, padding));
    wraps.push(await ours(batch, pair, publicKey, plan, padding));
  }
  await batch.run();
  const group: WrapGroup = {
    padding,
    privatekeyblob: privatekeyblob.bytes,
    wraps: wraps.map((wrap) => wrap()),
  };
  await checkWraps(group);
  keep(group);
}

describe.skipIf(wine === undefined)("session keys (needs Wine and mingw-w64)", () => {
  describe.each(PADDINGS)("%s", (padding) => {
    test.each([1024, 1032, 2048, 3072, 4096])("every algorithm under %i bits", (bits) =>
      bothWays(
        bits,
        padding,
        SESSION_ALGORITHMS.map(({ shortName }) => plan(shortName)),
      ),
    );

    test("RC2 and RC4 keys of every length", () => {
      const lengths = Array.from({ length: 12 }, (_, i) => 5 + i);
      const all = lengths.flatMap((length) => [plan("rc2", length), plan("rc4", length)]);
      return bothWays(1024, padding, all);
    });

    test("an IV, ECB, fewer effective bits", () => {
      const plans = [
        ...["des", "3des", "3des-112", "rc2"].flatMap((name) => [
          plan(name, undefined, { iv: randomBytes(8) }),
          plan(name, undefined, { mode: "ecb" as const }),
        ]),
        ...["aes-128", "aes-192", "aes-256"].flatMap((name) => [
          plan(name, undefined, { iv: randomBytes(16) }),
          plan(name, undefined, { mode: "ecb" as const }),
        ]),
        plan("rc2", 16, { effectiveBits: 40 }),
        plan("rc2", 16, { effectiveBits: 64, iv: randomBytes(8) }),
        plan("rc2", 11, { effectiveBits: 63 }),
      ];
      return bothWays(1024, padding, plans);
    });
  });
});
