import { createPrivateKey } from "node:crypto";
import vm from "node:vm";
import {
  type Passphrase,
  publicKeyOf,
  type RsaPrivateKey,
  readPrivateKey,
  type WriteKeyOptions,
  writePrivateKey,
} from "twinwrap";
import { readOfficerKey, writeOfficerKeys } from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { SeedKey } from "../escrow/signers.js";
import { outcome, testKey } from "./material.js";

// A passphrase is text, a Uint8Array, or a function that gives one. Everything else would lock a key under
// something that its owner does not know.

const PASSPHRASE = "correct horse battery staple";
const bytes = new TextEncoder().encode(PASSPHRASE);
const QUICK = { iterations: 1000, allowWeakLock: true };

let key: RsaPrivateKey;
beforeAll(async () => {
  key = await readPrivateKey(Buffer.from(testKey()));
});

const lock = (form: "pem" | "der" | "pvk", options: WriteKeyOptions) =>
  writePrivateKey(key, form, { ...QUICK, ...options });

test("an option of reading alone is none of writing", async () => {
  const options = { passphrase: PASSPHRASE, allowExponentOne: true };
  expect(await outcome(() => lock("pem", options))).toBe("BAD_ARGUMENT");
});

describe.each(["pem", "der", "pvk"] as const)("%s", (form) => {
  const GOOD: [string, Passphrase][] = [
    ["text", PASSPHRASE],
    ["a Uint8Array", bytes],
    ["a Buffer", Buffer.from(bytes)],
    ["a Uint8Array of another realm", vm.runInNewContext("Uint8Array.from(bytes)", { bytes })],
    ["a function that gives text", () => PASSPHRASE],
    ["a function that gives bytes", () => bytes],
    ["a function that promises text", async () => PASSPHRASE],
    ["a function with a parameter", ((_: unknown) => PASSPHRASE) as Passphrase],
  ];
  test.each(GOOD)("%s locks and opens", async (_, passphrase) => {
    const locked = await lock(form, { passphrase });
    expect(await readPrivateKey(locked, { passphrase: PASSPHRASE })).toEqual(key);
    expect(await readPrivateKey(locked, { passphrase })).toEqual(key);
    if (form === "pem") {
      const theirs = createPrivateKey({ key: Buffer.from(locked), passphrase: PASSPHRASE });
      expect(theirs.equals(createPrivateKey(testKey()))).toBe(true);
    }
  });

  const BAD: [string, unknown][] = [
    ["a promise of text", Promise.resolve(PASSPHRASE)],
    ["an ArrayBuffer", bytes.slice().buffer],
    ["a DataView", new DataView(new ArrayBuffer(8))],
    ["a Uint16Array", Uint16Array.from(PASSPHRASE, (c) => c.charCodeAt(0))],
    ["a number", 1234],
    ["null", null],
    ["an object", {}],
    ["a String object", Object("hunter2")],
    ["characters", [..."hunter2"]],
    [
      "bytes whose memory was given away",
      (() => {
        const given = Uint8Array.from(bytes);
        structuredClone(given.buffer, { transfer: [given.buffer] });
        return given;
      })(),
    ],
    ["half a surrogate pair", "hunter\ud800"],
    ["a function that gives none", () => undefined],
    ["a function that gives null", async () => null],
    ["a function that gives a function", () => () => PASSPHRASE],
    ["empty text", ""],
    ["no bytes", new Uint8Array(0)],
    ["a function that gives empty text", () => ""],
  ];
  test.each(BAD)("%s does neither", async (_, passphrase) => {
    const locked = await lock(form, { passphrase: PASSPHRASE });
    const given = passphrase as Passphrase;
    expect(await outcome(() => lock(form, { passphrase: given }))).toBe("BAD_ARGUMENT");
    expect(await outcome(() => readPrivateKey(locked, { passphrase: given }))).toBe("BAD_ARGUMENT");
  });

  test("an empty one only if that is said", async () => {
    const said = { passphrase: "", allowEmptyPassphrase: true };
    const locked = await lock(form, said);
    expect(await outcome(() => readPrivateKey(locked, { passphrase: "" }))).toBe("BAD_ARGUMENT");
    expect(await readPrivateKey(locked, said)).toEqual(key);
    const other = await lock(form, { passphrase: PASSPHRASE });
    expect(await outcome(() => readPrivateKey(other, said))).toBe("WRONG_PASSPHRASE");
    expect(await outcome(() => lock(form, { ...said, allowEmptyPassphrase: 1 as never }))).toBe(
      "BAD_ARGUMENT",
    );
  });

  test("who wipes a passphrase once it is handed in has it in the lock all the same", async () => {
    const own = bytes.slice();
    const locking = lock(form, { passphrase: own });
    own.fill(0);
    const locked = await locking;
    expect(await readPrivateKey(locked, { passphrase: PASSPHRASE })).toEqual(key);
    const mine = bytes.slice();
    const opening = readPrivateKey(locked, { passphrase: mine });
    mine.fill(0);
    expect(await opening).toEqual(key);
  });
});

test("a wrong kind is told even where no passphrase is needed", async () => {
  const file = Buffer.from(testKey());
  for (const passphrase of [Promise.resolve("x"), 5, null, {}]) {
    await expect(readPrivateKey(file, { passphrase: passphrase as never })).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(
        /^options.passphrase must be text, a Uint8Array or a function/,
      ),
    });
  }
});

test("options that nobody knows are told, not passed over", async () => {
  const file = Buffer.from(testKey());
  await expect(readPrivateKey(file, { password: "x" } as never)).rejects.toThrow(
    'options: there is no "password"; known are passphrase, allowEmptyPassphrase, core',
  );
  await expect(lock("pem", { passPhrase: "x" } as never)).rejects.toThrow(
    'there is no "passPhrase"',
  );
  expect(() => publicKeyOf(testKey() as never)).toThrow("the key must be an object with n, e");
  await expect(readPrivateKey(5 as never)).rejects.toThrow("the key file must be a key");
});

test("an officer's keys: asked for once, and nothing else than a passphrase is taken", async () => {
  let asked = 0;
  const ask = async () => {
    asked++;
    return PASSPHRASE;
  };
  const seedKey = SeedKey.generate();
  const keys = { seed: seedKey.seed, shareKey: key };
  const pem = await writeOfficerKeys(keys, { passphrase: ask, iterations: 1000 });
  expect(asked).toBe(1);
  const read = await readOfficerKey(pem, { passphrase: bytes });
  expect(read.publicKey).toEqual(seedKey.publicKey);
  for (const passphrase of [ask(), "", null, () => undefined] as never[]) {
    expect(await outcome(() => writeOfficerKeys(keys, { passphrase }))).toBe("BAD_ARGUMENT");
    expect(await outcome(() => seedKey.write({ passphrase }))).toBe("BAD_ARGUMENT");
    expect(await outcome(() => readOfficerKey(pem, { passphrase }))).toBe("BAD_ARGUMENT");
  }
});
