import type { Command } from "commander";
import { toHex } from "../bytes.js";
import { checkSealed } from "../envelope/file.node.js";
import {
  formatSerial,
  type Header,
  type Padding,
  type Recipient,
  type Source,
  seal,
} from "../envelope/index.js";
import { descriptorOf, type NewFile } from "../files.node.js";
import { fingerprint } from "../keys/index.js";
import type { Cell } from "../text.js";
import {
  addAuthorityKeyOption,
  addSealingAuthorityOptions,
  isCarriedTo,
  type NamedParty,
  type PinOptions,
  sealingAuthorities,
  withParties,
} from "./authority-io.js";
import {
  addOutputOptions,
  collect,
  type EngineFlags,
  engineOption,
  engineOptions,
  jobsOption,
  jsonOption,
  type OutputOptions,
  paddingOption,
  UsageError,
} from "./command.js";
import { FileEscrower, type SentFacts, sentRows } from "./escrow-io.js";
import { headerFacts, wrapRows } from "./inspect.js";
import {
  checkOutput,
  outputText,
  progress,
  readRecipientFile,
  STANDARD,
  tell,
  writeFiles,
} from "./io.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import { neverWeak } from "./report.js";

// What `encrypt` and `capi convert` share: both make a sealed file.

export const SUFFIX = ".twin";

export interface SealingOptions extends OutputOptions, EngineFlags, PinOptions, OwnerIdOptions {
  owner: string[];
  /** commander turns --no-authority into false. */
  authority?: string[] | false;
  authorityPassphraseFile?: string;
  name?: string;
  description?: string;
  detached?: boolean;
  json?: boolean;
}

/** How the session key is wrapped. The commands have different flags for it. */
export interface WrapFlags {
  padding: Padding | undefined;
  /** undefined: the command has no such flag. */
  allowWeak: boolean | undefined;
}

/** A sealed file that was written, and what was written beside it. */
export interface SealedFile {
  output: string;
  header: Header;
  /** The files of its wraps. */
  detached: string[];
  sent: SentFacts[];
}

/** The file of a detached wrap: beside the sealed file, named after the key that opens it. */
function detachedPath(output: string, fingerprint: Uint8Array): string {
  return `${output}.${toHex(fingerprint.subarray(0, 8))}.simpleblob`;
}

/** The output for an input: beside it, or standard output if the input has no name. */
export function sealedPath(input: string, { output }: OutputOptions): string {
  const isNamed = input !== STANDARD && descriptorOf(input) === undefined;
  return output ?? (isNamed ? `${input}${SUFFIX}` : STANDARD);
}

/** What a command seals: from where, into what, and how. */
export interface Sealing {
  output: string;
  /** Every file that is read for it, besides keys of owners and authorities. */
  inputs: readonly string[];
  options: SealingOptions;
  flags: WrapFlags;
  /** Opens what is sealed, and closes it after the work. */
  withSource: (work: (source: Source) => Promise<Header>) => Promise<Header>;
}

/** For whom a file is sealed, and with which authorities its key is escrowed. */
interface Recipients {
  to: readonly Recipient[];
  parties: readonly NamedParty[];
  escrower: FileEscrower;
}

/** Seals into a file, with everything that the options ask for. Checks first what it can. */
export async function sealInto(sealing: Sealing): Promise<SealedFile> {
  const { output, inputs, options, flags } = sealing;
  if (options.detached && output === STANDARD)
    throw new UsageError("--detached needs -o FILE to stand beside");
  const authorities = sealingAuthorities(options);
  const named = [...inputs, ...options.owner, ...authorities];
  await checkOutput(named, output, options);
  const to: Recipient[] = [];
  for (const path of options.owner) {
    const read = () => readRecipientFile(path, flags.allowWeak ?? false);
    to.push({ key: await (flags.allowWeak === undefined ? neverWeak(read) : read()) });
  }
  const work = async (parties: NamedParty[]) => {
    const ownerId = parties.length === 0 ? "" : await ownerIdFor(options, parties);
    const escrower = new FileEscrower(parties, ownerId, options);
    await checkBeside(sealing, { to, parties, escrower }, named);
    return sealFor(sealing, { to, parties, escrower });
  };
  return withParties(authorities, work, { ...options, mayBeAway: true });
}

/** Checks what is written beside the sealed file. @param named every file that is read */
async function checkBeside(
  { output, options }: Sealing,
  { to, parties, escrower }: Recipients,
  named: readonly string[],
): Promise<void> {
  if (output === STANDARD && parties.some(isCarriedTo)) {
    throw new UsageError(
      "an authority.json needs -o FILE, to write the submission beside; --no-authority goes without",
    );
  }
  await escrower.check(named, output);
  if (!options.detached) return;
  for (const { key } of to) {
    await checkOutput(named, detachedPath(output, await fingerprint(key)), options);
  }
}

async function sealFor(
  { output, options, flags, withSource }: Sealing,
  { to, parties, escrower }: Recipients,
): Promise<SealedFile> {
  const { force, name, description } = options;
  let detached: NewFile[] = [];
  const header = await withSource(async (source) => {
    const sealed = await seal(source, {
      to,
      padding: flags.padding,
      name,
      description,
      escrow: parties.map(({ authority }) => authority.origin),
      escrows: parties.length === 0 ? undefined : escrower.make,
      allowWeak: flags.allowWeak ?? false,
      onProgress: progress("sealed"),
      ...engineOptions(options),
    });
    const { wraps } = sealed.header;
    detached = (options.detached ? wraps : []).map((wrap) => ({
      path: detachedPath(output, wrap.fingerprint),
      content: [wrap.simpleBlob],
      force,
    }));
    // The sealed file comes first: the others are useless without it.
    await writeFiles([
      { path: output, content: sealed, force, check: checkSealed(sealed.header) },
      ...(await escrower.files(output)),
      ...detached,
    ]);
    return sealed.header;
  });
  return {
    output,
    header,
    detached: detached.map(({ path }) => path),
    sent: escrower.facts(output),
  };
}

/** Tells what was made. @param rows more to tell people @param facts more to tell machines */
export function reportSealed(
  { output, header, detached, sent }: SealedFile,
  options: SealingOptions,
  rows: readonly Cell[][] = [],
  facts: Record<string, unknown> = {},
): void {
  tell(
    options,
    {
      file: output,
      ...facts,
      ...headerFacts(header),
      detached: options.detached ? detached : undefined,
      escrowed: sent,
    },
    [
      ["sealed", outputText(output)],
      ...rows,
      ["serial", formatSerial(header.serial)],
      ...wrapRows(header),
      ...sentRows(sent),
      ...detached.map((path) => ["detached", path]),
    ],
    output,
  );
}

/** @param padding the flag for how the session key is padded */
export function addSealingOptions(command: Command, padding: string): Command {
  addAuthorityKeyOption(addSealingAuthorityOptions(command));
  return addOutputOptions(command, "the sealed file (default: IN.twin), or - for standard output")
    .requiredOption(
      "--owner <pub>",
      "public key that can open it, in any form (repeat for more)",
      collect,
    )
    .addOption(ownerIdOption())
    .option("--name <text>", "a name to write into the header, readable by anyone")
    .option("--description <text>", "a description to write into the header, readable by anyone")
    .addOption(paddingOption(padding, "how the session key is padded (default: oaep)"))
    .option(
      "--detached",
      "also write each wrap beside the file as a SIMPLEBLOB, for CryptoAPI programs",
    )
    .addOption(engineOption())
    .addOption(jobsOption())
    .addOption(jsonOption());
}
