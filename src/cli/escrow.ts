import type { Command } from "commander";
import { equalBytes, toHex } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { amendFile, rewrapFile } from "../envelope/file.node.js";
import {
  attachReceipt,
  type HeldSubmission,
  provenSubmissions,
  statusText,
  submissionsOf,
} from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import { fingerprint, publicKeyOf, type RsaPrivateKey } from "../keys/index.js";
import {
  addAuthorityKeyOption,
  authorityOption,
  requireAuthority,
  withGiven,
} from "./authority-io.js";
import { addKeyOptions, jsonOption, type KeyOptions, newCommand } from "./command.js";
import {
  Escrower,
  handIn,
  readTargets,
  receiptStatus,
  type Sent,
  sentRows,
  type Target,
  writeSubmission,
} from "./escrow-io.js";
import { scan, UNCHECKED } from "./escrow-scan.js";
import { submitCommand } from "./escrow-submit.js";
import { checkInPlace, print, printJson, warn, withPrivateKeyFile } from "./io.js";
import { readMessage, readSealed } from "./messages.js";
import { about, forEachFile } from "./report.js";
import { safe, table } from "./text.js";
import { reportFacts, reportsOf, type VerifyOptions } from "./verify.js";

/** Bytes that a receipt takes in a header: a leaf, some 30 hashes, and a checkpoint. */
const RECEIPT_ROOM = 2048;

interface AddOptions extends KeyOptions {
  authority?: string;
  authorityPassphraseFile?: string;
  ownerId?: string;
  force?: boolean;
  json?: boolean;
}

/** A file that holds its submission already: what is left to do takes no key. Undefined if it was not. */
async function sendAgain(
  path: string,
  target: Target,
  options: AddOptions,
): Promise<Sent | undefined> {
  const core = await sharedCore();
  const { authority } = target;
  const head = await readSealed(path);
  // A receipt that does not verify is none: it is asked for again.
  const proven = await provenSubmissions(core, head, authority);
  const held = [...proven, ...submissionsOf(core, head, authority.origin)].filter(
    ({ submission: { core: record, wrap } }) =>
      (options.ownerId === undefined || record.owner === options.ownerId) &&
      authority.wrapFingerprints.some((key) => equalBytes(key, wrap.fingerprint)),
  );
  const statusOf = (one: HeldSubmission) =>
    proven.includes(one) ? receiptStatus(one.receipt!) : "pending";
  const found = (["verified", "unverified", "pending"] as const)
    .map((status) => held.find((one) => statusOf(one) === status))
    .find((one) => one !== undefined);
  if (found === undefined) return undefined;
  const { submission, record } = found;
  const sent: Sent = {
    origin: authority.origin,
    record: toHex(record),
    owner: submission.core.owner,
    status: statusOf(found),
  };
  if (sent.status === "verified" || (sent.status === "unverified" && !target.isDirectory)) {
    return sent;
  }
  if (!target.isDirectory) {
    return { ...sent, ...(await writeSubmission(path, target, submission, options)) };
  }
  const receipt = await handIn(target, submission, options);
  await amendFile(path, async (now) => ({
    escrows: await attachReceipt(core, now, receipt, authority),
  }));
  return { ...sent, status: receiptStatus(receipt) };
}

async function sendNow(
  path: string,
  target: Target,
  key: RsaPrivateKey,
  options: AddOptions,
): Promise<Sent> {
  const ownerId = options.ownerId ?? toHex(await fingerprint(publicKeyOf(key)));
  // An authority that is here is asked only once it is known which body the file will have.
  const escrower = new Escrower([{ ...target, isDirectory: false }], ownerId, options);
  if (!target.isDirectory) await escrower.check([path, target.path], path);
  const result = await rewrapFile(path, {
    key,
    escrows: escrower.make,
    room: RECEIPT_ROOM,
    allowWeak: options.allowWeak ?? false,
  });
  if (result === "rewritten") {
    warn(
      `${safe(path)}: the header had no room for it, so the whole file was sealed again: what it held for other authorities or owners is gone, and has to be escrowed again`,
    );
  }
  if (!target.isDirectory) {
    await writeFilesWhole(await escrower.files(path));
    return (await escrower.facts(path))[0]!;
  }
  return (await sendAgain(path, target, { ...options, ownerId }))!;
}

async function add(paths: string[], options: AddOptions): Promise<void> {
  const [target] = await readTargets([requireAuthority(options)]);
  const facts: unknown[] = [];
  const addOne = (key: RsaPrivateKey) => async (path: string) => {
    checkInPlace(path);
    const before = await sendAgain(path, target!, options);
    const sent = before ?? (await sendNow(path, target!, key, options));
    facts.push({ file: path, ...sent });
    if (options.json) return;
    const owner = before === undefined ? "" : `, escrowed before as ${safe(before.owner)}`;
    print(table([[safe(path), `${sentRows([sent])[0]![1]}${owner}`]]));
  };
  await withPrivateKeyFile(options.key, options, (key) => forEachFile(paths, addOne(key)));
  if (options.json) printJson(facts);
}

async function attach(file: string, receiptPath: string, options: VerifyOptions): Promise<void> {
  const core = await sharedCore();
  checkInPlace(file);
  const { receipt } = await readMessage(receiptPath, "receipt");
  await withGiven(options, async (party) => {
    await about(file, () =>
      amendFile(file, async (head) => ({
        escrows: await attachReceipt(core, head, receipt, party?.authority, party?.view),
      })),
    );
    if (party === undefined) {
      warn(
        "the receipt belongs to the file, but was not shown to be your authority's: give --authority",
      );
    }
  });
  if (options.json) printJson({ file, status: receiptStatus(receipt) });
  else print(table([[safe(file), `receipt attached: ${receiptStatus(receipt)}`]]));
}

async function status(paths: string[], options: VerifyOptions): Promise<void> {
  const facts: unknown[] = [];
  await withGiven(options, async (party) => {
    await forEachFile(paths, async (path) => {
      const reports = await reportsOf(path, party);
      facts.push({ file: path, escrows: reports.map(reportFacts) });
      if (options.json) return;
      const texts = reports.length === 0 ? ["not escrowed"] : reports.map(statusText);
      print(table(texts.map((text, i) => [i === 0 ? safe(path) : "", text])));
    });
    if (options.json) printJson(facts);
    if (party === undefined) warn(UNCHECKED);
  });
}

export function command(): Command {
  const addCommand = newCommand(
    "add",
    "Escrows files that were sealed before. What is escrowed already stays as it is.",
    "twinwrap escrow add report.pdf.twin -k alice.pem --authority backup",
  ).argument("<file...>", "sealed files");
  addAuthorityKeyOption(addKeyOptions(addCommand, "private key that opens the files"))
    .option("--owner-id <id>", "who you are to the authority (default: the key's fingerprint)")
    .option("--force", "replace a submission's file that is there")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(add);
  const withOptions = (command: Command) =>
    command.addOption(authorityOption()).addOption(jsonOption());
  return newCommand(
    "escrow",
    "Session keys that authorities hold.",
    "twinwrap escrow scan ~/documents --authority authority.json",
  )
    .addCommand(addCommand)
    .addCommand(submitCommand())
    .addCommand(
      withOptions(
        newCommand(
          "attach",
          "Puts a receipt that came into its file's header.",
          "twinwrap escrow attach report.pdf.twin report.receipt.json --authority authority.json",
        )
          .argument("<file>", "the sealed file")
          .argument("<receipt>", "the receipt"),
      ).action(attach),
    )
    .addCommand(
      withOptions(
        newCommand(
          "status",
          "Shows what sealed files hold for authorities.",
          "twinwrap escrow status *.twin",
        ).argument("<file...>", "sealed files"),
      ).action(status),
    )
    .addCommand(
      withOptions(
        newCommand(
          "scan",
          "Finds every sealed file below a folder that has no valid receipt.",
          "twinwrap escrow scan ~/documents --authority authority.json",
        ).argument("<dir>", "folder"),
      ).action(scan),
    );
}
