import { type Command, Option } from "commander";
import { nextPolicy } from "../authority/policies.js";
import { toUtf8 } from "../bytes.js";
import { policyInForce } from "../client/officer.js";
import type { Party } from "../client/party.js";
import {
  decidingPolicy,
  isNamed,
  newestNote,
  officerKeys,
  type PolicyChange,
  type PolicyState,
  policyChanges,
  policyStates,
  signingOfficer,
  stateOfPolicy,
} from "../client/policy.js";
import { type Core, sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  addSignature,
  type OwnersRule,
  type Policy,
  type PolicySignatures,
  parsePolicy,
  parsePolicyText,
  policyHash,
  type Signer,
  signNote,
  type UnprovenRule,
} from "../escrow/index.js";
import { type Cell, outside } from "../text.js";
import { clientOf, loadAuthority, type NamedParty, withParty } from "./authority-io.js";
import {
  addOfficersOptions,
  type OfficersOptions,
  officersOf,
  warnOfWaiting,
} from "./authority-officers.js";
import {
  type AuthorityOptions,
  authorityOption,
  type PinOptions,
  pinOption,
  type ReadingOptions,
  readOnlyOption,
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
import { outputFor, print, STANDARD, tell } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions } from "./passphrase.js";
import { asUsage, forEachFile } from "./report.js";
import { withOfficerKey } from "./signing-key-file.js";
import { formatFingerprint, formatSeconds, inline, table } from "./text.js";

const RULE_TEXTS: Record<OwnersRule | UnprovenRule, string> = {
  open: "open: anybody's records are taken",
  enrolled: "enrolled: only records of owners who are enrolled are taken",
  refused: "refused: keys that nobody proves are not taken",
  taken: "taken: also keys that nobody proves",
};

/** A policy for people. */
export function policyRows(core: Core, policy: Policy): [string, Cell][] {
  const { officers, waiting, emergency } = policy;
  const count = officers.length;
  return [
    ["policy", `number ${policy.number}  ${formatFingerprint(policy.hash)}`],
    ["authority", outside(policy.authority)],
    ["releases", `with ${policy.release} of ${count} officers`],
    ["changes", `with ${policy.change} of ${count}`],
    ["emergency", `${emergency} of ${count}`],
    [
      "waits",
      waiting === 0 ? "not at all" : `${formatSeconds(waiting)}, unless ${emergency} agree`,
    ],
    ["owners", RULE_TEXTS[policy.owners]],
    ["unproven", RULE_TEXTS[policy.unproven]],
    ...officers.flatMap((officer): [string, Cell][] => {
      const { key, share } = officerKeys(core, officer);
      return [
        ["officer", `${inline(officer.name)}  ${key}`],
        ["", `shares for ${share}`],
        ...officer.self.map((id): [string, Cell] => ["", outside(`is owner ${id}`)]),
      ];
    }),
  ];
}

/** What a policy changes, for people. @param before undefined for the first policy */
function changeRows(core: Core, before: Policy | undefined, policy: Policy): [string, Cell][] {
  if (before === undefined) return [["compared", "with none: it is the first policy"]];
  const changes = policyChanges(core, before, policy);
  const none = changes.length === 0 ? ": nothing differs" : "";
  return [
    ["compared", `with policy ${before.number}${none}`],
    ...changes.map((change): [string, Cell] => [`  ${CHANGES[change.what]}`, changeText(change)]),
  ];
}

const CHANGES: Record<PolicyChange["what"], string> = {
  officer: "officer",
  key: "signs with",
  share: "shares for",
  self: "is owner",
  release: "releases",
  change: "changes",
  emergency: "emergency",
  waiting: "waits",
  owners: "owners",
  unproven: "unproven",
};

function changeText({ what, officer, before, after }: PolicyChange): Cell {
  const whose = officer === undefined ? "" : `${inline(officer)}: `;
  if (what === "officer") return `${whose}${before === undefined ? "joins" : "leaves"}`;
  if (what === "self") return outside(`${whose}${after ?? `${before} no more`}`);
  const text = (value: string) => (what === "waiting" ? formatSeconds(Number(value)) : value);
  if (before === undefined) return `${whose}${text(after!)}`;
  if (after === undefined) return `${whose}${text(before)} no more`;
  return `${whose}${text(after)}, before ${text(before)}`;
}

/** What a policy asks for, for machines. */
export function ruleFacts(policy: Policy) {
  const { number, hash, release, change, emergency, waiting, owners, unproven } = policy;
  const name = formatFingerprint(hash);
  return { number, hash: name, release, change, emergency, waiting, owners, unproven };
}

/** The same for machines. */
function policyFacts(core: Core, before: Policy | undefined, policy: Policy) {
  const { authority, officers } = policy;
  return {
    authority,
    ...ruleFacts(policy),
    officers: officers.map((officer) => ({
      name: officer.name,
      ...officerKeys(core, officer),
      self: officer.self,
    })),
    changes: before && policyChanges(core, before, policy),
  };
}

/** The policy before one of this authority; undefined for the first. @throws TwinwrapError NOT_VERIFIED */
function predecessor(authority: Authority, policy: Policy): Policy | undefined {
  return policy.number === 1 ? undefined : decidingPolicy(authority, policy);
}

/** Who has signed a policy, and whether it is in force. */
export function signatureText({
  officers,
  needed,
  joining,
  complete,
  waiting,
}: PolicySignatures): string {
  if (complete && waiting > 0) {
    return `announced: it is weaker than the one before, so it waits ${formatSeconds(waiting)}, or for the emergency number of officers`;
  }
  if (complete) return "in force: everybody who has to has signed it";
  const signed = officers.length === 0 ? "nobody" : officers.map(inline).join(", ");
  const more = Math.max(0, needed - officers.length);
  const others = joining.map((name) => `, and ${inline(name)}, who has a new key`).join("");
  return `not in force: signed by ${signed}; ${more} more to come${others}`;
}

interface ChoiceOptions extends AuthorityOptions {
  policy?: string;
}

/** Chooses a policy: the one that is named, or else the only draft, or else the newest. @throws UsageError */
function chosen(states: readonly PolicyState[], { policy: name }: ChoiceOptions): PolicyState {
  const drafts = states.filter(({ isDraft }) => isDraft);
  if (name !== undefined) {
    const [one, ...others] = states.filter((state) => isNamed(state, name));
    if (one !== undefined && others.length === 0) return one;
    throw new UsageError(`--policy ${name} names ${one === undefined ? "none" : "several"}`);
  }
  if (drafts.length > 1) {
    const list = drafts
      .map(({ policy, signatures }) => {
        const signed = signatures.officers.map(inline).join(", ");
        return { signed, hash: formatFingerprint(policy.hash).slice(0, 16) };
      })
      // Drafts have no order of their own.
      .sort((a, b) => (a.signed < b.signed ? -1 : 1))
      .map(({ signed, hash }) => `${hash} (signed by ${signed})`);
    throw new UsageError(`${drafts.length} drafts: choose one with --policy: ${list.join("; ")}`);
  }
  const last = states.at(-1);
  if (last === undefined) throw new TwinwrapError("FAULT", "the authority has no policy");
  return last;
}

async function show(
  options: ChoiceOptions & ReadingOptions & OutputOptions & { json?: boolean },
): Promise<void> {
  const work = async (party: NamedParty) => {
    clientOf(party);
    const { core, authority } = party;
    const { note, policy, signatures } = chosen(await policyStates(party), options);
    const before = predecessor(authority, policy);
    const { output } = options;
    const write = await outputFor([], output, options);
    await write([toUtf8(note)]);
    const rows: [string, Cell][] = [
      ...policyRows(core, policy),
      ...changeRows(core, before, policy),
      ["state", signatureText(signatures)],
    ];
    const { officers: signed, needed, complete } = signatures;
    const facts = { ...policyFacts(core, before, policy), signed, needed, complete };
    tell(options, facts, rows, output);
  };
  await withParty(requireAuthority(options), work, { readOnly: options.readOnly });
}

interface SignOptions extends ChoiceOptions, PinOptions, OutputOptions, PassphraseOptions {
  key: string;
  yes?: boolean;
  json?: boolean;
}

async function sign(path: string | undefined, options: SignOptions): Promise<void> {
  if (path !== undefined) return signFile(path, options);
  const work = async (party: NamedParty) => {
    const client = clientOf(party);
    const { core, authority } = party;
    const { note, policy, signatures } = chosen(await policyStates(party), options);
    if (signatures.complete && signatures.waiting === 0) {
      throw new TwinwrapError("DUPLICATE", `policy ${policy.number} is in force already`);
    }
    const signer = await shownTo(core, policy, predecessor(authority, policy), options);
    const taken = await client.takePolicy(await addSignature(core, note, signer));
    await tellState(party, taken, options);
  };
  await withParty(requireAuthority(options), work, { fingerprint: options.fingerprint });
}

/** Tells who has signed a policy, and whether it is in force. */
async function tellState(
  { core, authority }: Party,
  note: string,
  options: { json?: boolean | undefined },
  name = "state",
): Promise<void> {
  const { policy, signatures } = await stateOfPolicy(core, authority, note);
  const { officers: signed, needed, complete } = signatures;
  const before = predecessor(authority, policy);
  const facts = { ...policyFacts(core, before, policy), signed, needed, complete };
  tell(options, facts, [[outside(name), signatureText(signatures)]]);
}

/**
 * Shows a policy to an officer who decides about it, and what it changes.
 * @param before the policy whose officers decide; the first policy's decide themselves
 * @returns the officer's signer
 */
async function shownTo(
  core: Core,
  policy: Policy,
  before: Policy | undefined,
  options: SignOptions,
): Promise<Signer> {
  return withOfficerKey(options.key, options, async (key) => {
    const officer = signingOfficer(policy, before, key.publicKey);
    const { json, yes, output } = options;
    const where = json ? STANDARD : output;
    const rows = [...policyRows(core, policy), ...changeRows(core, before, policy)];
    if (!json || !yes) print(table(rows, where), where);
    if (!yes) await confirm(`Sign this policy as ${inline(officer.name)}?`);
    return key.signer(officer.name);
  });
}

async function signFile(path: string, options: SignOptions): Promise<void> {
  const { output, authority } = options;
  if (output === undefined) throw new UsageError("give -o FILE for the signed policy");
  const inputs = [path, authority].filter((input) => input !== undefined);
  const write = await outputFor(inputs, output, options);
  const { note } = await readMessage(path, "policy");
  const core = await sharedCore();
  const policy = parsePolicy(core, note);
  // The first policy names its own signers. For a later one, the authority has to be known.
  const before =
    policy.number === 1
      ? undefined
      : decidingPolicy(await loadAuthority(requireAuthority(options), options), policy);
  const signer = await shownTo(core, policy, before, options);
  const signed = await addSignature(core, note, signer);
  await write([toUtf8(signed)]);
  if (options.json) {
    tell(options, { ...policyFacts(core, before, policy), written: output }, [], output);
  }
}

interface ProposeOptions extends SignOptions, OfficersOptions {
  remove?: string[];
}

async function propose(options: ProposeOptions): Promise<void> {
  const { officer, remove, quorum, waiting, owners, unproven } = options;
  if (
    [officer, remove, quorum, waiting, owners, unproven].every((change) => change === undefined)
  ) {
    throw new UsageError(
      "what is to change? Give --officer, --remove, --quorum, --waiting, --owners or --unproven",
    );
  }
  const add = await officersOf(options);
  await withParty(requireAuthority(options), async (party) => {
    const client = clientOf(party);
    const { core, authority } = party;
    const before = policyInForce(authority);
    const text = await asUsage(() =>
      nextPolicy(before, newestNote(authority), { add, remove, quorum, waiting, owners, unproven }),
    );
    const next = { ...parsePolicyText(text), hash: policyHash(core, text) };
    const note = await signNote(core, text, await shownTo(core, next, before, options));
    await tellState(party, await client.takePolicy(note), options);
    warnOfWaiting(options);
  });
}

async function add(paths: string[], options: AuthorityOptions): Promise<void> {
  await withParty(requireAuthority(options), (party) =>
    forEachFile(paths, async (path) => {
      const client = clientOf(party);
      const { note } = await readMessage(path, "policy");
      await tellState(party, await client.takePolicy(note), {}, path);
    }),
  );
}

function policyOption(): Option {
  return new Option("--policy <hash>", "which, if there are several: the first digits of its hash");
}

function showCommand(): Command {
  const command = newCommand(
    "show",
    "Shows the newest policy, or the draft that is to follow it: who decides, and who has signed it.",
    "twinwrap authority policy show -o policy.note",
  );
  return addOutputOptions(command, "also write the policy's note there")
    .addOption(policyOption())
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(show);
}

function signCommand(): Command {
  const command = newCommand(
    "sign",
    "Signs the draft as an officer: the first policy as one of its own officers, a later one as one of those in force, or as one who joins. A FILE of it on another machine goes into the file given with -o.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .argument("[file]", "a policy that came as a file")
    .requiredOption("-k, --key <file>", "the officer's keys");
  addOutputOptions(command, "where the signed policy goes, with FILE");
  return addPassphraseOptions(command, "never ask for a passphrase")
    .addOption(policyOption())
    .option("--yes", "sign without asking")
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(sign);
}

function proposeCommand(): Command {
  const command = newCommand(
    "propose",
    "Drafts the policy that follows the one in force, and signs it. The officers in force sign it too; until enough have, nothing changes, and other drafts can stand beside it.",
    "twinwrap authority policy propose --remove cyd --officer dan=dan.pub.pem -k ann.pem",
  )
    .requiredOption("-k, --key <file>", "the officer's keys")
    .option("--officer <name=pub>", "an officer who joins, and their public keys (repeat)", collect)
    .option("--remove <name>", "an officer who leaves (repeat)", collect);
  addOfficersOptions(command, {
    quorum: "as before",
    waiting: "as before",
    owners: "as before",
    unproven: "as before",
  });
  return addPassphraseOptions(command, "never ask for a passphrase")
    .option("--yes", "sign without asking")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(propose);
}

function addCommand(): Command {
  return newCommand(
    "add",
    "Takes policies that were signed elsewhere.",
    "twinwrap authority policy add policy.bob.note",
  )
    .argument("<file...>", "signed policies")
    .addOption(authorityOption())
    .action(add);
}

export function policyCommand(): Command {
  return newCommand(
    "policy",
    "Who decides at an authority: shows the policy, changes it, signs it, takes what was signed elsewhere.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .addCommand(proposeCommand())
    .addCommand(showCommand())
    .addCommand(signCommand())
    .addCommand(addCommand());
}
