#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { onWarning, undoOnSignals } from "../files.node.js";
import { EXIT, newCommand } from "./command.js";
import { checkEncoding } from "./encoding.js";
import { explain } from "./report.js";
import { endFacts, showWhole, warn } from "./standard.js";

/** Every command, its summary, and its file, which is loaded only when the command is called. */
const COMMANDS: [name: string, summary: string, load: () => Promise<{ command: () => Command }>][] =
  [
    ["keygen", "make a key pair", () => import("./keygen.js")],
    ["key", "show, convert and lock keys", () => import("./key.js")],
    ["encrypt", "seal a file for one or more keys", () => import("./encrypt.js")],
    ["decrypt", "open a sealed file", () => import("./decrypt.js")],
    ["rewrap", "change for whom a file is sealed", () => import("./rewrap.js")],
    ["inspect", "show a sealed file's header", () => import("./inspect.js")],
    ["verify", "tell whether a file can be recovered", () => import("./verify.js")],
    ["escrow", "escrow sealed files, and see which are", () => import("./escrow.js")],
    ["recover", "get session keys back from an authority", () => import("./recover.js")],
    ["owner", "make an owner's control key", () => import("./owner.js")],
    ["watch", "follow an authority's log", () => import("./watch.js")],
    ["officer", "make an officer's keys", () => import("./officer.js")],
    ["authority", "run a backup authority", () => import("./authority.js")],
    ["bench", "time the core beside WebCrypto here", () => import("./bench.js")],
    ["blob", "make, wrap, open and explain CryptoAPI key blobs", () => import("./blob.js")],
    ["capi", "read files that CryptoAPI programs encrypted", () => import("./capi.js")],
  ];

declare const TWINWRAP_VERSION: string;

async function build(name: string | undefined): Promise<Command> {
  const program = newCommand(
    "twinwrap",
    "Files sealed under a session key that is wrapped as CryptoAPI SIMPLEBLOBs",
    "twinwrap keygen -o owner.pem\ntwinwrap encrypt report.pdf --owner owner.pub.pem\ntwinwrap decrypt report.pdf.twin -o again.pdf -k owner.pem",
  ).version(TWINWRAP_VERSION);
  for (const [known, summary, load] of COMMANDS) {
    // The list of all commands needs only their summaries.
    program.addCommand(
      known === name ? (await load()).command() : new Command(known).description(summary),
    );
  }
  return program;
}

/** Runs the command line. @returns the exit code */
async function main(argv: string[]): Promise<number> {
  try {
    checkEncoding();
    const [first, second] = argv.filter((argument) => !argument.startsWith("-"));
    const program = await build(first === "help" ? second : first);
    program.hook("preAction", (_, command) => {
      if (command.opts().whole) showWhole();
    });
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    // commander has printed the help, the version or the error itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const { message, code } = explain(error);
    warn(message);
    return process.exitCode === EXIT.notVerified ? EXIT.notVerified : code;
  }
}

undoOnSignals();
onWarning(warn);
const code = await main(process.argv.slice(2));
const isTold = await endFacts((error) => explain(error).message);
process.exitCode = isTold || code !== EXIT.done ? code : EXIT.failed;
