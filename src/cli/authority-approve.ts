import type { Command } from "commander";
import type { AuthorityService } from "../authority/service.js";
import { equalBytes, toUtf8 } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { formatSerial } from "../envelope/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type EscrowRecord,
  isProven,
  type Officer,
  type Policy,
  parseRequestId,
  type RecoveryRequest,
  recipientFingerprint,
  recordHash,
  requestHash,
  requestId,
  type Signer,
  signApproval,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  loadAuthority,
  requireAuthority,
  unlock,
  withService,
} from "./authority-io.js";
import { officerOf } from "./authority-policy.js";
import { NOT_PROVEN } from "./authority-records.js";
import { afterApproval, describeStanding, stateOf } from "./authority-requests.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { checkOutput, print, writeOutput } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { fileName, formatFingerprint, safe, table } from "./text.js";

type Word = "approve" | "deny";

interface ApproveOptions extends AuthorityKeyOptions, PassphraseOptions, OutputOptions {
  key: string;
  identity: string;
  request?: string;
  submission?: string[];
  yes?: boolean;
}

/** What was shown, and is signed. */
interface Question {
  request: RecoveryRequest;
  policy: Policy;
  officer: Officer;
  signer: Signer;
}

async function sign(
  decision: Word,
  { request, policy, officer, signer }: Question,
  { identity, yes }: ApproveOptions,
): Promise<string> {
  const verb = decision === "approve" ? "Approve" : "Deny";
  if (!yes) await confirm(`${verb} this request as ${safe(officer.name)}?`);
  return signApproval(await sharedCore(), signer, request, policy.hash, { decision, identity });
}

/** With the authority's folder: shows, signs, hands in, and releases if that was the last one. */
async function decideHere(
  service: AuthorityService,
  path: string,
  decision: Word,
  id: string,
  options: ApproveOptions,
): Promise<void> {
  const standing = await service.standing(id);
  const { request, policy } = standing;
  const { officer, signer } = await officerOf(policy, options.key, options);
  print(await describeStanding(standing), options.output);
  const note = await sign(decision, { request, policy, officer, signer }, options);
  if (options.output !== undefined) {
    await writeOutput(options.output, [toUtf8(note)], { force: options.force ?? false });
  }
  const after = await service.takeApproval(note);
  if (after.row.status !== "open" || !after.decision.approved) {
    print(table([["now", stateOf(after)]]), options.output);
    return;
  }
  const released = await afterApproval(async () => {
    if (!(await unlock(service, path, options))) return undefined;
    return service.release(id);
  });
  if (released !== undefined) {
    const { length } = released.releases;
    print(table([["now", `released: ${length} records`]]), options.output);
    return;
  }
  const next = `the authority's key is locked, so \`twinwrap authority release ${id}\` is next`;
  print(table([["now", `approved; ${next}`]]), options.output);
}

/** Away from the authority: from files, into a file. */
async function decideAway(decision: Word, id: string, options: ApproveOptions): Promise<void> {
  const path = requireAuthority(options);
  if (options.request === undefined) {
    throw new UsageError("without the authority's folder, give --request FILE");
  }
  const core = await sharedCore();
  const { authority } = await loadAuthority(path);
  const policy = authority.policies.at(-1);
  if (policy === undefined) {
    throw new TwinwrapError(
      "NO_POLICY",
      `${path} has no policy yet: get it again from the authority`,
    );
  }
  const { request } = await readMessage(options.request, "request");
  if (requestId(requestHash(core, request)) !== parseRequestId(id)) {
    throw notVerified(`${options.request} is not the request that this ID was made from`);
  }
  if (request.authority !== authority.origin) {
    throw notVerified(`${options.request} is for another authority, ${safe(request.authority)}`);
  }
  const { officer, signer } = await officerOf(policy, options.key, options);
  const output = options.output ?? `${parseRequestId(id)}.${fileName(officer.name)}.approval`;
  await checkOutput([options.request, path, ...(options.submission ?? [])], output, options);
  print(describeRequest(request, await knownRecords(options.submission ?? [])), output);
  const note = await sign(decision, { request, policy, officer, signer }, options);
  await writeOutput(output, [toUtf8(note)], { force: options.force ?? false });
  print(table([["written", safe(output)]]), output);

  function describeRequest(asked: RecoveryRequest, records: Known[]): string {
    const isLabelled = records.some(({ record }) => record.blob?.label !== undefined);
    const label = (cell: string) => (isLabelled ? [cell] : []);
    const rows = asked.records.map((hash) => {
      const known = records.find((one) => equalBytes(one.hash, hash));
      if (known === undefined) return ["", formatFingerprint(hash), "not shown to you", ""];
      const { serial, owner, description, blob } = known.record;
      const labels = label(safe(blob?.label ?? ""));
      return ["", formatSerial(serial), safe(owner), ...labels, safe(description ?? "")];
    });
    const unproven = asked.records.filter((hash) =>
      records.some((one) => equalBytes(one.hash, hash) && !isProven(one.record)),
    ).length;
    return `${table([
      ["request", parseRequestId(id)],
      ["requester", safe(asked.requester)],
      ["recipient", `${formatFingerprint(recipientFingerprint(core, asked))}  ${asked.padding}`],
      ["expires", formatTime(asked.expires)],
      ["records", String(asked.records.length)],
      ...(unproven === 0 ? [] : [["beware", `${NOT_PROVEN} (${unproven} of them)`]]),
    ])}${table([["", "serial or record", "owner", ...label("label"), "description"], ...rows])}`;
  }
}

interface Known {
  hash: Uint8Array;
  record: EscrowRecord;
}

/** Records whose content an officer was given: the hash shows that they are the ones asked for. */
async function knownRecords(paths: string[]): Promise<Known[]> {
  const core = await sharedCore();
  const known: Known[] = [];
  for (const path of paths) {
    const { submission } = await readMessage(path, "submission");
    known.push({ hash: recordHash(core, submission.core), record: submission.core });
  }
  return known;
}

function decide(decision: Word) {
  return async (id: string, options: ApproveOptions): Promise<void> => {
    const path = requireAuthority(options);
    const { isDirectory } = await loadAuthority(path);
    if (!isDirectory) return decideAway(decision, id, options);
    if (options.request !== undefined || options.submission !== undefined) {
      throw new UsageError(
        "--request and --submission are for work without the authority's folder",
      );
    }
    if (options.output !== undefined) await checkOutput([], options.output, options);
    await withService(path, (service) => decideHere(service, path, decision, id, options));
  };
}

function decideCommand(name: Word, summary: string): Command {
  const command = newCommand(
    name,
    summary,
    `twinwrap authority ${name} ID -k ann.pem --identity "passport, met in person"`,
  )
    .argument("<id>", "the whole ID, as the requester himself told it to you")
    .requiredOption("-k, --key <file>", "the officer's keys");
  if (name === "approve") {
    command.requiredOption("--identity <text>", "how you made sure who is asking, in one line");
  } else {
    command.option("--identity <text>", "why, in one line", "not established");
  }
  addOutputOptions(command, "also write the signed note there")
    .option("--request <file>", "the request, where the authority's folder is not")
    .option("--submission <file>", "what one of the records is, to have it shown (repeat)", collect)
    .option("--yes", "sign without asking");
  return addAuthorityKeyOption(addPassphraseOptions(command, "never ask for a passphrase"))
    .addOption(authorityOption())
    .action(decide(name));
}

export function approveCommand(): Command {
  return decideCommand(
    "approve",
    "Shows what a request asks for, and approves it as an officer. The last approval that is needed releases, if the authority's key can be opened.",
  );
}

export function denyCommand(): Command {
  return decideCommand("deny", "Shows what a request asks for, and denies it as an officer.");
}
