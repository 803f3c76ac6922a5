import { loadCore } from "../../build/core/index.js";

const about = { family: "twinwrap", runs: "wasm", constantTime: "yes" };
const NOTHING = new Uint8Array(0);

/** @param into makes what takes the result of so many bytes, or nothing */
async function load(into) {
  const core = await loadCore();
  return {
    gcmEncrypt(key, iv, size) {
      const aes = core.aesGcm(key);
      const result = into(size + 16);
      return (data) => aes.encrypt(iv, data, NOTHING, result);
    },
    gcmDecrypt(key, iv, size) {
      const aes = core.aesGcm(key);
      const result = into(size);
      return (sealed) => aes.decrypt(iv, sealed, NOTHING, result);
    },
    ctr(key, counterBlock, size) {
      const aes = core.aesCtr(key);
      const result = into(size);
      return (data) => aes.xor(counterBlock, data, result);
    },
    gmac(key, iv) {
      const aes = core.aesGcm(key);
      return (aad) => aes.encrypt(iv, NOTHING, aad);
    },
    gcmOnce: () => (key, iv, data) => {
      const aes = core.aesGcm(key);
      const sealed = aes.encrypt(iv, data);
      aes.dispose();
      return sealed;
    },
    keyWrap(kek) {
      const kw = core.aesKw(kek);
      return (key) => kw.wrap(key);
    },
  };
}

export default [
  { ...about, name: "Twinwrap", load: () => load(() => undefined) },
  {
    ...about,
    name: "Twinwrap, into a given array",
    async load() {
      const { gcmEncrypt, gcmDecrypt, ctr } = await load((size) => new Uint8Array(size));
      return { gcmEncrypt, gcmDecrypt, ctr };
    },
  },
];
