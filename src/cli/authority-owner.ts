import type { Command } from "commander";
import { logsOf } from "../authority/log.js";
import type { AuthorityService } from "../authority/service.js";
import { indexOf, logOf } from "../authority/store/place.js";
import { wipe } from "../bytes.js";
import { encodeOwnerFile, readControlPublicKey } from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { type Cell, outside } from "../text.js";
import { withService } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import { mailCommand } from "./authority-receiver.js";
import {
  addOutputOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  wholeOption,
} from "./command.js";
import { outputFor, outputText, readSmall, tell } from "./io.js";
import { PRIVATE_MODE } from "./keygen.js";
import { about, asUsage } from "./report.js";
import { fileName, formatFingerprint, formatKey, inline } from "./text.js";

interface AddOptions extends AuthorityOptions, OutputOptions {
  control: string;
  json?: boolean;
}

const RESULTS = {
  enrolled: "now: this owner had no control key before",
  replaced: "with this key from now on: it replaces the one before",
  present: "before, with this key: nothing was changed",
};

async function add(id: string, options: AddOptions): Promise<void> {
  const { control: path, output = `${fileName(id)}.owner` } = options;
  const control = await about(path, async () => readControlPublicKey(await readSmall(path)));
  const write = await outputFor([path], output, { ...options, output });
  const work = async (service: AuthorityService) => {
    const { origin, fingerprint } = service.authority;
    const { owner, secret, result } = await asUsage(() => service.enrolOwner(id, control));
    let bytes: Uint8Array<ArrayBuffer> | undefined;
    try {
      // Where this fails, the same command again gives the same secret.
      bytes = encodeOwnerFile({ authority: origin, fingerprint, owner, secret });
      await write([bytes], PRIVATE_MODE);
    } finally {
      wipe(bytes, secret);
    }
    const key = formatKey(control);
    const name = formatFingerprint(fingerprint);
    const facts = { owner, control: key, result, authority: origin, fingerprint: name };
    tell(
      options,
      { ...facts, written: output },
      [
        ["owner", outside(owner)],
        ["control key", `${key}  Ed25519`],
        ["enrolled", RESULTS[result]],
        ["authority", `${name}  ${inline(origin)}`],
        ["written", `${outputText(output)}: for the owner, and secret`],
        ["new key", "the same command with another --control replaces the control key"],
      ],
      output,
    );
  };
  await withService(requireAuthority(options), work);
}

async function list(options: ReadingOptions & { json?: boolean }): Promise<void> {
  const work = async (service: AuthorityService) => {
    const logs = logsOf(service.authority);
    const owners = (await service.owners()).map(({ owner, control, leaf, since }) => ({
      owner,
      control: formatKey(control),
      since: formatTime(since),
      log: logs[logOf(leaf)]!.name,
      entry: indexOf(leaf),
    }));
    const rows: Cell[][] = owners.map(({ owner, control, since, log, entry }) => [
      outside(owner),
      control,
      since,
      `entry ${entry} of ${inline(log)}`,
    ]);
    const title = ["owner", "control key", "since", "in the log"];
    tell(options, owners, rows.length === 0 ? "no owner has a control key\n" : [title, ...rows]);
  };
  await withService(requireAuthority(options), work, { readOnly: options.readOnly });
}

function listCommand(): Command {
  return newCommand(
    "list",
    "Lists the owners who have a control key.",
    "twinwrap authority owner list",
  )
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(list);
}

function addOwnerCommand(): Command {
  const command = newCommand(
    "add",
    "Enrols an owner with their control key, or replaces that key; writes the owner's secret into a file for them.",
    "twinwrap authority owner add olivia --control control.pub.pem -o olivia.owner",
  )
    .argument("<id>", "the owner's ID: the name that people know them by")
    .requiredOption("--control <pub>", "the owner's public control key");
  return addOutputOptions(command, "where the owner's secret goes (default: ID.owner)")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(add);
}

export function ownerCommand(): Command {
  return newCommand(
    "owner",
    "Owners whom the authority knows, who can veto a request for their records.",
    "twinwrap authority owner add olivia --control control.pub.pem -o olivia.owner",
  )
    .addCommand(addOwnerCommand())
    .addCommand(
      mailCommand(
        "owner",
        "the owner's ID, who is enrolled or has records here",
        "olivia olivia@example.org",
      ),
    )
    .addCommand(listCommand());
}
