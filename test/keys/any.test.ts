// Keys as programs have them. node:crypto makes every form, and says which key it is.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  webcrypto,
} from "node:crypto";
import {
  type AnyPrivateKey,
  type AnyPublicKey,
  Core,
  fingerprint,
  inspect,
  loadCore,
  open,
  type RsaPrivateKey,
  readPrivateKey,
  readPublicKey,
  rewrap,
  seal,
} from "twinwrap";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { preparedKeys } from "../prepared-keys.cjs";

const [privateObject, otherObject] = preparedKeys(2048).map((key) =>
  createPrivateKey({ key, format: "der", type: "pkcs8" }),
) as [KeyObject, KeyObject];
const pemOf = (key: KeyObject) => key.export({ format: "pem", type: "pkcs8" }) as string;
const [pem, otherPem] = [pemOf(privateObject), pemOf(otherObject)];
const publicObject = createPublicKey(pem);
const spki = publicObject.export({ format: "der", type: "spki" });
const pkcs8 = privateObject.export({ format: "der", type: "pkcs8" });
const name = createHash("sha256").update(spki).digest("hex");
const { subtle } = webcrypto;
const OAEP = { name: "RSA-OAEP", hash: "SHA-256" };
const publicPem = publicObject.export({ format: "pem", type: "spki" }) as string;

const importPrivate = (extractable: boolean) =>
  subtle.importKey("pkcs8", pkcs8, OAEP, extractable, ["decrypt"]);

const PUBLIC: Record<string, () => AnyPublicKey | Promise<AnyPublicKey>> = {
  "PEM as text": () => publicPem,
  "PEM with Windows' line ends": () => publicPem.replaceAll("\n", "\r\n"),
  "PKCS#1 as text": () => publicObject.export({ format: "pem", type: "pkcs1" }) as string,
  "DER as a Buffer": () => spki,
  "DER in hexadecimal": () => spki.toString("hex"),
  "a JWK": () => publicObject.export({ format: "jwk" }),
  "a JWK as text": () => JSON.stringify(publicObject.export({ format: "jwk" })),
  "a JWK with more in it": () => ({
    ...publicObject.export({ format: "jwk" }),
    alg: "RSA-OAEP",
    key_ops: ["encrypt"],
    ext: true,
  }),
  "a KeyObject": () => publicObject,
  "a private KeyObject": () => privateObject,
  "a CryptoKey": () => subtle.importKey("spki", spki, OAEP, true, ["encrypt"]),
  "a CryptoKey for signatures": () =>
    subtle.importKey("spki", spki, { name: "RSA-PSS", hash: "SHA-256" }, true, ["verify"]),
  "a private CryptoKey": () => importPrivate(true),
  "numbers that were read": () => readPublicKey(spki),
};

const PRIVATE: Record<string, () => AnyPrivateKey | Promise<AnyPrivateKey>> = {
  "PEM as text": () => pem,
  "DER as a Buffer": () => pkcs8,
  "a JWK": () => privateObject.export({ format: "jwk" }),
  "a KeyObject": () => privateObject,
  "a CryptoKey": () => importPrivate(true),
  "numbers that were read": () => readPrivateKey(pkcs8),
};

let sealed: Uint8Array;
beforeAll(async () => {
  sealed = await (await seal(Buffer.from("the last copy"), { to: [publicPem] })).bytes();
});

describe.each(Object.keys(PUBLIC))("a public key: %s", (form) => {
  test("seals, and is known by its name", async () => {
    const key = await PUBLIC[form]!();
    expect(Buffer.from(await fingerprint(key)).toString("hex")).toBe(name);
    const file = await (await seal(Buffer.from("secret"), { to: [key] })).bytes();
    const { wraps } = await inspect(file);
    expect(wraps.map((wrap) => Buffer.from(wrap.fingerprint).toString("hex"))).toEqual([name]);
    expect(await (await open(file, { key: pem })).text()).toBe("secret");
  });

  test("with a padding, and added to a file", async () => {
    const key = await PUBLIC[form]!();
    const first = await (await seal(Buffer.from("secret"), { to: [otherPem] })).bytes();
    const change = { key: otherPem, add: [{ key, padding: "pkcs1-v1_5" as const }] };
    const { patch } = await rewrap(first, change);
    first.set(patch!.bytes, patch!.offset);
    expect((await inspect(first)).wraps.map(({ padding }) => padding)).toContain("pkcs1-v1_5");
    expect(await (await open(first, { key: privateObject })).text()).toBe("secret");
  });
});

test.each(Object.keys(PRIVATE))("a private key opens: %s", async (form) => {
  const key = await PRIVATE[form]!();
  expect(await (await open(sealed, { key })).text()).toBe("the last copy");
  expect(await (await open(sealed, { key: [otherPem, key] })).text()).toBe("the last copy");
});

test("readPublicKey and readPrivateKey take them too", async () => {
  const { n } = publicObject.export({ format: "jwk" });
  const numberOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  // At once of everything but a CryptoKey, which is exported later.
  expect(numberOf(readPublicKey(publicPem).n)).toBe(n);
  expect(numberOf(readPublicKey(publicObject).n)).toBe(n);
  const cryptoKey = await subtle.importKey("spki", spki, OAEP, true, ["encrypt"]);
  expect(numberOf((await readPublicKey(cryptoKey)).n)).toBe(n);
  const { d } = privateObject.export({ format: "jwk" });
  for (const key of [pem, privateObject, privateObject.export({ format: "jwk" })]) {
    expect(numberOf((await readPrivateKey(key)).d)).toBe(d);
  }
  const locked = privateObject.export({
    format: "pem",
    type: "pkcs8",
    cipher: "aes-256-cbc",
    passphrase: "horse",
  }) as string;
  expect(numberOf((await readPrivateKey(locked, { passphrase: "horse" })).d)).toBe(d);
});

describe("what can't be used is told apart", () => {
  const to = async (...keys: unknown[]) => seal(Buffer.from("x"), { to: keys as never });
  const by = async (key: unknown) => open(sealed, { key: key as never });
  const says = (code: string, message: RegExp) =>
    expect.objectContaining({
      name: "TwinwrapError",
      code,
      message: expect.stringMatching(message),
    });

  test("a CryptoKey that is not extractable", async () => {
    const key = await importPrivate(false);
    const refused = says("BAD_KEY", /not extractable.*extractable: true/);
    for (const work of [by(key), readPrivateKey(key), to(key)]) {
      await expect(work).rejects.toEqual(refused);
    }
  });

  test("a secret key, a key of another algorithm, a public key to open with", async () => {
    const secret = createSecretKey(Buffer.alloc(32));
    await expect(to(secret)).rejects.toEqual(says("BAD_KEY", /secret key/));
    const aes = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    await expect(to(aes)).rejects.toEqual(says("BAD_KEY", /secret key/));
    const ec = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, [
      "deriveBits",
    ]);
    await expect(to((ec as CryptoKeyPair).publicKey)).rejects.toEqual(says("BAD_KEY", /./));
    for (const key of [publicPem, publicObject, publicObject.export({ format: "jwk" })]) {
      await expect(by(key)).rejects.toEqual(says("BAD_KEY", /public key/));
    }
  });

  test("text that is no key, such as a path", async () => {
    const path = says("BAD_FORMAT", /not for a file's name/);
    await expect(to("alice.pub.pem")).rejects.toEqual(path);
    await expect(by("alice.pem")).rejects.toEqual(path);
    expect(() => readPublicKey("alice.pub.pem")).toThrow(path);
  });

  test("one of several, by its place", async () => {
    const wrong = publicPem.replace("MII", "MIA");
    await expect(to(publicPem, wrong)).rejects.toEqual(says("BAD_FORMAT", /^options\.to\[1\]: /));
  });

  test("anything else, by its kind", async () => {
    const pair = { publicKey: publicPem, privateKey: pem };
    for (const junk of [undefined, null, 5, {}, pair, Promise.resolve(publicPem), [publicPem]]) {
      await expect(to(junk)).rejects.toEqual(
        says("BAD_ARGUMENT", /options\.to\[0\] must be a key/),
      );
    }
    await expect(by(pair)).rejects.toEqual(says("BAD_ARGUMENT", /options\.key must be a key/));
    await expect(readPrivateKey(pair as never)).rejects.toEqual(says("BAD_ARGUMENT", /key file/));
  });

  test("an object that refuses to be asked", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const tagged = {
      extractable: true,
      get [Symbol.toStringTag](): string {
        throw new Error("no");
      },
    };
    for (const junk of [proxy, tagged]) {
      for (const work of [to(junk), by(junk), readPrivateKey(junk as never)]) {
        await expect(work).rejects.toEqual(says("BAD_ARGUMENT", /./));
      }
    }
  });

  test("a locked key is read with its passphrase first", async () => {
    const locked = privateObject.export({
      format: "pem",
      type: "pkcs8",
      cipher: "aes-256-cbc",
      passphrase: "horse",
    });
    await expect(by(locked)).rejects.toEqual(says("PASSPHRASE_NEEDED", /./));
  });

  test("a JWK with numbers that are none", async () => {
    const jwk = publicObject.export({ format: "jwk" });
    await expect(to({ ...jwk, n: 5 })).rejects.toEqual(says("BAD_FORMAT", /n is not a number/));
    await expect(to({ ...jwk, kty: "EC" })).rejects.toEqual(says("BAD_KEY", /./));
    await expect(to({ ...jwk, oth: [] })).rejects.toEqual(says("BAD_KEY", /two primes/));
  });
});

test("copies of secrets that were made on the way are wiped", async () => {
  const der = Buffer.from(pkcs8);
  const like = { type: "private", asymmetricKeyType: "rsa", export: () => der };
  expect(await (await open(sealed, { key: like })).text()).toBe("the last copy");
  expect(der.every((byte) => byte === 0)).toBe(true);
  const exported = vi.spyOn(crypto.subtle, "exportKey");
  expect(await (await open(sealed, { key: await importPrivate(true) })).text()).toBe(
    "the last copy",
  );
  const copy = new Uint8Array((await exported.mock.results[0]!.value) as ArrayBuffer);
  expect([copy.length, copy.every((byte) => byte === 0)]).toEqual([pkcs8.length, true]);
  // So are the numbers that were read for a call, as the core was given them.
  const given = vi.spyOn(Core.prototype, "rsaPrivateKey");
  await open(sealed, { key: pem, core: await loadCore() });
  const [{ d, p }] = given.mock.lastCall as [RsaPrivateKey];
  expect([d.length, d.some(Boolean), p.some(Boolean)]).toEqual([256, false, false]);
  // What the caller gave is the caller's.
  const own = Buffer.from(pkcs8);
  await open(sealed, { key: own });
  const numbers = await readPrivateKey(own);
  await open(sealed, { key: numbers });
  await open(sealed, { key: [numbers, otherPem] });
  expect([own.equals(pkcs8), numbers.d.some((byte) => byte !== 0)]).toEqual([true, true]);
});

describe("an output as text and as JSON", () => {
  const roundTrip = async (content: string | Uint8Array) =>
    open(await (await seal(Buffer.from(content), { to: [publicPem] })).bytes(), { key: pem });

  test("UTF-8, without its byte order mark", async () => {
    expect(await (await roundTrip("größer 😀")).text()).toBe("größer 😀");
    expect(await (await roundTrip("\ufefftext")).text()).toBe("text");
    expect(await (await roundTrip('\ufeff{"a":[1,null]}')).json()).toEqual({ a: [1, null] });
  });

  test("anything else is refused, and not quoted", async () => {
    const bad = expect.objectContaining({ name: "TwinwrapError", code: "BAD_FORMAT" });
    await expect((await roundTrip(Uint8Array.of(0xff, 0x61))).text()).rejects.toEqual(bad);
    const error = (await (await roundTrip("secret words")).json().catch((error) => error)) as Error;
    expect(error).toEqual(bad);
    expect(`${error.message} ${error.cause}`).not.toContain("secret");
  });
});
