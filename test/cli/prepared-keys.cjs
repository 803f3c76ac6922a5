// Loaded into the commands that tests run (by NODE_OPTIONS): an RSA key pair is taken from prepared-keys.json where
// there is one of the size, each once in a sandbox, since making keys is most of what such a test would wait for.
// test/keys and the README's examples make real ones.
const { mkdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

/**
 * The first key of so many bits that nobody has taken before, in PKCS#8, DER; undefined if there is none left.
 * @param folder holds a folder for every key that is taken
 */
function take(folder, bits) {
  const text = readFileSync(join(__dirname, "prepared-keys.json"), "utf8");
  for (const [index, key] of (JSON.parse(text)[bits] ?? []).entries()) {
    try {
      mkdirSync(join(folder, `${bits}-${index}`));
      return Buffer.from(key, "base64");
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
  }
}

const folder = process.env.TWINWRAP_TEST_KEYS;
if (folder !== undefined) {
  const { subtle } = globalThis.crypto;
  const generateKey = subtle.generateKey.bind(subtle);
  subtle.generateKey = async (algorithm, extractable, usages) => {
    const key = algorithm.name === "RSA-OAEP" ? take(folder, algorithm.modulusLength) : undefined;
    if (key === undefined) return generateKey(algorithm, extractable, usages);
    return {
      privateKey: await subtle.importKey("pkcs8", key, algorithm, extractable, ["decrypt"]),
    };
  };
}

module.exports = { take };
