// What the library has to do with bytes, Blobs, streams and signals that are not of its own realm: in a frame, under
// Jest, in Vitest's jsdom.
import type * as Library from "twinwrap";
import type * as Escrow from "twinwrap/escrow";
import type { Signer } from "twinwrap/escrow";
import { expect } from "vitest";
import { newSigner } from "./escrow/signers.js";

/** Makes values of the realm that the caller lives in. */
export interface Realm {
  bytes(data: Uint8Array): Uint8Array;
  buffer?(data: Uint8Array): ArrayBuffer;
  blob?(data: Uint8Array): Blob;
  stream?(data: Uint8Array): ReadableStream<Uint8Array>;
  abort?(): AbortSignal;
}

const TEXT = Buffer.from("the last copy");
const plain = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** @param pem a private key, as node:crypto has written it */
export async function workInRealm(
  {
    open,
    seal,
    inspect,
    readPrivateKey,
    readPublicKey,
    writePrivateKey,
    writePublicKey,
    sharedCore,
  }: typeof Library,
  { signNote, verifyNote }: typeof Escrow,
  realm: Realm,
  pem: Uint8Array,
): Promise<void> {
  const key = await readPrivateKey(realm.bytes(pem));
  const to = [readPublicKey(realm.bytes(writePublicKey(key, "der")))];
  const locked = await writePrivateKey(key, "pem", {
    passphrase: realm.bytes(TEXT),
    iterations: 1000,
  });
  const again = await readPrivateKey(realm.bytes(locked), { passphrase: realm.bytes(TEXT) });
  expect(Buffer.from(again.d)).toEqual(Buffer.from(key.d));

  const sources = [
    realm.bytes(TEXT),
    realm.buffer?.(TEXT),
    (async function* () {
      yield realm.bytes(TEXT);
    })(),
    realm.blob?.(TEXT),
    realm.stream?.(TEXT),
  ].filter((source) => source !== undefined);
  for (const source of sources) {
    const sealed = await (await seal(source, { to })).bytes();
    for (const file of [realm.bytes(sealed), realm.blob?.(sealed), realm.stream?.(sealed)]) {
      if (file === undefined) continue;
      expect(plain(await (await open(file, { key })).bytes())).toBe("the last copy");
    }
    expect((await inspect(realm.blob?.(sealed) ?? realm.bytes(sealed))).wraps.length).toBe(1);
  }
  // What it makes itself it can read again.
  const blob = await (await seal(realm.bytes(TEXT), { to })).blob();
  const stream = (await open(blob, { key })).stream();
  const sealedAgain = await (await seal(stream, { to })).bytes();
  expect(plain(await (await open(sealedAgain, { key })).bytes())).toBe("the last copy");

  if (realm.abort !== undefined) {
    const sealed = seal(realm.bytes(TEXT), { to, signal: realm.abort() });
    await expect(sealed.then((output) => output.bytes())).rejects.toMatchObject({
      code: "ABORTED",
    });
  }

  const core = await sharedCore();
  const iv = realm.bytes(new Uint8Array(12));
  const aes = core.aesGcm(realm.bytes(new Uint8Array(32)));
  expect(plain(aes.decrypt(iv, realm.bytes(aes.encrypt(iv, realm.bytes(TEXT)))))).toBe(
    "the last copy",
  );
  aes.dispose();
  const rsa = core.rsaPublicKey({ n: realm.bytes(key.n), e: realm.bytes(key.e) });
  expect(rsa.encrypt(realm.bytes(TEXT), { padding: "oaep" }).length).toBe(key.n.length);
  rsa.dispose();

  const { name, publicKey, sign } = newSigner("example.org/log");
  const signer: Signer = {
    name,
    publicKey: realm.bytes(publicKey),
    sign: async (message) => realm.bytes(await sign(message)),
  };
  const note = await signNote(core, "some text\n", signer);
  expect((await verifyNote(core, note, [signer])).text).toBe("some text\n");
}
