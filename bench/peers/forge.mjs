/** forge works on strings of bytes; from and to arrays is part of the call, as it is for its users. */
const toBytes = (buffer) => Buffer.from(buffer.getBytes(), "latin1");

function run(forge, cipher, options, data) {
  cipher.start(options);
  cipher.update(forge.util.createBuffer(data));
  if (!cipher.finish()) throw new Error("the tag does not fit");
  return toBytes(cipher.output);
}

export default [
  {
    name: "node-forge",
    family: "forge",
    runs: "JS",
    constantTime: "no, tables",
    package: "node-forge",
    async load() {
      const { default: forge } = await import("node-forge");
      const buffer = (bytes) => forge.util.createBuffer(bytes);
      const seal = (cipher, iv, data, aad) => {
        const additionalData = aad === undefined ? "" : buffer(aad).getBytes();
        const text = run(forge, cipher, { iv: buffer(iv), additionalData }, data);
        return Buffer.concat([text, toBytes(cipher.mode.tag)]);
      };
      const gcm = (key) => forge.cipher.createCipher("AES-GCM", buffer(key));
      return {
        gcmEncrypt(key, iv) {
          const cipher = gcm(key);
          return (data) => seal(cipher, iv, data);
        },
        gcmDecrypt(key, iv) {
          const decipher = forge.cipher.createDecipher("AES-GCM", buffer(key));
          return (sealed) => {
            const tag = buffer(sealed.subarray(-16));
            return run(forge, decipher, { iv: buffer(iv), tag }, sealed.subarray(0, -16));
          };
        },
        ctr(key, counterBlock) {
          const cipher = forge.cipher.createCipher("AES-CTR", buffer(key));
          return (data) => run(forge, cipher, { iv: buffer(counterBlock) }, data);
        },
        gmac(key, iv) {
          const cipher = gcm(key);
          return (aad) => seal(cipher, iv, new Uint8Array(0), aad);
        },
        gcmOnce: () => (key, iv, data) => seal(gcm(key), iv, data),
      };
    },
  },
];
