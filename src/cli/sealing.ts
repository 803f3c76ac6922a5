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
import { descriptorOf } from "../files.node.js";
import { fingerprint } from "../keys/index.js";
import {
  addAuthorityKeyOption,
  addSealingAuthorityOptions,
  type NamedParty,
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
import { checkOutput, print, printJson, readRecipientFile, STANDARD, writeFiles } from "./io.js";
import { neverWeak } from "./report.js";
import { writeStandard } from "./standard.js";
import { safe, table } from "./text.js";

// What the commands share that make a sealed file: of any file, or of one that CryptoAPI encrypted.

export const SUFFIX = ".twin";

export interface SealingOptions extends OutputOptions, EngineFlags {
  owner: string[];
  /** commander turns --no-authority into false. */
  authority?: string[] | false;
  ownerId?: string;
  authorityPassphraseFile?: string;
  name?: string;
  description?: string;
  detached?: boolean;
  json?: boolean;
}

/** How the session key is wrapped: under flags that not every command calls the same. */
export interface WrapFlags {
  padding: Padding | undefined;
  /** undefined where a command does not let it be said. */
  allowWeak: boolean | undefined;
}

/** A sealed file that was written, and what belongs to it. */
export interface SealedFile {
  output: string;
  header: Header;
  /** Files of wraps that were written beside it. */
  detached: string[];
  sent: SentFacts[];
}

/** Where a detached wrap stands: beside the file, named after the key that opens it. */
function detachedPath(output: string, fingerprint: Uint8Array): string {
  return `${output}.${toHex(fingerprint.subarray(0, 8))}.simpleblob`;
}

/** Where the sealed file of an input goes: of one that has no name of its own, to standard output. */
export function sealedPath(input: string, { output }: OutputOptions): string {
  const isNamed = input !== STANDARD && descriptorOf(input) === undefined;
  return output ?? (isNamed ? `${input}${SUFFIX}` : STANDARD);
}

/**
 * Seals into a file, with everything that the options ask for, and checks first what can be checked.
 * @param inputs every file that is read for it besides keys of owners and authorities
 * @param withSource opens what is to be sealed, and closes it after the work
 */
export async function sealInto(
  output: string,
  inputs: readonly string[],
  options: SealingOptions,
  flags: WrapFlags,
  onProgress: ((bytes: number) => void) | undefined,
  withSource: (work: (source: Source) => Promise<Header>) => Promise<Header>,
): Promise<SealedFile> {
  if (options.detached && output === STANDARD)
    throw new UsageError("--detached needs -o FILE to stand beside");
  const authorities = sealingAuthorities(options.authority);
  const read = [...inputs, ...options.owner, ...authorities];
  await checkOutput(read, output, options);
  const to: Recipient[] = [];
  for (const path of options.owner) {
    const read = () => readRecipientFile(path, flags.allowWeak ?? false);
    to.push({ key: await (flags.allowWeak === undefined ? neverWeak(read) : read()) });
  }
  const work = (parties: NamedParty[]) =>
    sealFor(parties, to, output, read, options, flags, onProgress, withSource);
  return withParties(authorities, work, options);
}

async function sealFor(
  parties: readonly NamedParty[],
  to: readonly Recipient[],
  output: string,
  read: readonly string[],
  options: SealingOptions,
  flags: WrapFlags,
  onProgress: ((bytes: number) => void) | undefined,
  withSource: (work: (source: Source) => Promise<Header>) => Promise<Header>,
): Promise<SealedFile> {
  if (output === STANDARD && parties.some(({ client }) => client === undefined)) {
    throw new UsageError(
      "an authority.json needs -o FILE, to write the submission beside; --no-authority goes without",
    );
  }
  const { force = false } = options;
  const ownerId = options.ownerId ?? toHex(await fingerprint(to[0]!.key));
  const escrower = new FileEscrower(parties, ownerId, options);
  await escrower.check(read, output);
  if (options.detached) {
    for (const { key } of to) {
      await checkOutput(read, detachedPath(output, await fingerprint(key)), options);
    }
  }
  const header = await withSource(async (source) => {
    const sealed = await seal(source, {
      to,
      padding: flags.padding,
      name: options.name,
      description: options.description,
      escrow: parties.map(({ authority }) => authority.origin),
      escrows: parties.length === 0 ? undefined : escrower.make,
      allowWeak: flags.allowWeak ?? false,
      onProgress,
      ...engineOptions(options),
    });
    if (output === STANDARD) {
      await writeStandard(sealed);
      return sealed.header;
    }
    // Without what stands beside it the sealed file is whole; nothing of that is of use without it.
    const detached = (options.detached ? sealed.header.wraps : []).map(
      ({ fingerprint, simpleBlob }) => ({
        path: detachedPath(output, fingerprint),
        content: [simpleBlob],
        force,
      }),
    );
    await writeFiles([
      { path: output, content: sealed, force, check: checkSealed(sealed.header) },
      ...(await escrower.files(output)),
      ...detached,
    ]);
    return sealed.header;
  });
  const detached = options.detached
    ? header.wraps.map((wrap) => detachedPath(output, wrap.fingerprint))
    : [];
  return { output, header, detached, sent: escrower.facts(output) };
}

/** Tells what was made. @param rows more to tell people @param facts more to tell machines */
export function reportSealed(
  { output, header, detached, sent }: SealedFile,
  options: SealingOptions,
  rows: readonly [string, string][] = [],
  facts: Record<string, unknown> = {},
): void {
  if (options.json) {
    printJson(
      {
        file: output,
        ...facts,
        ...headerFacts(header),
        detached: options.detached ? detached : undefined,
        escrowed: sent,
      },
      output,
    );
    return;
  }
  const name = output === STANDARD ? "standard output" : output;
  print(
    table([
      ["sealed", safe(name)],
      ...rows,
      ["serial", formatSerial(header.serial)],
      ...wrapRows(header),
      ...sentRows(sent),
      ...detached.map((path): [string, string] => ["detached", safe(path)]),
    ]),
    output,
  );
}

/** @param padding the flag for how the session key is padded */
export function addSealingOptions(command: Command, padding: string): Command {
  addAuthorityKeyOption(addSealingAuthorityOptions(command));
  return addOutputOptions(command, "the sealed file (default: IN.twin), or - for standard output")
    .requiredOption(
      "--owner <pub>",
      "public key that shall open it, in any form (repeat for more)",
      collect,
    )
    .option("--owner-id <id>", "who you are to it (default: the first key's fingerprint)")
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
