import { existsSync, readFileSync } from "node:fs";

// A module of generated code, not part of the project, that the core is held against: AES-256-GCM in this process,
// at places of its memory that are agreed. Its input is copied there once, so it is timed without any copy.

const FOLDER =
  process.env.TWINWRAP_YARDSTICK ?? new URL("../../../shared/yardstick/", import.meta.url);
const [KEY, IV, INPUT, OUTPUT] = [0x100, 0x200, 0x100000, 0x300000];

export default [
  {
    name: "yardstick, nothing copied",
    family: "other",
    runs: "wasm",
    constantTime: "yes",
    context: true,
    keyLengths: [32],
    largest: 1 << 20,
    note: "gcm.wasm from the folder $TWINWRAP_YARDSTICK",
    async load() {
      const file = new URL("gcm.wasm", `${new URL(FOLDER, "file:")}/`);
      if (!existsSync(file)) throw new Error("there is none; $TWINWRAP_YARDSTICK names its folder");
      const abort = () => {
        throw new Error("the module gave up");
      };
      const { instance } = await WebAssembly.instantiate(readFileSync(file), { env: { abort } });
      const { memory, setkey14, enc14 } = instance.exports;
      return {
        gcmEncrypt(key, iv, size) {
          const bytes = new Uint8Array(memory.buffer);
          let copied;
          return (data) => {
            if (data !== copied) {
              bytes.set(key, KEY);
              bytes.set(iv, IV);
              bytes.set(data, INPUT);
              setkey14(KEY);
              copied = data;
            }
            // The tag comes right behind the ciphertext.
            enc14(IV, INPUT, OUTPUT, size, OUTPUT + size);
            return bytes.subarray(OUTPUT, OUTPUT + size + 16);
          };
        },
      };
    },
  },
];
