import type { Command } from "commander";
import type { Padding } from "../envelope/index.js";
import { allowWeakOption, newCommand } from "./command.js";
import { withInput } from "./io.js";
import {
  addSealingOptions,
  reportSealed,
  type SealingOptions,
  sealedPath,
  sealInto,
} from "./sealing.js";

interface EncryptOptions extends SealingOptions {
  padding?: Padding;
  allowWeak?: boolean;
}

async function encrypt(input: string, options: EncryptOptions): Promise<void> {
  const { padding, allowWeak = false } = options;
  const sealed = await sealInto({
    output: sealedPath(input, options),
    inputs: [input],
    options,
    flags: { padding, allowWeak },
    withSource: (work) => withInput(input, (file) => work(file.pieces())),
  });
  reportSealed(sealed, options);
}

export function command(): Command {
  const command = newCommand(
    "encrypt",
    "Seals a file under a fresh session key that is wrapped for every owner.",
    "twinwrap encrypt report.pdf --owner alice.pub.pem --owner bob.pub.pem\n  seals report.pdf into report.pdf.twin, which alice.pem and bob.pem open",
  ).argument("<in>", "file to seal, or - for standard input");
  return addSealingOptions(command, "--padding <padding>")
    .addOption(allowWeakOption())
    .action(encrypt);
}
