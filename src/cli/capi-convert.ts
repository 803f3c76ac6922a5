import type { Command } from "commander";
import { weakness } from "../capi/index.js";
import type { Padding } from "../envelope/index.js";
import { withOldFile } from "./capi-open.js";
import {
  addOldFileOptions,
  cipherFacts,
  cipherText,
  type OldFileOptions,
  oldInputs,
} from "./capi-options.js";
import { newCommand } from "./command.js";
import { warn } from "./io.js";
import {
  addSealingOptions,
  checkSealed,
  reportSealed,
  type Sealing,
  type SealingOptions,
  sealedPath,
  sealInto,
  withSealer,
} from "./sealing.js";

interface ConvertOptions extends OldFileOptions, SealingOptions {
  toPadding?: Padding;
}

/** Decrypts and seals in one pass. The plaintext is never on disk, and the session key is new. */
async function convert(input: string, options: ConvertOptions): Promise<void> {
  let was = "";
  let facts = {};
  const output = sealedPath(input, options);
  const inputs = oldInputs(input, options);
  await checkSealed(output, inputs, options);
  const withSource: Sealing["withSource"] = (work) =>
    withOldFile(input, options, undefined, async ({ session, settings, plaintext, doubt }) => {
      was = cipherText(session, settings);
      facts = cipherFacts(session, settings);
      const weak = weakness(session, settings);
      if (weak !== undefined) warn(`${weak}; other copies of the old file stay so`);
      const header = await work(plaintext);
      const doubtful = doubt();
      if (doubtful !== undefined) warn(doubtful);
      return header;
    });
  // --allow-weak is for the old key alone: what is sealed anew is sealed well.
  const flags = { padding: options.toPadding, allowWeak: undefined };
  const sealed = await withSealer(options, flags, (sealer) =>
    sealInto(sealer, { output, inputs, withSource }),
  );
  reportSealed(sealed, options, [["was", `${was} (not authenticated)`]], { was: facts });
}

export function convertCommand(): Command {
  const command = newCommand(
    "convert",
    "Turns a file that a CryptoAPI program encrypted into a sealed file, under a fresh session key. The plaintext is not written anywhere. --allow-weak is for the old key alone.",
    "twinwrap capi convert -k alice.pem --layout length32 letter.enc --to alice.pub.pem --owner-id alice --authority backup/authority.json\n  seals letter.enc into letter.enc.twin, which alice.pem opens",
  ).argument("<in>", "the encrypted file, or - for standard input");
  return addSealingOptions(addOldFileOptions(command), "--to-padding <padding>").action(convert);
}
