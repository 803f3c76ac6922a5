import type { Command } from "commander";
import { convertCommand } from "./capi-convert.js";
import { decryptCommand } from "./capi-decrypt.js";
import { newCommand } from "./command.js";

export function command(): Command {
  return newCommand(
    "capi",
    "Reads files that CryptoAPI programs encrypted.",
    "twinwrap capi convert -k alice.pem --layout length32 letter.enc --to alice.pub.pem",
  )
    .addCommand(decryptCommand())
    .addCommand(convertCommand());
}
