// RSA keys that node:crypto made (prepared-keys.json: PKCS#8, DER, base64, by their bits), for tests of something
// else: making keys would be most of what these wait for. test/keys and the README's examples make real ones.
// Commands that tests run load this file by NODE_OPTIONS; then each key is taken once in a sandbox.
const { mkdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/** All keys of so many bits. */
function preparedKeys(bits) {
  const keys = JSON.parse(readFileSync(join(__dirname, "prepared-keys.json"), "utf8"))[bits] ?? [];
  return keys.map((key) => Buffer.from(key, "base64"));
}

/**
 * The first key of so many bits that nobody has taken before; undefined if there is none left.
 * @param folder holds a folder for every key that is taken
 */
function takeKey(folder, bits) {
  for (const [index, key] of preparedKeys(bits).entries()) {
    try {
      mkdirSync(join(folder, `${bits}-${index}`));
      return key;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

/** WebCrypto makes no RSA key in this process where `next` gives one. */
function usePreparedKeys(next) {
  const { subtle } = globalThis.crypto;
  const generateKey = subtle.generateKey.bind(subtle);
  subtle.generateKey = async (algorithm, extractable, usages) => {
    const key = algorithm.name === "RSA-OAEP" ? next(algorithm.modulusLength) : undefined;
    if (key === undefined) return generateKey(algorithm, extractable, usages);
    return {
      privateKey: await subtle.importKey("pkcs8", key, algorithm, extractable, ["decrypt"]),
    };
  };
}

const folder = process.env.TWINWRAP_TEST_KEYS;
if (folder !== undefined) usePreparedKeys((bits) => takeKey(folder, bits));

module.exports = { preparedKeys, takeKey, usePreparedKeys };
