import { generateKeyPairSync } from "node:crypto";

let made: string | undefined;

/** An unlocked key of 1024 bits in PEM, made by node:crypto once a run: small, to keep tests quick. */
export function testKey(): string {
  made ??= generateKeyPairSync("rsa", { modulusLength: 1024 })
    .privateKey.export({ format: "pem", type: "pkcs8" })
    .toString();
  return made;
}
