import { createDecipheriv, createHash } from "node:crypto";
import { TwinwrapError } from "../errors.js";
import type { Platform } from "./platform.js";

const DES_MODES = { cbc: "des-ede3-cbc", ecb: "des-ede3-ecb", cfb: "des-ede3-cfb8" } as const;

/** Makes something that some builds and settings of Node.js refuse. @throws TwinwrapError UNSUPPORTED */
function available<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const message = `this Node.js was built or started without ${what}`;
    throw new TwinwrapError("UNSUPPORTED", message, { cause });
  }
}

/** The platform of Node. OpenSSL still has Triple DES, which is DES if its three keys are equal. */
export const nodePlatform: Platform = {
  tripleDes: (key, mode, iv) =>
    available("Triple DES", () => {
      const cipher = createDecipheriv(DES_MODES[mode], key, mode === "ecb" ? null : iv);
      cipher.setAutoPadding(false);
      return (data) => cipher.update(data);
    }),
  digest: (hash, data) => available(hash, () => createHash(hash).update(data).digest()),
};
