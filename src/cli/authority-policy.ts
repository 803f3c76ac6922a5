import { type Command, Option } from "commander";
import { readOfficerKey } from "../authority/ed25519.js";
import { nextPolicy, type PolicyState } from "../authority/policies.js";
import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  addSignature,
  type Officer,
  type Policy,
  type PolicySignatures,
  parsePolicy,
  parsePolicyText,
  policyHash,
  type Signer,
  signNote,
} from "../escrow/index.js";
import {
  type AuthorityOptions,
  authorityOption,
  loadAuthority,
  requireAuthority,
  withService,
} from "./authority-io.js";
import {
  addOfficersOptions,
  type OfficersOptions,
  officersOf,
  warnOfWaiting,
} from "./authority-officers.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { checkOutput, print, readSmall, writeOutput } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about, asUsage, forEachFile } from "./report.js";
import { formatFingerprint, formatKey, formatSeconds, safe, table } from "./text.js";

/** A policy for people. */
export function policyRows(policy: Policy): [string, string][] {
  const { officers, waiting } = policy;
  return [
    ["policy", `number ${policy.number}  ${formatFingerprint(policy.hash)}`],
    ["authority", safe(policy.authority)],
    ["releases", `with ${policy.release} of ${officers.length} officers`],
    ["changes", `with ${policy.change} of ${officers.length}`],
    ...(waiting === 0
      ? []
      : ([["waits", `${formatSeconds(waiting)}, unless ${policy.emergency} agree`]] as [
          [string, string],
        ])),
    ...officers.map(({ name, key, self }): [string, string] => [
      "officer",
      [`${safe(name)}  ${formatKey(key)}`, ...self.map(safe)].join("  is owner "),
    ]),
  ];
}

/** The officer whose key this is. @throws TwinwrapError NOT_ENTITLED */
export async function officerOf(
  policy: Policy,
  path: string,
  options: PassphraseOptions,
): Promise<{ officer: Officer; signer: Signer }> {
  return about(path, async () => {
    const pem = await readSmall(path);
    try {
      const key = await readOfficerKey(pem, unlockingOf(path, options));
      const officer = policy.officers.find((one) => equalBytes(one.key, key.publicKey));
      if (officer !== undefined) return { officer, signer: key.signer(officer.name) };
      throw new TwinwrapError(
        "NOT_ENTITLED",
        `this is no officer's key in policy ${policy.number}`,
      );
    } finally {
      pem.fill(0);
    }
  });
}

function signatureText({ officers, needed, complete }: PolicySignatures): string {
  if (complete) return "in force: everybody who has to has signed it";
  const signed = officers.length === 0 ? "nobody" : officers.map(safe).join(", ");
  return `not in force: signed by ${signed}; ${needed - officers.length} more to come`;
}

interface ChoiceOptions extends AuthorityOptions {
  policy?: string;
}

const isDraft = ({ row }: PolicyState) => row.leaf === undefined;

/** The policy that is meant: the one named, the only draft, or the newest. @throws UsageError */
function chosen(states: readonly PolicyState[], { policy: name }: ChoiceOptions): PolicyState {
  const drafts = states.filter(isDraft);
  if (name !== undefined) {
    const [one, ...others] = states.filter(({ policy }) => toHex(policy.hash).startsWith(name));
    if (one !== undefined && others.length === 0) return one;
    throw new UsageError(`--policy ${name} names ${one === undefined ? "none" : "several"}`);
  }
  if (drafts.length > 1) {
    const list = drafts.map(({ policy, signatures }) => {
      const signed = signatures.officers.map(safe).join(", ");
      return `${formatFingerprint(policy.hash).slice(0, 16)} (signed by ${signed})`;
    });
    throw new UsageError(`${drafts.length} drafts: choose one with --policy: ${list.join("; ")}`);
  }
  const last = states.at(-1);
  if (last === undefined) throw new TwinwrapError("FAULT", "the authority has no policy");
  return last;
}

/** Who decides about a policy: those of the one before it, about the first its own officers. */
function deciding(policy: Policy, inForce: readonly Policy[]): Policy {
  if (policy.number === 1) return policy;
  const before = inForce.find(({ number }) => number === policy.number - 1);
  if (before !== undefined && equalBytes(before.hash, policy.previous!)) return before;
  throw notVerified(
    `policy ${policy.number} follows another policy than number ${policy.number - 1} of this authority`,
  );
}

function inForceOf(states: readonly PolicyState[]): Policy[] {
  return states.filter((state) => !isDraft(state)).map(({ policy }) => policy);
}

async function show(options: ChoiceOptions & OutputOptions): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    const { row, policy, signatures } = chosen(await service.policies(), options);
    if (options.output !== undefined) {
      await checkOutput([], options.output, options);
      await writeOutput(options.output, [toUtf8(row.note)], { force: options.force ?? false });
    }
    const rows: [string, string][] = [...policyRows(policy), ["state", signatureText(signatures)]];
    print(table(rows), options.output);
  });
}

interface SignOptions extends ChoiceOptions, OutputOptions, PassphraseOptions {
  key: string;
  yes?: boolean;
}

async function sign(path: string | undefined, options: SignOptions): Promise<void> {
  if (path !== undefined) return signFile(path, options);
  await withService(requireAuthority(options), async (service) => {
    const states = await service.policies();
    const { row, policy, signatures } = chosen(states, options);
    if (signatures.complete) {
      throw new TwinwrapError("DUPLICATE", `policy ${policy.number} is in force already`);
    }
    const signer = await shownTo(policy, deciding(policy, inForceOf(states)), options);
    const note = await addSignature(await sharedCore(), row.note, signer);
    print(table([["state", signatureText(await service.takePolicy(note))]]));
  });
}

/** Shows a policy to an officer of those who decide about it. @returns who signs it */
async function shownTo(policy: Policy, before: Policy, options: SignOptions): Promise<Signer> {
  const { officer, signer } = await officerOf(before, options.key, options);
  print(table(policyRows(policy)), options.output);
  if (!options.yes) await confirm(`Sign this policy as ${safe(officer.name)}?`);
  return signer;
}

async function signFile(path: string, options: SignOptions): Promise<void> {
  const { output, authority } = options;
  if (output === undefined) throw new UsageError("give -o FILE for the signed policy");
  await checkOutput([path, ...(authority === undefined ? [] : [authority])], output, options);
  const { note } = await readMessage(path, "policy");
  const core = await sharedCore();
  const policy = parsePolicy(core, note);
  // The first one says itself who signs it; for a later one the authority has to be known.
  const inForce =
    policy.number === 1 ? [] : (await loadAuthority(requireAuthority(options))).authority.policies;
  const signer = await shownTo(policy, deciding(policy, inForce), options);
  const signed = await addSignature(core, note, signer);
  await writeOutput(output, [toUtf8(signed)], { force: options.force ?? false });
}

interface ProposeOptions extends SignOptions, OfficersOptions {
  remove?: string[];
}

async function propose(options: ProposeOptions): Promise<void> {
  const { officer, remove, quorum, waiting } = options;
  if ([officer, remove, quorum, waiting].every((change) => change === undefined)) {
    throw new UsageError("what shall change? Give --officer, --remove, --quorum or --waiting");
  }
  const add = await officersOf(options);
  await withService(requireAuthority(options), async (service) => {
    const before = await service.policy();
    if (before === undefined) {
      throw new TwinwrapError("NO_POLICY", "the first policy has to be signed by everybody before");
    }
    const text = await asUsage(() => nextPolicy(before, { add, remove, quorum, waiting }));
    const core = await sharedCore();
    const next = { ...parsePolicyText(text), hash: policyHash(core, text) };
    const note = await signNote(core, text, await shownTo(next, before, options));
    const signatures = await service.takePolicy(note);
    print(table([["state", signatureText(signatures)]]));
    warnOfWaiting(options);
  });
}

async function add(paths: string[], options: AuthorityOptions): Promise<void> {
  await withService(requireAuthority(options), (service) =>
    forEachFile(paths, async (path) => {
      const { note } = await readMessage(path, "policy");
      const signatures = await service.takePolicy(note);
      print(table([[safe(path), signatureText(signatures)]]));
    }),
  );
}

export function policyCommand(): Command {
  const showCommand = newCommand(
    "show",
    "Shows the newest policy, or the draft that is to follow it: who decides, and who has signed it.",
    "twinwrap authority policy show -o policy.note",
  );
  const signCommand = newCommand(
    "sign",
    "Signs the draft as an officer: about the first policy of its own officers, about a later one of those in force. A FILE of it on another machine goes into the file given with -o.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .argument("[file]", "a policy that came as a file")
    .requiredOption("-k, --key <file>", "the officer's keys");
  const proposeCommand = newCommand(
    "propose",
    "Drafts the policy that follows the one in force, and signs it. The officers in force sign it too; until enough have, nothing changes, and other drafts can stand beside it.",
    "twinwrap authority policy propose --remove cyd --officer dan=dan.pub.pem -k ann.pem",
  )
    .requiredOption("-k, --key <file>", "the officer's keys")
    .option("--officer <name=pub>", "an officer who joins, and his public keys (repeat)", collect)
    .option("--remove <name>", "an officer who leaves (repeat)", collect);
  addOfficersOptions(proposeCommand, "as before", "as before");
  const choice = () =>
    new Option("--policy <hash>", "which, if there are several: the first digits of its hash");
  return newCommand(
    "policy",
    "Who decides at an authority: shows the policy, changes it, signs it, takes what was signed elsewhere.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .addCommand(
      addPassphraseOptions(proposeCommand, "never ask for a passphrase")
        .option("--yes", "sign without asking")
        .addOption(authorityOption())
        .action(propose),
    )
    .addCommand(
      addOutputOptions(showCommand, "also write the policy's note there")
        .addOption(choice())
        .addOption(authorityOption())
        .action(show),
    )
    .addCommand(
      addPassphraseOptions(
        addOutputOptions(signCommand, "where the signed policy goes, with FILE"),
        "never ask for a passphrase",
      )
        .addOption(choice())
        .option("--yes", "sign without asking")
        .addOption(authorityOption())
        .action(sign),
    )
    .addCommand(
      newCommand(
        "add",
        "Takes policies that were signed elsewhere.",
        "twinwrap authority policy add policy.bob.note",
      )
        .argument("<file...>", "signed policies")
        .addOption(authorityOption())
        .action(add),
    );
}
