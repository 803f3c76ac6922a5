export default [
  {
    name: "@stablelib",
    family: "stablelib",
    runs: "JS",
    constantTime: "no, tables",
    package: "@stablelib/gcm",
    async load() {
      const { AES } = await import("@stablelib/aes");
      const { AESKW } = await import("@stablelib/aes-kw");
      const { CTR } = await import("@stablelib/ctr");
      const { GCM } = await import("@stablelib/gcm");
      const nothing = new Uint8Array(0);
      const gcm = (key) => new GCM(new AES(key, true));
      return {
        gcmEncrypt(key, iv) {
          const aes = gcm(key);
          return (data) => aes.seal(iv, data);
        },
        gcmDecrypt(key, iv) {
          const aes = gcm(key);
          return (sealed) => aes.open(iv, sealed);
        },
        ctr(key, counterBlock) {
          const aes = new AES(key, true);
          return (data) => {
            const result = new Uint8Array(data.length);
            new CTR(aes, counterBlock).streamXOR(data, result);
            return result;
          };
        },
        gmac(key, iv) {
          const aes = gcm(key);
          return (aad) => aes.seal(iv, nothing, aad);
        },
        gcmOnce: () => (key, iv, data) => gcm(key).seal(iv, data),
        keyWrap(kek) {
          const kw = new AESKW(kek);
          return (key) => kw.wrapKey(key);
        },
      };
    },
  },
];
