import type { Command } from "commander";
import { toHex } from "../bytes.js";
import { checkSealed as checkWritten } from "../envelope/file.node.js";
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
import { headerFacts, wrapRows } from "./header-text.js";
import { checkOutput, hint, outputText, progress, STANDARD, tell, writeFiles } from "./io.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import {
  addRecipientOptions,
  type RecipientOptions,
  readRecipient,
  recipientsOf,
} from "./recipients.js";
import { neverWeak } from "./report.js";
import { inline } from "./text.js";

// What `encrypt` and `capi convert` share: both make a sealed file.

export const SUFFIX = ".twin";

export interface SealingOptions
  extends OutputOptions,
    EngineFlags,
    PinOptions,
    OwnerIdOptions,
    RecipientOptions {
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

/** What a command seals: from where, and into what. */
export interface Sealing {
  output: string;
  /** Every file that is read for it, besides keys of owners and authorities. */
  inputs: readonly string[];
  /** Opens what is sealed, and closes it after the work. */
  withSource: (work: (source: Source) => Promise<Header>) => Promise<Header>;
}

/** What all files of a command have in common: how and for whom they are sealed, and who escrows their keys. */
export interface Sealer {
  options: SealingOptions;
  flags: WrapFlags;
  to: readonly Recipient[];
  parties: readonly NamedParty[];
  ownerId: string;
  /** The files of keys and authorities. */
  read: readonly string[];
}

/** Checks an output before anything is read or asked for: it is the likeliest mistake. */
export async function checkSealed(
  output: string,
  inputs: readonly string[],
  options: SealingOptions,
): Promise<void> {
  if (options.detached && output === STANDARD)
    throw new UsageError("--detached needs -o FILE to stand beside");
  const { to = [], owner = [] } = options;
  await checkOutput([...inputs, ...to, ...owner, ...sealingAuthorities(options)], output, options);
}

/** Reads for whom files are sealed, reaches who escrows them, and works with both. */
export async function withSealer<T>(
  options: SealingOptions,
  flags: WrapFlags,
  work: (sealer: Sealer) => Promise<T>,
): Promise<T> {
  const authorities = sealingAuthorities(options);
  const read = readRecipient(flags.allowWeak ?? false);
  const { keys, files } = await recipientsOf(options, (named) =>
    flags.allowWeak === undefined ? neverWeak(() => read(named)) : read(named),
  );
  const to = keys.map((key) => ({ key }));
  const seal = async (parties: NamedParty[]) => {
    const ownerId = parties.length === 0 ? "" : await ownerIdFor(options, parties);
    const sealer = { options, flags, to, parties, ownerId, read: [...files, ...authorities] };
    const done = await work(sealer);
    hintAtDescription(sealer);
    return done;
  };
  return withParties(authorities, seal, { ...options, mayBeAway: true });
}

/** The authority is never told a file's name unasked: it may be a secret. So its officers may know little. */
function hintAtDescription({ options, parties, ownerId }: Sealer): void {
  if (parties.length === 0 || options.description !== undefined || options.ownerId) return;
  hint(
    `officers will see ${inline(ownerId)} as the owner, and no description: --description TEXT gives one, which anyone can read`,
  );
}

/** Seals into a file, with everything that the options ask for. Checks first what it can. */
export async function sealInto(sealer: Sealer, sealing: Sealing): Promise<SealedFile> {
  const { options, parties, ownerId, read } = sealer;
  const named = [...sealing.inputs, ...read];
  await checkOutput(named, sealing.output, options);
  const escrower = new FileEscrower(parties, ownerId, options);
  await checkBeside(sealing, sealer, escrower, named);
  return sealFor(sealing, sealer, escrower);
}

/** Checks what is written beside the sealed file. @param named every file that is read */
async function checkBeside(
  { output }: Sealing,
  { options, to, parties }: Sealer,
  escrower: FileEscrower,
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
  { output, withSource }: Sealing,
  { options, flags, to, parties }: Sealer,
  escrower: FileEscrower,
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
      { path: output, content: sealed, force, check: checkWritten(sealed.header) },
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

/** What was made, for machines. @param facts more to tell */
export function sealedFacts(
  { output, header, detached, sent }: SealedFile,
  options: SealingOptions,
  facts: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    file: output,
    ...facts,
    ...headerFacts(header),
    detached: options.detached ? detached : undefined,
    escrowed: sent,
  };
}

/** Tells what was made. @param rows more to tell people @param facts more to tell machines */
export function reportSealed(
  sealed: SealedFile,
  options: SealingOptions,
  rows: readonly Cell[][] = [],
  facts: Record<string, unknown> = {},
): void {
  const { output, header, detached, sent } = sealed;
  tell(
    options,
    sealedFacts(sealed, options, facts),
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
  addOutputOptions(
    command,
    "the sealed file (default: IN.twin), a folder for several, or - for standard output",
  );
  return addRecipientOptions(
    command,
    "key that can open it: its public file in any form, or a name",
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
