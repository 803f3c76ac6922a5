import { constants, createCipheriv, createDecipheriv, privateDecrypt } from "node:crypto";

const NOTHING = Buffer.alloc(0);
const gcmName = (key) => `aes-${key.length * 8}-gcm`;

function seal(key, iv, data) {
  const cipher = createCipheriv(gcmName(key), key, iv);
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

/** Also what the results of all others are compared with. */
export const nodeCrypto = {
  gcmEncrypt: (key, iv) => (data) => seal(key, iv, data),
  gcmDecrypt: (key, iv) => (sealed) => {
    const decipher = createDecipheriv(gcmName(key), key, iv);
    decipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  },
  ctr: (key, counterBlock) => (data) =>
    createCipheriv(`aes-${key.length * 8}-ctr`, key, counterBlock).update(data),
  gmac: (key, iv) => (aad) => {
    const cipher = createCipheriv(gcmName(key), key, iv);
    cipher.setAAD(aad);
    cipher.update(NOTHING);
    cipher.final();
    return cipher.getAuthTag();
  },
  gcmOnce: () => seal,
  keyWrap: (kek) => (key) =>
    createCipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6)).update(key),
  rsaUnwrap: (key) => (block) =>
    privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, block),
};

export default [
  {
    name: "node:crypto",
    family: "node",
    runs: "native",
    constantTime: "yes",
    note: "AES instructions where the processor has them",
    load: async () => nodeCrypto,
  },
];
