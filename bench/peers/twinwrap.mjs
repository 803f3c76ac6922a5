import { loadCore } from "../../build/core/index.js";
import { nativeRsadp } from "../../build/keys/native-rsa.js";

const about = { family: "twinwrap", runs: "wasm", constantTime: "yes" };
const NOTHING = new Uint8Array(0);

/** A private key of `core`, from one of node:crypto. */
function privateKey(core, key, rsadp) {
  const { n, e, d, p, q, dp, dq, qi } = key.export({ format: "jwk" });
  const bytes = (text) => new Uint8Array(Buffer.from(text, "base64url"));
  const parts = Object.entries({ n, e, d, p, q, dp, dq, qi });
  const components = Object.fromEntries(parts.map(([name, text]) => [name, bytes(text)]));
  return core.rsaPrivateKey(components, rsadp?.(components));
}

const unwraps = (core, rsadp) => (key) => {
  const secret = privateKey(core, key, rsadp);
  return (block) => secret.unwrapKey(block, { padding: "oaep", length: 32 });
};

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
    gcmOnce() {
      let result;
      return (key, iv, data) => {
        result ??= into(data.length + 16);
        const aes = core.aesGcm(key);
        const sealed = aes.encrypt(iv, data, NOTHING, result);
        aes.dispose();
        return sealed;
      };
    },
    keyWrap(kek) {
      const kw = core.aesKw(kek);
      return (key) => kw.wrap(key);
    },
    rsaUnwrap: unwraps(core),
  };
}

export default [
  { ...about, name: "Twinwrap", load: () => load(() => undefined) },
  {
    ...about,
    name: "Twinwrap, into a given array",
    async load() {
      const offers = await load((size) => new Uint8Array(size));
      const { gcmEncrypt, gcmDecrypt, ctr, gcmOnce } = offers;
      return { gcmEncrypt, gcmDecrypt, ctr, gcmOnce };
    },
  },
  {
    ...about,
    name: "Twinwrap, RSA by OpenSSL",
    note: "OpenSSL computes, the core checks and takes the padding off",
    load: async () => ({ rsaUnwrap: unwraps(await loadCore(), nativeRsadp) }),
  },
];
