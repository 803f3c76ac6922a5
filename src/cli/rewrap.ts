import type { Command } from "commander";
import { rewrapFile } from "../envelope/file.node.js";
import type { Padding, Recipient } from "../envelope/index.js";
import { originsOf } from "../escrow/index.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { outsidePath } from "../text.js";
import {
  addKeyOptions,
  collect,
  jsonOption,
  type KeyOptions,
  newCommand,
  paddingOption,
  parseFingerprint,
  rewriteOption,
  UsageError,
  wholeOption,
} from "./command.js";
import { checkInPlace, Report, readRecipientFile, warn, withPrivateKeyFile } from "./io.js";
import { forEachFile } from "./report.js";
import { sealingAgain, warnSealedAgain, withoutRoom } from "./resealing.js";
import { inline } from "./text.js";

interface RewrapOptions extends KeyOptions {
  addOwner?: string[];
  removeOwner?: string[];
  padding?: Padding;
  rewrite?: boolean;
  json?: boolean;
}

async function rewrap(paths: string[], options: RewrapOptions): Promise<void> {
  const remove = (options.removeOwner ?? []).map((text) =>
    parseFingerprint("--remove-owner", text),
  );
  const add: Recipient[] = [];
  for (const path of options.addOwner ?? []) {
    const key = await readRecipientFile(path, options.allowWeak ?? false);
    add.push(options.padding === undefined ? { key } : { key, padding: options.padding });
  }
  if (add.length + remove.length === 0)
    throw new UsageError("nothing to change: give --add-owner or --remove-owner");
  const report = new Report(options);
  const change = (key: RsaPrivateKey) => async (path: string) => {
    checkInPlace(path);
    let origins: string[] = [];
    const result = await rewrapFile(path, (head) => {
      origins = originsOf(head);
      const { allowWeak = false, rewrite = false } = options;
      return { key, add, remove, allowWeak, rewrite };
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
  await withPrivateKeyFile(options.key, options, (key) => forEachFile(paths, change(key)));
  report.end();
  if (remove.length > 0) {
    warn(
      "whoever opened a file before may have kept its session key: to shut somebody out, seal the file anew",
    );
  }
}

export function command(): Command {
  const command = newCommand(
    "rewrap",
    "Wraps the session key of sealed files for more keys, or takes wraps away. The body stays as it is.",
    "twinwrap rewrap report.pdf.twin -k alice.pem --add-owner carol.pub.pem",
  ).argument("<file...>", "sealed files");
  return addKeyOptions(command)
    .option("--add-owner <pub>", "public key that can open them too (repeat for more)", collect)
    .option(
      "--remove-owner <fingerprint>",
      "key that can open them no more (repeat for more)",
      collect,
    )
    .addOption(paddingOption("--padding <padding>", "how new wraps are padded (default: oaep)"))
    .addOption(rewriteOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(rewrap);
}
