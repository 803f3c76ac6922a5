import { generateKeyPairSync } from "node:crypto";
import { TwinwrapError } from "#build/errors.js";

let made: string | undefined;

/** An unlocked key of 1024 bits in PEM, made by node:crypto once a run: small, to keep tests quick. */
export function testKey(): string {
  made ??= generateKeyPairSync("rsa", { modulusLength: 1024 })
    .privateKey.export({ format: "pem", type: "pkcs8" })
    .toString();
  return made;
}

/** The error's code, or that it was accepted; anything but a TwinwrapError fails the test. */
export async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return "accepted";
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    return error.code;
  }
}
