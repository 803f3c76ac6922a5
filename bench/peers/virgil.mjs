import { createRequire } from "node:module";

export default [
  {
    name: "@virgilsecurity/core-foundation",
    family: "virgil",
    runs: "wasm",
    constantTime: "no, tables",
    package: "@virgilsecurity/core-foundation",
    note: "mbedTLS; AES-256 only",
    keyLengths: [32],
    async load() {
      // Its ESM build finds its .wasm only in a bundler.
      const foundation = await createRequire(import.meta.url)("@virgilsecurity/core-foundation")();
      const nothing = new Uint8Array(0);
      const gcm = (key, iv) => {
        const aes = new foundation.Aes256Gcm();
        aes.setKey(key);
        aes.setNonce(iv);
        return aes;
      };
      const seal = (aes, data, aad) => {
        const { out, tag } = aes.authEncrypt(data, aad);
        return Buffer.concat([out, tag]);
      };
      return {
        gcmEncrypt(key, iv) {
          const aes = gcm(key, iv);
          return (data) => seal(aes, data, nothing);
        },
        gcmDecrypt(key, iv) {
          const aes = gcm(key, iv);
          return (sealed) =>
            aes.authDecrypt(sealed.subarray(0, -16), nothing, sealed.subarray(-16));
        },
        gmac(key, iv) {
          const aes = gcm(key, iv);
          return (aad) => seal(aes, nothing, aad);
        },
        gcmOnce: () => (key, iv, data) => {
          const aes = gcm(key, iv);
          const sealed = seal(aes, data, nothing);
          aes.delete();
          return sealed;
        },
      };
    },
  },
];
