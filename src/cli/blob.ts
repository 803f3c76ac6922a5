import type { Command } from "commander";
import { generateCommand } from "./blob-generate.js";
import { inspectCommand } from "./blob-inspect.js";
import { rewrapCommand, unwrapCommand, wrapCommand } from "./blob-wrap.js";
import { newCommand } from "./command.js";

export function command(): Command {
  return newCommand(
    "blob",
    "Makes, wraps, opens and explains CryptoAPI key blobs.",
    "twinwrap blob inspect owner.simpleblob",
  )
    .addCommand(inspectCommand())
    .addCommand(generateCommand())
    .addCommand(wrapCommand())
    .addCommand(unwrapCommand())
    .addCommand(rewrapCommand());
}
