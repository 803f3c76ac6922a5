import { createCipheriv } from "node:crypto";

// Other ciphers, for context: what WebAssembly reaches where no AES is asked for.
const about = {
  family: "libsodium",
  runs: "wasm",
  package: "libsodium-wrappers-sumo",
  context: true,
};

async function sodium() {
  const { default: it } = await import("libsodium-wrappers-sumo");
  await it.ready;
  return it;
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");

export default [
  {
    ...about,
    name: "libsodium ChaCha20-Poly1305",
    constantTime: "yes",
    note: "context: another cipher",
    async load() {
      const it = await sodium();
      return {
        gcmEncrypt: (key, iv) => (data) =>
          it.crypto_aead_chacha20poly1305_ietf_encrypt(data, null, null, iv, key),
      };
    },
    verify(sealed, { key, iv, data }) {
      const cipher = createCipheriv("chacha20-poly1305", key, iv, { authTagLength: 16 });
      return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]).equals(
        sealed,
      );
    },
  },
  {
    ...about,
    name: "libsodium AEGIS-256",
    constantTime: "no, tables",
    note: "context: another cipher; checked by the draft's vector, node:crypto has none",
    async load() {
      const it = await sodium();
      // draft-irtf-cfrg-aegis-aead, test vectors of AEGIS-256, the first
      const [key, nonce] = [new Uint8Array(32), new Uint8Array(32)];
      key.set([0x10, 0x01]);
      nonce.set([0x10, 0x00, 0x02]);
      const sealed = it.crypto_aead_aegis256_encrypt(new Uint8Array(16), null, null, nonce, key);
      if (
        hex(sealed) !==
        "754fc3d8c973246dcc6d741412a4b2361181a1d18091082bf0266f66297d167d2e68b845f61a3b0527d31fc7b7b89f13"
      ) {
        throw new Error("it does not give the result of the draft's first vector");
      }
      return {
        gcmEncrypt: (key) => (data) =>
          it.crypto_aead_aegis256_encrypt(data, null, null, nonce, key),
      };
    },
    verify: (sealed, { data }) => sealed.length === data.length + 32,
  },
];
