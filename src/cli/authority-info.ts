import type { Command } from "commander";
import type { AuthorityService } from "../authority/service.js";
import { isFolder } from "../calls.node.js";
import { sharedCore } from "../core/index.js";
import { type Authority, formatVerifierKey, parseCheckpoint } from "../escrow/index.js";
import { writePublicKey } from "../keys/index.js";
import { type Cell, outside } from "../text.js";
import { loadAuthority, withService } from "./authority-io.js";
import {
  authorityOption,
  type PinOptions,
  pinOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import { policyRows, ruleFacts } from "./authority-policy.js";
import { requestQuery } from "./authority-requests.js";
import { jsonOption, newCommand, wholeOption } from "./command.js";
import { outputFor, STANDARD, tell } from "./io.js";
import { formatFingerprint } from "./text.js";

interface Facts {
  rows: [string, Cell][];
  json: Record<string, unknown>;
}

/** What everybody may know. */
async function publicFacts(authority: Authority): Promise<Facts> {
  const core = await sharedCore();
  const fingerprint = formatFingerprint(authority.fingerprint);
  const wrapKeys = authority.wrapFingerprints.map(formatFingerprint);
  const logKeys = authority.logKeys.map((key) => formatVerifierKey(core, key));
  return {
    rows: [
      ["authority", outside(authority.origin)],
      ["fingerprint", fingerprint],
      ...wrapKeys.map((key): [string, string] => ["wraps for", key]),
      ...logKeys.map((key, i): [string, string] => [i === 0 ? "log key" : "ended log", key]),
    ],
    json: { origin: authority.origin, fingerprint, wrapKeys, logKeys },
  };
}

/** What its folder shows besides. */
async function innerFacts(service: AuthorityService): Promise<Facts> {
  const note = await service.checkpoint();
  const size = note === undefined ? 0 : parseCheckpoint(note).size;
  const records = await service.countRecords();
  const fenced = await service.isFenced();
  const open = await service.countRequests(requestQuery("open"));
  const counts = Object.entries(records).map(([status, count]) => `${count} ${status}`);
  const log = `${size} entries${fenced ? ", fenced: see `authority log unfence`" : ""}`;
  return {
    rows: [
      ["records", counts.join(", ")],
      ["requests", `${open} open`],
      ["log", log],
    ],
    json: { records, openRequests: open, log: { size, fenced } },
  };
}

interface InfoOptions extends ReadingOptions, PinOptions {
  wrapKey?: string;
  force?: boolean;
  json?: boolean;
}

async function info(options: InfoOptions): Promise<void> {
  const path = requireAuthority(options);
  const authority = await loadAuthority(path, options);
  const { wrapKey: output, force } = options;
  const write = await outputFor([path], output, { output, force });
  await write([writePublicKey(authority.wrapKey, "msblob")]);
  const facts = [await publicFacts(authority)];
  if (path !== STANDARD && isFolder(path)) {
    facts.push(await withService(path, innerFacts, { readOnly: options.readOnly }));
  }
  const policy = authority.policies.at(-1);
  const json = facts.reduce((all, one) => Object.assign(all, one.json), {});
  tell(
    options,
    {
      ...json,
      policy: policy && {
        ...ruleFacts(policy),
        officers: policy.officers.map(({ name }) => name),
      },
    },
    [
      ...facts.flatMap(({ rows }) => rows),
      ...(policy === undefined
        ? [["policy", "none in force: see `authority policy show`"]]
        : policyRows(await sharedCore(), policy).filter(([name]) => name !== "authority")),
    ],
    output,
  );
}

export function infoCommand(): Command {
  return newCommand(
    "info",
    "Shows an authority: its keys, its policy and, of a folder, what it holds.",
    "twinwrap authority info --authority backup",
  )
    .option("--wrap-key <file>", "write the public key to wrap for there, as a PUBLICKEYBLOB")
    .option("--force", "replace the output file if it exists")
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(info);
}
