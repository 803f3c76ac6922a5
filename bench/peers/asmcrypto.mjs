export default [
  {
    name: "asmcrypto.js",
    family: "asmcrypto",
    runs: "JS",
    constantTime: "no, tables",
    package: "asmcrypto.js",
    note: "no prepared key",
    async load() {
      const { default: asmCrypto } = await import("asmcrypto.js");
      const { AES_CTR, AES_GCM } = asmCrypto;
      return {
        gcmEncrypt: (key, iv) => (data) => AES_GCM.encrypt(data, key, iv),
        gcmDecrypt: (key, iv) => (sealed) => AES_GCM.decrypt(sealed, key, iv),
        ctr: (key, counterBlock) => (data) => AES_CTR.encrypt(data, key, counterBlock),
        gcmOnce: () => (key, iv, data) => AES_GCM.encrypt(data, key, iv),
      };
    },
  },
];
