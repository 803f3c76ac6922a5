import type { Command } from "commander";
import { toUtf8 } from "../bytes.js";
import {
  type GivenFile,
  handInDecision,
  officerWithKey,
  type Question,
  questionOf,
  shortRows,
  signDecision,
  standingOf,
} from "../client/officer.js";
import type { KnownRecord, Party } from "../client/party.js";
import { recordOfKept } from "../client/recover.js";
import type { Head } from "../envelope/index.js";
import { type Officer, type Signer, submissionsOf } from "../escrow/index.js";
import { type NamedParty, withParty } from "./authority-io.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  type PinOptions,
  pinOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
  wholeOption,
} from "./command.js";
import { outputFor, outputText, print, STANDARD, tell } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { readKept } from "./recover-records.js";
import { about } from "./report.js";
import { readSealed } from "./sealed.js";
import { withOfficerKey } from "./signing-key-file.js";
import { describeQuestion, nowText, questionFacts, standingFacts } from "./standing.js";
import { fileName, inline, table } from "./text.js";

type Word = "approve" | "deny";

interface ApproveOptions extends AuthorityKeyOptions, PinOptions, PassphraseOptions, OutputOptions {
  key: string;
  identity: string;
  request?: string;
  submission?: string[];
  file?: string[];
  json?: boolean;
  yes?: boolean;
}

/** What the officer has to know, and the question last: nothing that is printed before can stand in its place. */
async function sign(
  { core }: Party,
  decision: Word,
  question: Question,
  { officer, signer }: { officer: Officer; signer: Signer },
  { identity, yes }: ApproveOptions,
): Promise<string> {
  const verb = decision === "approve" ? "Approve" : "Deny";
  if (!yes) {
    const about = table(shortRows(core, question), STANDARD);
    await confirm(`${verb} this request as ${inline(officer.name)}?`, about);
  }
  return signDecision(core, question, signer, { decision, identity });
}

/** Shows what is asked. Machines get it at the end, together with what became of it. */
function showQuestion(
  { core }: Party,
  question: Question,
  files: readonly GivenFile[],
  { json, yes, output }: ApproveOptions,
): void {
  if (json && yes) return;
  const where = json ? STANDARD : output;
  print(describeQuestion(core, question, files, where), where);
}

/** The sealed files that the officer was given. */
async function readGiven(paths: readonly string[]): Promise<{ path: string; head: Head }[]> {
  const files: { path: string; head: Head }[] = [];
  for (const path of paths) files.push({ path, head: await about(path, () => readSealed(path)) });
  return files;
}

const given = (files: readonly { path: string; head: Head }[]): GivenFile[] =>
  files.map(({ path, head }) => ({ path, header: head.header }));

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
  const { output, file = [] } = options;
  const write = await outputFor(file, output, options);
  const standing = await standingOf(party, id);
  const files = given(await readGiven(file));
  const officer = await officerOf(standing, options);
  showQuestion(party, standing, files, options);
  const note = await sign(party, decision, standing, officer, options);
  const now = await handInDecision(party, id, note);
  // A decision that the authority refuses is not kept: it may never come back.
  await write([toUtf8(note)]);
  const facts = { decision, officer: officer.officer.name, ...standingFacts(now, files) };
  tell(options, facts, [["now", nowText(now)]], output);
}

/** Where the authority can't be asked: reads files, and writes the note into a file. */
async function decideAway(
  party: NamedParty,
  decision: Word,
  id: string,
  options: ApproveOptions,
): Promise<void> {
  const { request: path, submission: submissions = [], file = [] } = options;
  if (path === undefined) {
    throw new UsageError("this authority can't be asked: give --request FILE");
  }
  const known: KnownRecord[] = await readKept(submissions, party);
  const read = await readGiven(file);
  for (const { head } of read) {
    const held = submissionsOf(party.core, head, party.authority.origin);
    known.push(...held.map(({ submission }) => recordOfKept(party, submission)));
  }
  const files = given(read);
  const { request } = await readMessage(path, "request");
  const question = await about(path, async () => questionOf(party, request, id, known));
  const officer = await officerOf(question, options);
  const output = options.output ?? `${question.id}.${fileName(officer.officer.name)}.approval`;
  const inputs = [path, party.path, ...submissions, ...file];
  const write = await outputFor(inputs, output, options);
  showQuestion(party, question, files, { ...options, output });
  const note = await sign(party, decision, question, officer, options);
  await write([toUtf8(note)]);
  const { name } = officer.officer;
  const facts = { decision, officer: name, ...questionFacts(question, files), written: output };
  tell(options, facts, [["written", outputText(output)]], output);
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
    name === "approve"
      ? 'twinwrap authority approve ID -k ann.pem --identity "passport, met in person"'
      : 'twinwrap authority deny ID -k ann.pem --identity "nobody knows who asks"',
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
    .option(
      "--file <sealed>",
      "a sealed file, to have its name shown with its record (repeat)",
      collect,
    )
    .option("--yes", "sign without asking");
  return addAuthorityKeyOption(addPassphraseOptions(command, "never ask for a passphrase"))
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
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
