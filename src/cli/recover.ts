import { type Command, Option } from "commander";
import { authorityOption, pinOption } from "./authority-options.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  collect,
  integerBetween,
  jsonOption,
  newCommand,
  paddingOption,
  parseDuration,
  rewriteOption,
  wholeOption,
} from "./command.js";
import { ownerIdOption } from "./owner-id.js";
import { addRemoveOptions } from "./recipients.js";
import { fetch } from "./recover-fetch.js";
import { request } from "./recover-request.js";
import { vetoCommand } from "./recover-veto.js";

const SUBMISSION =
  "a submission that was kept: of a blob, or of a file whose header lost it (repeat for more)";

export function command(): Command {
  const requestCommand = newCommand(
    "request",
    "Asks an authority for the session keys of files, wrapped for a new key. The request is kept as a file.",
    'twinwrap recover request *.twin --requester "Olivia Owner" --authority backup\n  makes new.pem and new.pub.pem, and asks for the new key',
  ).argument("[file...]", "sealed files");
  addOutputOptions(
    requestCommand,
    "where the request is kept (default: ID.request.json); with --all, a folder for them",
  )
    .option("--all", "everything of one owner, 1000 records in each request")
    .addOption(ownerIdOption())
    .option("--serial <serial>", "a record by its serial (repeat for more)", collect)
    .option("--submission <file>", SUBMISSION, collect)
    .option("--to <pub>", "the new public key, if there is one: otherwise a key pair is made")
    .option("--new-key <file>", "where a new private key goes (default: new.pem)")
    .requiredOption("--requester <name>", "who asks, in one line for the officers")
    .option("--expires <days>", "how long it is good for (default: 14)", integerBetween(1, 366))
    .addOption(paddingOption("--padding <padding>", "how the keys come padded (default: oaep)"));
  addPassphraseOptions(requestCommand, "leave a new key unlocked")
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(request);
  const fetchCommand = newCommand(
    "fetch",
    "Puts what was released into files: a wrap for the new key; of blobs it writes SIMPLEBLOBs. With -k what came is opened first, and with -o the file too.",
    "twinwrap recover fetch ID report.pdf.twin -k new.pem -o again.pdf --authority backup",
  ).argument("[id|file...]", "the request's ID, unless --release is given; then sealed files");
  addOutputOptions(
    fetchCommand,
    "also open FILE, into this file (a folder for several); without FILE, where the keys of blobs go: a SIMPLEBLOB, or a folder for several",
  )
    .option("--release <file>", "the release, where the authority can't be asked")
    .option("--request <file>", "the request that was kept")
    .option("--submission <file>", SUBMISSION, collect)
    .option("-k, --key <file>", "the new private key")
    .addOption(
      new Option(
        "--wait [duration]",
        "wait until it is released, at most so long, such as 90m or 3d (default: until the request expires)",
      ).argParser(parseDuration),
    );
  addRemoveOptions(
    addPassphraseOptions(fetchCommand, "never ask for a passphrase"),
    "key whose wrap goes then",
  )
    .addOption(rewriteOption())
    .addOption(authorityOption())
    .addOption(pinOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(fetch);
  return newCommand(
    "recover",
    "Gets session keys back from an authority, for a new key.",
    'twinwrap recover request report.pdf.twin --requester "Olivia Owner"',
  )
    .addCommand(requestCommand)
    .addCommand(fetchCommand)
    .addCommand(vetoCommand());
}
