import type { Command } from "commander";
import { toHex } from "../bytes.js";
import {
  formatSerial,
  type Header,
  type Padding,
  type Recipient,
  seal,
} from "../envelope/index.js";
import { writeFileWhole } from "../files.node.js";
import { fingerprint } from "../keys/index.js";
import { addAuthorityKeyOption } from "./authority-io.js";
import {
  addOutputOptions,
  allowWeakOption,
  collect,
  type EngineFlags,
  engineOption,
  engineOptions,
  jobsOption,
  jsonOption,
  newCommand,
  type OutputOptions,
  paddingOption,
  UsageError,
} from "./command.js";
import { Escrower, readTargets, type Sent, sentRows } from "./escrow-io.js";
import { headerFacts, wrapRows } from "./inspect.js";
import {
  checkOutput,
  print,
  printJson,
  progress,
  readPublicKeyFile,
  STANDARD,
  withInput,
  writeOutput,
} from "./io.js";
import { about } from "./report.js";
import { safe, table } from "./text.js";

export const SUFFIX = ".twin";

interface EncryptOptions extends OutputOptions, EngineFlags {
  owner: string[];
  authority?: string[];
  ownerId?: string;
  authorityPassphraseFile?: string;
  name?: string;
  description?: string;
  padding?: Padding;
  detached?: boolean;
  allowWeak?: boolean;
  json?: boolean;
}

/** Where a detached wrap stands: beside the file, named after the key that opens it. */
function detachedPath(output: string, fingerprint: Uint8Array): string {
  return `${output}.${toHex(fingerprint.subarray(0, 8))}.simpleblob`;
}

async function encrypt(input: string, options: EncryptOptions): Promise<void> {
  const output = options.output ?? (input === STANDARD ? STANDARD : `${input}${SUFFIX}`);
  if (options.detached && output === STANDARD)
    throw new UsageError("--detached needs -o FILE to stand beside");
  const { authorityPassphraseFile, force, authority: authorities = [] } = options;
  const inputs = [input, ...options.owner, ...authorities];
  if (authorityPassphraseFile !== undefined) inputs.push(authorityPassphraseFile);
  await checkOutput(inputs, output, options);
  const to: Recipient[] = [];
  for (const path of options.owner) to.push({ key: await readPublicKeyFile(path) });
  const targets = await readTargets(authorities);
  if (output === STANDARD && targets.some(({ isDirectory }) => !isDirectory)) {
    throw new UsageError("an authority.json needs -o FILE, to write the submission beside");
  }
  const ownerId = options.ownerId ?? toHex(await fingerprint(to[0]!.key));
  const escrower = new Escrower(targets, ownerId, {
    ...(authorityPassphraseFile === undefined ? {} : { authorityPassphraseFile }),
    ...(force === undefined ? {} : { force }),
  });
  await escrower.check(inputs, output);
  const { onProgress, clear } = progress("sealed");
  const header = await withInput(input, (file) =>
    about(input, async () => {
      const sealed = await seal(file.pieces(), {
        to,
        ...(options.padding === undefined ? {} : { padding: options.padding }),
        name: options.name,
        description: options.description,
        escrow: targets.map(({ authority }) => authority.origin),
        escrows: targets.length === 0 ? undefined : escrower.make,
        allowWeak: options.allowWeak ?? false,
        onProgress,
        ...engineOptions(options),
      });
      if (options.detached) {
        for (const wrap of sealed.header.wraps)
          await checkOutput(inputs, detachedPath(output, wrap.fingerprint), options);
      }
      await writeOutput(output, sealed, options);
      return sealed.header;
    }),
  );
  clear();
  const detached = options.detached ? await writeDetached(output, header, options) : [];
  report(output, header, detached, await escrower.finish(output), options);
}

async function writeDetached(
  output: string,
  header: Header,
  options: OutputOptions,
): Promise<string[]> {
  const paths: string[] = [];
  for (const wrap of header.wraps) {
    const path = detachedPath(output, wrap.fingerprint);
    await writeFileWhole(path, [wrap.simpleBlob], options);
    paths.push(path);
  }
  return paths;
}

function report(
  output: string,
  header: Header,
  detached: string[],
  sent: Sent[],
  options: EncryptOptions,
): void {
  if (options.json) {
    printJson(
      {
        file: output,
        ...headerFacts(header),
        ...(options.detached ? { detached } : {}),
        ...(options.authority === undefined ? {} : { escrowed: sent }),
      },
      output,
    );
    return;
  }
  const name = output === STANDARD ? "standard output" : output;
  const rows: [string, string][] = [
    ["sealed", safe(name)],
    ["serial", formatSerial(header.serial)],
    ...wrapRows(header),
    ...sentRows(sent),
  ];
  print(
    table([...rows, ...detached.map((path): [string, string] => ["detached", safe(path)])]),
    output,
  );
}

export function command(): Command {
  const command = newCommand(
    "encrypt",
    "Seals a file under a fresh session key that is wrapped for every owner.",
    "twinwrap encrypt report.pdf --owner alice.pub.pem --owner bob.pub.pem\n  seals report.pdf into report.pdf.twin, which alice.pem and bob.pem open",
  ).argument("<in>", "file to seal, or - for standard input");
  addAuthorityKeyOption(command);
  return addOutputOptions(command, "the sealed file (default: IN.twin), or - for standard output")
    .requiredOption(
      "--owner <pub>",
      "public key that shall open it, in any form (repeat for more)",
      collect,
    )
    .option(
      "--authority <path>",
      "backup authority that shall hold the session key too: its folder, or its authority.json (repeat for more)",
      collect,
    )
    .option("--owner-id <id>", "who you are to it (default: the first key's fingerprint)")
    .option("--name <text>", "a name to write into the header, readable by anyone")
    .option("--description <text>", "a description to write into the header, readable by anyone")
    .addOption(
      paddingOption("--padding <padding>", "how the session key is padded (default: oaep)"),
    )
    .option(
      "--detached",
      "also write each wrap beside the file as a SIMPLEBLOB, for CryptoAPI programs",
    )
    .addOption(allowWeakOption())
    .addOption(engineOption())
    .addOption(jobsOption())
    .addOption(jsonOption())
    .action(encrypt);
}
