import { readFile } from "node:fs/promises";

const wasm = new URL("../node_modules/@transcend-io/encrypt-web-streams/wasm/", import.meta.url);

export default [
  {
    name: "@transcend-io/encrypt-web-streams",
    family: "transcend",
    runs: "wasm",
    constantTime: "AES yes",
    package: "@transcend-io/encrypt-web-streams",
    note: "RustCrypto; its kernel without its streams; AES-256 only, no prepared key",
    keyLengths: [32],
    async load() {
      const kernel = await import(new URL("aes_gcm_stream_wasm.js", wasm).href);
      kernel.initSync({
        module: await readFile(new URL("aes_gcm_stream_wasm_bg.wasm", wasm)),
      });
      const nothing = new Uint8Array(0);
      const run = (Kind, key, iv, data, aad) => {
        const unit = new Kind(key, iv);
        if (aad !== undefined) unit.init_adata(aad);
        const result = Buffer.concat([unit.update(data), unit.finalize()]);
        unit.free();
        return result;
      };
      const { Decryptor, Encryptor } = kernel;
      return {
        gcmEncrypt: (key, iv) => (data) => run(Encryptor, key, iv, data),
        gcmDecrypt: (key, iv) => (sealed) => run(Decryptor, key, iv, sealed),
        gmac: (key, iv) => (aad) => run(Encryptor, key, iv, nothing, aad),
        gcmOnce: () => (key, iv, data) => run(Encryptor, key, iv, data),
      };
    },
  },
];
