import type { Command } from "commander";
import { algorithmName, CALG_AES_256 } from "../blob/index.js";
import { equalBytes, toHex, wipe } from "../bytes.js";
import { importSimpleBlob } from "../capi/index.js";
import { receiptStatus } from "../client/escrow.js";
import { type Core, sharedCore } from "../core/index.js";
import { formatSerial, type Padding } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type BlobRecord,
  encodeReceipt,
  encodeSubmission,
  isProven,
  makeBlobSubmission,
  messageName,
  readBlobWrap,
  recordHash,
  type Submission,
} from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import { checkPublicKey } from "../keys/index.js";
import { outside } from "../text.js";
import { handInTo, isCarriedTo, type NamedParty, withParty } from "./authority-io.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  type PinOptions,
  pinOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addPassphraseOptions,
  allowWeakOption,
  integerBetween,
  jsonOption,
  newCommand,
  paddingOption,
  UsageError,
  wholeOption,
} from "./command.js";
import { writeSubmission } from "./escrow-io.js";
import { checkOutput, readSmall, STANDARD, tell } from "./io.js";
import { withPrivateKeyFile } from "./key-files.js";
import { type OwnerIdOptions, ownerIdFor, ownerIdOption } from "./owner-id.js";
import type { PassphraseOptions } from "./passphrase.js";
import { about, asUsage } from "./report.js";
import { inline } from "./text.js";

// Escrows the key of a program that does its own encryption: a SIMPLEBLOB that it exported for an authority.

interface SubmitOptions extends AuthorityKeyOptions, PinOptions, OwnerIdOptions, PassphraseOptions {
  description: string;
  serial?: string;
  key?: string;
  ownerBlob?: string;
  padding?: Padding;
  ownerPadding?: Padding;
  keyLength?: number;
  allowWeak?: boolean;
  force?: boolean;
  json?: boolean;
}

/** The padding of the blob, which does not say it itself. @throws UsageError */
function paddingFor({ identities }: Authority, { padding }: SubmitOptions): Padding {
  const [taken, ...others] = identities.at(-1)!.paddings;
  if (padding !== undefined) return padding;
  if (others.length === 0) return taken!;
  throw new UsageError("this authority takes blobs padded in several ways: --padding says how");
}

function cannotProve(path: string, what: string): TwinwrapError {
  return new TwinwrapError(
    "REFUSED",
    `${path}: ${what}, and only an AES-256 key can be proven: leave -k and --owner-blob out to send it as not proven`,
  );
}

/** What the options say about the key, besides its blob. */
type About = Omit<Parameters<typeof makeBlobSubmission>[1], "wrap" | "proof">;

/** Makes a submission of a proven key: opens the owner's blob with the owner's key. */
async function submitProven(
  core: Core,
  path: string,
  blob: { wrap: Submission["wrap"]; aiKeyAlg: number },
  said: About,
  options: SubmitOptions & { key: string; ownerBlob: string },
): Promise<Submission<BlobRecord>> {
  const { key: keyPath, ownerBlob: ownerPath, allowWeak = false } = options;
  if (blob.aiKeyAlg !== CALG_AES_256) {
    throw cannotProve(path, `it holds a ${algorithmName(blob.aiKeyAlg)} key`);
  }
  return withPrivateKeyFile(keyPath, options, async (privateKey) => {
    await about(keyPath, async () => checkPublicKey(privateKey, { allowWeak }));
    const ownerBlob = await readSmall(ownerPath);
    if (equalBytes(ownerBlob.subarray(0, blob.wrap.simpleBlob.length), blob.wrap.simpleBlob)) {
      throw new UsageError(`${path} and ${ownerPath} are the same blob`);
    }
    const padding = options.ownerPadding ?? blob.wrap.padding;
    const { aiKeyAlg, key: sessionKey } = await about(ownerPath, () =>
      importSimpleBlob(ownerBlob, privateKey, padding, { core }),
    );
    try {
      if (aiKeyAlg !== CALG_AES_256) {
        throw cannotProve(ownerPath, `it holds a ${algorithmName(aiKeyAlg)} key`);
      }
      const { wrap } = blob;
      return makeBlobSubmission(core, { ...said, wrap, proof: { sessionKey, ownerBlob } });
    } finally {
      wipe(sessionKey);
    }
  });
}

async function makeFor(
  path: string,
  party: NamedParty,
  options: SubmitOptions,
): Promise<Submission<BlobRecord>> {
  const { authority } = party;
  const core = await sharedCore();
  const padding = paddingFor(authority, options);
  const bytes = await readSmall(path);
  const blob = await about(path, () => readBlobWrap(core, bytes, authority.wrapKey, padding));
  const { description, serial: label, keyLength, key, ownerBlob } = options;
  const owner = await ownerIdFor(options, [party]);
  const said = { authority: authority.origin, owner, description, label, keyLength };
  return asUsage(() => {
    if (key !== undefined && ownerBlob !== undefined) {
      return submitProven(core, path, blob, said, { ...options, key, ownerBlob });
    }
    return makeBlobSubmission(core, { ...said, wrap: blob.wrap });
  });
}

/** What became of a submission, and the files that were written. */
interface Delivered {
  status: "verified" | "unverified" | "unproven" | "pending";
  submission: string;
  receipt?: string;
}

/** The authority has one error for everything that can be wrong with a blob. This says what that can be. */
function withReason(path: string, error: unknown): unknown {
  if (!(error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED")) return error;
  return new TwinwrapError(
    "DECRYPTION_FAILED",
    `${path}: the authority does not find the owner's key in it: it holds another one, is for another public key, or was padded otherwise`,
  );
}

/** Hands a submission in. If the authority answers, submission and receipt are written, or neither. */
async function deliver(
  path: string,
  party: NamedParty,
  submission: Submission<BlobRecord>,
  options: SubmitOptions,
): Promise<Delivered> {
  const receipt = await about(path, () => handInTo(party, submission)).catch((error) => {
    throw withReason(path, error);
  });
  if (receipt === undefined) return writeSubmission(path, party, submission, options);
  const names = {
    submission: messageName(path, party.authority, "submission"),
    receipt: messageName(path, party.authority, "receipt"),
  };
  const force = options.force ?? false;
  try {
    await writeFilesWhole([
      { path: names.submission, content: [encodeSubmission(submission)], force },
      { path: names.receipt, content: [encodeReceipt(receipt)], force },
    ]);
  } catch (error) {
    const serial = formatSerial(submission.record.serial);
    if (error instanceof Error) {
      error.message = `the authority has taken it in as ${serial}, but: ${error.message}`;
    }
    throw error;
  }
  const status = isProven(submission.record) ? receiptStatus(receipt) : "unproven";
  return { status, ...names };
}

function checkOptions(path: string, options: SubmitOptions): void {
  if (path === STANDARD) {
    throw new UsageError("what is sent is written beside the blob: give its name, not -");
  }
  const { key, ownerBlob, ownerPadding } = options;
  if ((key === undefined) !== (ownerBlob === undefined)) {
    throw new UsageError("-k and --owner-blob prove the key together: give both, or neither");
  }
  if (ownerPadding !== undefined && ownerBlob === undefined) {
    throw new UsageError("--owner-padding is for --owner-blob");
  }
}

async function submit(path: string, options: SubmitOptions): Promise<void> {
  checkOptions(path, options);
  const work = (party: NamedParty) => submitTo(party, path, options);
  await withParty(requireAuthority(options), work, { ...options, mayBeAway: true });
}

async function submitTo(party: NamedParty, path: string, options: SubmitOptions): Promise<void> {
  const inputs = [path, options.ownerBlob, options.authority];
  for (const kind of party.client === undefined ? MESSAGES.slice(0, 1) : MESSAGES) {
    await checkOutput(
      inputs.filter((input) => input !== undefined),
      messageName(path, party.authority, kind),
      options,
    );
  }
  const made = await makeFor(path, party, options);
  const delivered = await deliver(path, party, made, options);
  const { record } = made;
  const { label, keyLength, aiKeyAlg } = record.blob;
  const facts = {
    blob: path,
    serial: formatSerial(record.serial),
    label,
    record: toHex(recordHash(party.core, record)),
    owner: record.owner,
    algorithm: algorithmName(aiKeyAlg),
    keyLength,
    proven: isProven(record),
    authority: party.authority.origin,
    ...delivered,
  };
  const { algorithm, proven } = facts;
  tell(options, facts, [
    ["serial", facts.serial],
    ...(label === undefined ? [] : [["label", outside(label)]]),
    ["key", `${algorithm}, ${keyLength} bytes: ${proven ? "proven" : "key not proven"}`],
    ["owner", outside(facts.owner)],
    ["escrow", deliveredText(delivered, party)],
    ["kept in", delivered.submission],
    ...(delivered.receipt === undefined ? [] : [["receipt", delivered.receipt]]),
  ]);
}

const MESSAGES = ["submission", "receipt"] as const;

function deliveredText({ status, submission }: Delivered, party: NamedParty): string {
  const origin = inline(party.authority.origin);
  if (status === "pending" && !isCarriedTo(party)) {
    return `pending: run \`twinwrap escrow flush ${submission}\``;
  }
  if (status === "pending") return `pending: carry ${submission} to ${origin}`;
  if (status === "unproven") return `taken in by ${origin}; nobody can tell whether it opens`;
  return `${status} by ${origin}`;
}

export function submitCommand(): Command {
  const command = newCommand(
    "submit",
    "Sends an authority the key of a program that does its own encryption: the SIMPLEBLOB that it exported under the authority's public key.",
    'twinwrap escrow submit backup.simpleblob --authority authority.json --owner-id alice --description "Ledger" --serial 4711 -k alice.pem --owner-blob alice.simpleblob',
  )
    .argument("<blob>", "SIMPLEBLOB for the authority")
    .requiredOption("--description <text>", "what the key is for")
    .option("--serial <text>", "the program's own serial number, kept as a label beside ours")
    .option("-k, --key <file>", "the owner's private key: with --owner-blob it proves the key")
    .option("--owner-blob <file>", "the SIMPLEBLOB of the same key that the owner keeps")
    .addOption(
      paddingOption(
        "--padding <padding>",
        "how the blob was padded (default: as the authority takes it, if that is one way)",
      ),
    )
    .addOption(
      paddingOption(
        "--owner-padding <padding>",
        "how the owner's blob was padded (default: as the other)",
      ),
    )
    .option("--key-length <n>", "bytes of an RC2 or RC4 key (default: 16)", integerBetween(1, 128))
    .addOption(ownerIdOption())
    .option("--force", "replace files that are there");
  addPassphraseOptions(command, "never ask for a passphrase").addOption(allowWeakOption());
  return addAuthorityKeyOption(command)
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(submit);
}
