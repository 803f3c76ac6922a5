import { createDecipheriv, createHash } from "node:crypto";
import { TwinwrapError } from "../errors.js";
import type { Platform } from "./platform.js";

const DES_MODES = { cbc: "des-ede3-cbc", ecb: "des-ede3-ecb", cfb: "des-ede3-cfb8" } as const;

/** Makes what only some builds of Node.js, and some of their settings, let make. */
function available<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const message = `this Node.js was built or started without ${what}`;
    throw new TwinwrapError("UNSUPPORTED", message, { cause });
  }
}

/** Node's: OpenSSL keeps Triple DES, which is DES, too, where its keys are equal. */
export const nodePlatform: Platform = {
  tripleDes: (key, mode, iv) =>
    available("Triple DES", () => {
      const cipher = createDecipheriv(DES_MODES[mode], key, mode === "ecb" ? null : iv);
      cipher.setAutoPadding(false);
      return (data) => cipher.update(data);
    }),
  digest: (hash, data) => available(hash, () => createHash(hash).update(data).digest()),
};
