const { subtle } = globalThis.crypto;
const about = { family: "webcrypto", runs: "native", constantTime: "yes" };
const NOTHING = new Uint8Array(0);
const IN_FLIGHT = 8;

const importKey = (key, name, usages) => subtle.importKey("raw", key, name, false, usages);
const bytes = async (buffer) => new Uint8Array(await buffer);

const prepared = {
  async gcmEncrypt(key, iv) {
    const aes = await importKey(key, "AES-GCM", ["encrypt"]);
    return (data) => bytes(subtle.encrypt({ name: "AES-GCM", iv }, aes, data));
  },
  async gcmDecrypt(key, iv) {
    const aes = await importKey(key, "AES-GCM", ["decrypt"]);
    return (sealed) => bytes(subtle.decrypt({ name: "AES-GCM", iv }, aes, sealed));
  },
  async ctr(key, counter) {
    const aes = await importKey(key, "AES-CTR", ["encrypt"]);
    const algorithm = { name: "AES-CTR", counter, length: 128 };
    return (data) => bytes(subtle.encrypt(algorithm, aes, data));
  },
  async gmac(key, iv) {
    const aes = await importKey(key, "AES-GCM", ["encrypt"]);
    return (aad) =>
      bytes(subtle.encrypt({ name: "AES-GCM", iv, additionalData: aad }, aes, NOTHING));
  },
};

const importedEachTime = {
  gcmEncrypt: (key, iv) => (data) => importedEachTime.gcmOnce()(key, iv, data),
  gcmOnce: () => async (key, iv, data) => {
    const aes = await importKey(key, "AES-GCM", ["encrypt"]);
    return bytes(subtle.encrypt({ name: "AES-GCM", iv }, aes, data));
  },
};

/** Several calls at a time of what `prepared` does one at a time. */
async function several(make) {
  const one = await make;
  return async (data) =>
    (await Promise.all(Array.from({ length: IN_FLIGHT }, () => one(data)))).at(-1);
}

export default [
  {
    ...about,
    name: "WebCrypto",
    note: "one call at a time, prepared key (key set-up: importKey)",
    load: async () => ({
      ...prepared,
      gcmOnce: importedEachTime.gcmOnce,
      async keyWrap(kek) {
        const wrapping = await importKey(kek, "AES-KW", ["wrapKey"]);
        const hmac = { name: "HMAC", hash: "SHA-256" };
        // The key to wrap is imported here: the call timed is the wrapping alone.
        let imported;
        return (key) => {
          imported ??= subtle.importKey("raw", key, hmac, true, ["sign"]);
          return imported.then((it) => bytes(subtle.wrapKey("raw", it, wrapping, "AES-KW")));
        };
      },
      async rsaUnwrap(key) {
        const algorithm = { name: "RSA-OAEP", hash: "SHA-1" };
        const jwk = key.export({ format: "jwk" });
        const secret = await subtle.importKey("jwk", jwk, algorithm, false, ["decrypt"]);
        return (block) => bytes(subtle.decrypt(algorithm, secret, block));
      },
    }),
  },
  {
    ...about,
    name: "WebCrypto, importKey each time",
    load: async () => ({ gcmEncrypt: importedEachTime.gcmEncrypt }),
  },
  {
    ...about,
    name: `WebCrypto, ${IN_FLIGHT} in flight`,
    calls: IN_FLIGHT,
    note: "works on several threads",
    load: async () => ({
      gcmEncrypt: (key, iv) => several(prepared.gcmEncrypt(key, iv)),
      gcmDecrypt: (key, iv) => several(prepared.gcmDecrypt(key, iv)),
      ctr: (key, counter) => several(prepared.ctr(key, counter)),
    }),
  },
];
