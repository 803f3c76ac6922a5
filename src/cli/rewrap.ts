import { type Command, Option } from "commander";
import { fromHex } from "../bytes.js";
import { rewrapFile } from "../envelope/file.node.js";
import type { Head, Padding, Recipient } from "../envelope/index.js";
import { originsOf } from "../escrow/index.js";
import { outsidePath } from "../text.js";
import {
  addKeyringOptions,
  collect,
  jsonOption,
  type KeyringOptions,
  newCommand,
  paddingOption,
  recursiveOption,
  rewriteOption,
  UsageError,
  wholeOption,
} from "./command.js";
import { areMany, forEachInput, tallyText } from "./inputs.js";
import { checkInPlace, Report, tell, warn } from "./io.js";
import { type Keyring, withKeyring } from "./keyring.js";
import {
  addRemoveOptions,
  type Removal,
  type RemoveOptions,
  readRecipient,
  recipientsOf,
  removalsOf,
  removedFrom,
} from "./recipients.js";
import { sealingAgain, warnSealedAgain, withoutRoom } from "./resealing.js";
import { isSealed } from "./sealed.js";
import { inline } from "./text.js";

interface RewrapOptions extends KeyringOptions, RemoveOptions {
  to?: string[];
  /** Of --add-owner, the older word. */
  addOwner?: string[];
  recursive?: boolean;
  padding?: Padding;
  rewrite?: boolean;
  json?: boolean;
}

/** The keys that get a wrap, each once. */
async function added(options: RewrapOptions): Promise<Recipient[]> {
  const { to = [], addOwner = [], padding } = options;
  const named = [...to, ...addOwner];
  if (named.length === 0) return [];
  const { keys } = await recipientsOf({ to: named }, readRecipient(options.allowWeak ?? false));
  return keys.map((key) => (padding === undefined ? { key } : { key, padding }));
}

/** @throws UsageError if a key that is to go is named by digits that none has */
function removedOf(path: string, head: Head, removals: readonly Removal[]): Uint8Array[] {
  const { found, missing } = removedFrom(head.header, removals);
  const whole = missing.map(({ named, digits }) => {
    if (digits.length === 64) return fromHex(digits); // it is told that there is no such wrap
    throw new UsageError(`${path}: --remove ${named}: no wrap is for a key with these digits`);
  });
  return [...found, ...whole];
}

async function rewrap(paths: string[], options: RewrapOptions): Promise<void> {
  const removals = await removalsOf(options);
  const add = await added(options);
  if (add.length + removals.length === 0)
    throw new UsageError("nothing to change: give --to or --remove");
  const report = new Report(options);
  const change = (ring: Keyring) => async (path: string) => {
    checkInPlace(path);
    let origins: string[] = [];
    const result = await rewrapFile(path, async (head) => {
      origins = originsOf(head);
      const { allowWeak = false, rewrite = false } = options;
      const remove = removedOf(path, head, removals);
      return { key: await ring.keysFor(head.header), add, remove, allowWeak, rewrite };
    }).catch((error) => {
      throw withoutRoom(error, sealingAgain(origins));
    });
    const escrowsLost = result === "rewritten" ? origins : [];
    report.add({ file: path, result, escrowsLost }, [
      ["rewrapped", outsidePath(path)],
      ...escrowsLost.map((origin) => [
        "escrow",
        `not escrowed with ${inline(origin)} any more: \`twinwrap escrow add\` does it again`,
      ]),
    ]);
    if (result === "rewritten") warnSealedAgain(path, origins);
  };
  await withKeyring(options, async (ring) => {
    const work = change(ring);
    const settings = { ...options, take: isSealed };
    const tally = await forEachInput(paths, settings, ({ path }) => work(path));
    if (!options.json && areMany(paths)) {
      tell(options, {}, [["in all", tallyText(tally, "rewrapped")]]);
    }
  });
  report.end();
  if (removals.length > 0) {
    warn(
      "whoever opened a file before may have kept its session key: to shut somebody out, seal the file anew",
    );
  }
}

export function command(): Command {
  const command = newCommand(
    "rewrap",
    "Wraps the session key of sealed files for more keys, or takes wraps away. The body stays as it is.",
    "twinwrap rewrap report.pdf.twin -k alice.pem --to carol.pub.pem --remove bob.pub.pem",
  ).argument("<file...>", "sealed files, or folders with -r");
  addKeyringOptions(command)
    .option("--to <key>", "key that can open them too (repeat for more)", collect)
    .addOption(new Option("--add-owner <key>").argParser(collect).hideHelp());
  return addRemoveOptions(command, "key that can open them no more")
    .addOption(recursiveOption("every sealed file"))
    .addOption(paddingOption("--padding <padding>", "how new wraps are padded (default: oaep)"))
    .addOption(rewriteOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(rewrap);
}
