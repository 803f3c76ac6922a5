import type { Command } from "commander";
import { readOfficerKey } from "../authority/ed25519.js";
import type { PolicyState } from "../authority/policies.js";
import { equalBytes, toUtf8 } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  addSignature,
  type Officer,
  type Policy,
  type PolicySignatures,
  parsePolicy,
  type Signer,
} from "../escrow/index.js";
import {
  type AuthorityOptions,
  authorityOption,
  requireAuthority,
  withService,
} from "./authority-io.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { checkOutput, print, readSmall, writeOutput } from "./io.js";
import { readMessage } from "./messages.js";
import { confirm, type PassphraseOptions, passphraseFor } from "./passphrase.js";
import { about, forEachFile } from "./report.js";
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

/** The officer whose key this is. @throws TwinwrapError REFUSED */
export async function officerOf(
  policy: Policy,
  path: string,
  options: PassphraseOptions,
): Promise<{ officer: Officer; signer: Signer }> {
  return about(path, async () => {
    const pem = await readSmall(path);
    try {
      const key = await readOfficerKey(pem, { passphrase: passphraseFor(path, options) });
      const officer = policy.officers.find((one) => equalBytes(one.key, key.publicKey));
      if (officer !== undefined) return { officer, signer: key.signer(officer.name) };
      throw new TwinwrapError("REFUSED", `this is no officer's key in policy ${policy.number}`);
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

function newest(states: readonly PolicyState[]): PolicyState {
  const last = states.at(-1);
  if (last === undefined) throw new TwinwrapError("FAULT", "the authority has no policy");
  return last;
}

async function show(options: AuthorityOptions & OutputOptions): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    const { row, policy, signatures } = newest(await service.policies());
    if (options.output !== undefined) {
      await checkOutput([], options.output, options);
      await writeOutput(options.output, [toUtf8(row.note)], { force: options.force ?? false });
    }
    const rows: [string, string][] = [...policyRows(policy), ["state", signatureText(signatures)]];
    print(table(rows), options.output);
  });
}

interface SignOptions extends AuthorityOptions, OutputOptions, PassphraseOptions {
  key: string;
  yes?: boolean;
}

async function sign(path: string | undefined, options: SignOptions): Promise<void> {
  if (path !== undefined) return signFile(path, options);
  await withService(requireAuthority(options), async (service) => {
    const { row, policy, signatures } = newest(await service.policies());
    if (signatures.complete) {
      throw new TwinwrapError("REFUSED", `policy ${policy.number} is in force already`);
    }
    const note = await signShown(row.note, policy, options);
    print(table([["state", signatureText(await service.takePolicy(note))]]));
  });
}

/** Shows a policy and signs it. */
async function signShown(note: string, policy: Policy, options: SignOptions): Promise<string> {
  const { officer, signer } = await officerOf(policy, options.key, options);
  print(table(policyRows(policy)), options.output);
  if (!options.yes) await confirm(`Sign this policy as ${safe(officer.name)}?`);
  return addSignature(await sharedCore(), note, signer);
}

async function signFile(path: string, options: SignOptions): Promise<void> {
  const { output } = options;
  if (output === undefined) throw new UsageError("give -o FILE for the signed policy");
  await checkOutput([path, options.key], output, options);
  const { note } = await readMessage(path, "policy");
  const policy = parsePolicy(await sharedCore(), note);
  const signed = await signShown(note, policy, options);
  await writeOutput(output, [toUtf8(signed)], { force: options.force ?? false });
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
    "Shows the newest policy: who decides, and who has signed it.",
    "twinwrap authority policy show -o policy.note",
  );
  const signCommand = newCommand(
    "sign",
    "Signs the newest policy as an officer; a FILE of it on another machine, into the file given with -o.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .argument("[file]", "a policy that came as a file")
    .requiredOption("-k, --key <file>", "the officer's keys");
  return newCommand(
    "policy",
    "Who decides at an authority: shows the policy, signs it, takes what was signed elsewhere.",
    "twinwrap authority policy sign -k ann.pem",
  )
    .addCommand(
      addOutputOptions(showCommand, "also write the policy's note there")
        .addOption(authorityOption())
        .action(show),
    )
    .addCommand(
      addPassphraseOptions(
        addOutputOptions(signCommand, "where the signed policy goes, with FILE"),
        "never ask for a passphrase",
      )
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
