import type { Command } from "commander";
import { toUtf8 } from "../bytes.js";
import {
  carriedRows,
  handInDecision,
  officerWithKey,
  type Question,
  questionOf,
  questionRows,
  recordRows,
  type Standing,
  signDecision,
  standingOf,
  stateText,
} from "../client/officer.js";
import type { KnownRecord, Party } from "../client/party.js";
import { recordOfKept } from "../client/recover.js";
import type { Core } from "../core/index.js";
import type { Officer, Signer } from "../escrow/index.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  type NamedParty,
  requireAuthority,
  withParty,
} from "./authority-io.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { outputFor, print } from "./io.js";
import { readMessage } from "./messages.js";
import { withOfficerKey } from "./officer-key.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { about } from "./report.js";
import { fileName, table } from "./text.js";

type Word = "approve" | "deny";

interface ApproveOptions extends AuthorityKeyOptions, PassphraseOptions, OutputOptions {
  key: string;
  identity: string;
  request?: string;
  submission?: string[];
  yes?: boolean;
}

/** A standing for people. */
export function describeStanding(core: Core, standing: Standing, output?: string): string {
  const records = recordRows(standing.records).map((cells) => ["", ...cells]);
  return `${table(questionRows(core, standing), output)}${table(records, output)}`;
}

async function sign(
  { core }: Party,
  decision: Word,
  question: Question,
  { officer, signer }: { officer: Officer; signer: Signer },
  { identity, yes }: ApproveOptions,
): Promise<string> {
  const verb = decision === "approve" ? "Approve" : "Deny";
  if (!yes) await confirm(`${verb} this request as ${officer.name}?`);
  return signDecision(core, question, signer, { decision, identity });
}

/** Reads an officer's key. @throws TwinwrapError NOT_ENTITLED if it is none of the policy's */
function officerOf({ policy }: Question, options: ApproveOptions) {
  return withOfficerKey(options.key, options, async (key) => {
    const officer = officerWithKey(policy, key.publicKey);
    return { officer, signer: key.signer(officer.name) };
  });
}

/** Where the authority can be asked: shows the request, signs, and hands the note in. The last approval releases. */
async function decideHere(
  party: NamedParty,
  decision: Word,
  id: string,
  options: ApproveOptions,
): Promise<void> {
  if (options.request !== undefined || options.submission !== undefined) {
    throw new UsageError("--request and --submission are for an authority that can't be asked");
  }
  const { output } = options;
  const write = await outputFor([], output, options);
  const standing = await standingOf(party, id);
  const officer = await officerOf(standing, options);
  print(describeStanding(party.core, standing, output), output);
  const note = await sign(party, decision, standing, officer, options);
  await write([toUtf8(note)]);
  print(table([["now", nowText(await handInDecision(party, id, note))]], output), output);
}

function nowText(standing: Standing): string {
  const state = stateText(standing);
  if (standing.status === "released") return `released: ${standing.records.length} records`;
  return state === "approved"
    ? `approved; the authority's key is locked, so \`twinwrap authority release ${standing.id}\` is next`
    : state;
}

/** Where the authority can't be asked: reads files, and writes the note into a file. */
async function decideAway(
  party: NamedParty,
  decision: Word,
  id: string,
  options: ApproveOptions,
): Promise<void> {
  const { request: path, submission: submissions = [] } = options;
  if (path === undefined) {
    throw new UsageError("this authority can't be asked: give --request FILE");
  }
  const known: KnownRecord[] = [];
  for (const submission of submissions) {
    const message = await readMessage(submission, "submission");
    known.push(await about(submission, async () => recordOfKept(party, message.submission)));
  }
  const { request } = await readMessage(path, "request");
  const question = await about(path, async () => questionOf(party, request, id, known));
  const officer = await officerOf(question, options);
  const output = options.output ?? `${question.id}.${fileName(officer.officer.name)}.approval`;
  const write = await outputFor([path, party.path, ...submissions], output, options);
  const records = carriedRows(question).map((cells) => ["", ...cells]);
  print(`${table(questionRows(party.core, question), output)}${table(records, output)}`, output);
  const note = await sign(party, decision, question, officer, options);
  await write([toUtf8(note)]);
  print(table([["written", output]]), output);
}

function decide(decision: Word) {
  return (id: string, options: ApproveOptions): Promise<void> =>
    withParty(
      requireAuthority(options),
      (party) =>
        party.client === undefined
          ? decideAway(party, decision, id, options)
          : decideHere(party, decision, id, options),
      options,
    );
}

function decideCommand(name: Word, summary: string): Command {
  const command = newCommand(
    name,
    summary,
    `twinwrap authority ${name} ID -k ann.pem --identity "passport, met in person"`,
  )
    .argument("<id>", "the whole ID, as the requester told it to you")
    .requiredOption("-k, --key <file>", "the officer's keys");
  if (name === "approve") {
    command.requiredOption("--identity <text>", "how you made sure who is asking, in one line");
  } else {
    command.option("--identity <text>", "why, in one line", "not established");
  }
  addOutputOptions(command, "also write the signed note there")
    .option("--request <file>", "the request, where the authority can't be asked")
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
