export default [
  {
    name: "@noble/ciphers",
    family: "noble",
    runs: "JS",
    constantTime: "no, tables",
    package: "@noble/ciphers",
    note: "no prepared key: an object encrypts once",
    async load() {
      const { aeskw, ctr, gcm } = await import("@noble/ciphers/aes.js");
      const nothing = new Uint8Array(0);
      return {
        gcmEncrypt: (key, iv) => (data) => gcm(key, iv).encrypt(data),
        gcmDecrypt: (key, iv) => (sealed) => gcm(key, iv).decrypt(sealed),
        ctr: (key, counterBlock) => (data) => ctr(key, counterBlock).encrypt(data),
        gmac: (key, iv) => (aad) => gcm(key, iv, aad).encrypt(nothing),
        gcmOnce: () => (key, iv, data) => gcm(key, iv).encrypt(data),
        keyWrap: (kek) => (key) => aeskw(kek).encrypt(key),
      };
    },
  },
];
