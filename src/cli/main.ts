#!/usr/bin/env node
import { CommanderError } from "commander";
import { onWarning, undoOnSignals } from "../files.node.js";
import { EXIT, endThreads } from "./command.js";
import { programFor } from "./commands.js";
import { checkEncoding } from "./encoding.js";
import { explain } from "./report.js";
import { beQuiet, endFacts, showWhole, warn } from "./standard.js";

/** Runs the command line. @returns the exit code */
async function main(argv: string[]): Promise<number> {
  try {
    checkEncoding();
    const [first, second] = argv.filter((argument) => !argument.startsWith("-"));
    const program = await programFor(first === "help" ? second : first);
    program.hook("preAction", (_, command) => {
      if (command.opts().whole) showWhole();
      if (command.opts().quiet) beQuiet();
    });
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    // commander has printed the help, the version or the error itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const { message, code } = explain(error);
    warn(message);
    return process.exitCode === EXIT.notVerified ? EXIT.notVerified : code;
  } finally {
    endThreads();
  }
}

undoOnSignals();
onWarning(warn);
const code = await main(process.argv.slice(2));
const isTold = await endFacts((error) => explain(error).message);
process.exitCode = isTold || code !== EXIT.done ? code : EXIT.failed;
