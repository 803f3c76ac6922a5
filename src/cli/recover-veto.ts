import type { Command } from "commander";
import { toUtf8 } from "../bytes.js";
import {
  handInVeto,
  type Question,
  questionOf,
  shortRows,
  standingFor,
} from "../client/officer.js";
import type { Party } from "../client/party.js";
import { signVeto } from "../escrow/index.js";
import { type NamedParty, withParty } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type PinOptions,
  pinOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
  wholeOption,
} from "./command.js";
import { outputFor, outputText, print, STANDARD, tell } from "./io.js";
import { readMessage } from "./messages.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { about } from "./report.js";
import { withControlKey } from "./signing-key-file.js";
import { describeQuestion, nowText, questionFacts, standingFacts } from "./standing.js";
import { fileName, inline, table } from "./text.js";

// An owner's word against a request for their records.

interface VetoOptions
  extends AuthorityOptions,
    PinOptions,
    PassphraseOptions,
    OutputOptions,
    OwnerIdOptions {
  control: string;
  request?: string;
  yes?: boolean;
  json?: boolean;
}

/** Shows what is asked for, asks, and signs. The question comes last. */
async function sign(
  { core }: Party,
  question: Question,
  owner: string,
  { control, yes, json, output, ...options }: VetoOptions,
): Promise<string> {
  return withControlKey(control, options, async (key) => {
    const where = json ? STANDARD : output;
    if (!json || !yes) print(describeQuestion(core, question, [], where), where);
    if (!yes) {
      const lines = table(shortRows(core, question), STANDARD);
      await confirm(`Veto this request as ${inline(owner)}?`, lines);
    }
    return signVeto(core, key.signer(owner), question.request);
  });
}

/** Where the authority can be asked: signs, and hands the veto in. */
async function vetoHere(party: NamedParty, id: string, options: VetoOptions): Promise<void> {
  const { request, control, output } = options;
  if (request !== undefined) {
    throw new UsageError("--request is for an authority that can't be asked");
  }
  const owner = await ownerIdFor(options, [party]);
  const write = await outputFor([control], output, options);
  const note = await sign(party, await standingFor(party, id, owner), owner, options);
  const now = await handInVeto(party, id, note);
  // A veto that the authority refuses is not kept.
  await write([toUtf8(note)]);
  tell(options, { owner, ...standingFacts(now) }, [["now", nowText(now)]], output);
}

/** Where it can't be asked: reads the request from a file, and writes the veto into one. */
async function vetoAway(party: NamedParty, id: string, options: VetoOptions): Promise<void> {
  const { request: path, control } = options;
  if (path === undefined) {
    throw new UsageError("this authority can't be asked: give --request FILE");
  }
  const owner = await ownerIdFor(options, [party]);
  const { request } = await readMessage(path, "request");
  const question = await about(path, async () => questionOf(party, request, id));
  const output = options.output ?? `${question.id}.${fileName(owner)}.veto`;
  const write = await outputFor([path, party.path, control], output, options);
  const note = await sign(party, question, owner, { ...options, output });
  await write([toUtf8(note)]);
  const next = `carry ${outputText(output)} to the authority: it does nothing before`;
  const facts = { owner, ...questionFacts(question, []), written: output };
  tell(
    options,
    facts,
    [
      ["written", outputText(output)],
      ["next", next],
    ],
    output,
  );
}

function veto(id: string, options: VetoOptions): Promise<void> {
  const work = (party: NamedParty) =>
    party.client === undefined ? vetoAway(party, id, options) : vetoHere(party, id, options);
  return withParty(requireAuthority(options), work, { fingerprint: options.fingerprint });
}

export function vetoCommand(): Command {
  const command = newCommand(
    "veto",
    "Shows what a request asks for, and vetoes it as an enrolled owner: from then on only the emergency number of officers can release it.",
    "twinwrap recover veto ID --control control.pem --owner-id olivia --authority backup",
  )
    .argument("<id>", "the request's ID")
    .requiredOption("--control <file>", "your control key");
  addOutputOptions(command, "where the signed veto goes (default, to be carried: ID.OWNER.veto)")
    .addOption(ownerIdOption())
    .option("--request <file>", "the request, where the authority can't be asked")
    .option("--yes", "sign without asking");
  return addPassphraseOptions(command, "never ask for a passphrase")
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(veto);
}
