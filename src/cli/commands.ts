import { Command } from "commander";
import { newCommand } from "./command.js";

/** Every command, its summary, and its file, which is loaded only when the command is called. */
export const COMMANDS: [
  name: string,
  summary: string,
  load: () => Promise<{ command: () => Command }>,
][] = [
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
  ["completion", "complete commands in a shell", completion],
  ["blob", "make, wrap, open and explain CryptoAPI key blobs", () => import("./blob.js")],
  ["capi", "read files that CryptoAPI programs encrypted", () => import("./capi.js")],
];

/** This one describes all the others. */
async function completion(): Promise<{ command: () => Command }> {
  const { command } = await import("./completion.js");
  return { command: () => command(wholeProgram) };
}

declare const TWINWRAP_VERSION: string;

function newProgram(): Command {
  return newCommand(
    "twinwrap",
    "Files sealed under a session key that is wrapped as CryptoAPI SIMPLEBLOBs",
    "twinwrap keygen -o owner.pem\ntwinwrap encrypt report.pdf --to owner.pub.pem\ntwinwrap decrypt report.pdf.twin -o again.pdf -k owner.pem",
  ).version(typeof TWINWRAP_VERSION === "string" ? TWINWRAP_VERSION : "");
}

/** The program with the one command that is called. The list of all others needs only their summaries. */
export async function programFor(name: string | undefined): Promise<Command> {
  const program = newProgram();
  for (const [known, summary, load] of COMMANDS) {
    program.addCommand(
      known === name ? (await load()).command() : new Command(known).description(summary),
    );
  }
  return program;
}

/** The program with all its commands, for whoever describes it. */
export async function wholeProgram(): Promise<Command> {
  const program = newProgram();
  for (const [, , load] of COMMANDS) program.addCommand((await load()).command());
  return program;
}
