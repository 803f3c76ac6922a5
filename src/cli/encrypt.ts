import { dirname, join } from "node:path";
import type { Command } from "commander";
import type { Padding } from "../envelope/index.js";
import { formatSerial } from "../envelope/index.js";
import { isTemporary } from "../process.node.js";
import { outsidePath } from "../text.js";
import { allowWeakOption, newCommand, recursiveOption, UsageError } from "./command.js";
import { areMany, forEachInput, type InputFile, tallyText } from "./inputs.js";
import { Report, tell, withInput } from "./io.js";
import { checkFolder, makeFolder, needNames, outputIn, Replacing } from "./outputs.js";
import { isSealed } from "./sealed.js";
import {
  addSealingOptions,
  checkSealed,
  reportSealed,
  type Sealer,
  type SealingOptions,
  SUFFIX,
  sealedFacts,
  sealedPath,
  sealInto,
  withSealer,
} from "./sealing.js";
import { countSent, sentSummary, sentText } from "./sent.js";

interface EncryptOptions extends SealingOptions {
  padding?: Padding;
  allowWeak?: boolean;
  recursive?: boolean;
}

function seal(sealer: Sealer, input: string, output: string) {
  return sealInto(sealer, {
    output,
    inputs: [input],
    withSource: (work) => withInput(input, (file) => work(file.pieces())),
  });
}

async function encrypt(inputs: string[], options: EncryptOptions): Promise<void> {
  const { padding, allowWeak = false } = options;
  const flags = { padding, allowWeak };
  if (areMany(inputs)) return encryptAll(inputs, options, flags);
  const [input] = inputs as [string];
  const output =
    outputIn(options.output, { path: input, place: `${input}${SUFFIX}` }) ??
    sealedPath(input, options);
  await checkSealed(output, [input], options);
  await withSealer(options, flags, async (sealer) => {
    reportSealed(await seal(sealer, input, output), options);
  });
}

async function encryptAll(
  inputs: string[],
  options: EncryptOptions,
  flags: { padding: Padding | undefined; allowWeak: boolean },
): Promise<void> {
  const { output: folder } = options;
  if (options.name !== undefined) throw new UsageError("--name is for one file");
  needNames(inputs);
  checkFolder(folder);
  const report = new Report(options);
  const counts = new Map<string, number>();
  const replacing = new Replacing(options, (isOld) => isOld);
  await withSealer(options, flags, async (sealer) => {
    // What is sealed already, also by a run that was interrupted, stays as it is.
    const take = async (path: string) => !isTemporary(path) && !(await isSealed(path));
    const settings = { ...options, take, isApart: sealer.parties.length === 0 };
    const tally = await forEachInput(inputs, settings, async (input: InputFile) => {
      const output =
        folder === undefined
          ? sealedPath(input.path, options)
          : join(folder, `${input.place}${SUFFIX}`);
      await replacing.check(output);
      if (folder !== undefined) await makeFolder(dirname(output));
      const sealed = await seal(sealer, input.path, output);
      return () => {
        countSent(counts, sealed.sent);
        const escrow = sealed.sent.map(sentText).join("; ");
        const row = ["sealed", outsidePath(output), formatSerial(sealed.header.serial)];
        report.add(sealedFacts(sealed, options), [escrow === "" ? row : [...row, escrow]]);
      };
    });
    report.end();
    if (options.json) return;
    tell(options, {}, [["in all", tallyText(tally, "sealed")], ...sentSummary(counts)]);
  });
}

export function command(): Command {
  const command = newCommand(
    "encrypt",
    "Seals files, each under a fresh session key that is wrapped for every key that may open it.",
    "twinwrap encrypt report.pdf --to alice.pub.pem --to bob.pub.pem\n  seals report.pdf into report.pdf.twin, which alice.pem and bob.pem open\ntwinwrap encrypt -r documents --to alice.pub.pem -o sealed",
  ).argument("<in...>", "files to seal, folders with -r, or - for standard input");
  return addSealingOptions(command, "--padding <padding>")
    .addOption(recursiveOption("every unsealed file"))
    .addOption(allowWeakOption())
    .action(encrypt);
}
