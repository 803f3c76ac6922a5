import type { Command } from "commander";
import { describeBlob } from "../blob/index.js";
import { sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import type { Head, Header } from "../envelope/index.js";
import { formatSerial } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import {
  article,
  decodeMessage,
  type MessageKind,
  originsOf,
  submissionsOf,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { identifyKey } from "../keys/index.js";
import { type Cell, outside, outsidePath } from "../text.js";
import { jsonOption, newCommand, recursiveOption, wholeOption } from "./command.js";
import { headerFacts, wrapRows } from "./header-text.js";
import { forEachInput } from "./inputs.js";
import { Report, STANDARD } from "./io.js";
import { isSealed, readSealed } from "./sealed.js";

function headerRows(path: string, header: Header, escrows: Cell[][]): Cell[][] {
  const { name, description, generation, slot, bodyOffset } = header;
  return [
    ["file", outsidePath(path)],
    ["serial", formatSerial(header.serial)],
    ["sealed", formatTime(header.created)],
    ...(name === undefined ? [] : [["name", outside(name)]]),
    ...(description === undefined ? [] : [["description", outside(description)]]),
    ...escrows,
    ...wrapRows(header),
    ["header", `generation ${generation} in slot ${"AB"[slot]}, ${bodyOffset} bytes`],
    ["", "(read without a key: not authenticated)"],
  ];
}

/** What an authority was sent and what came back, as far as it shows unverified. */
async function escrowRows(head: Head): Promise<Cell[][]> {
  const core = await sharedCore();
  const { escrow } = head.header;
  return [...new Set([...escrow, ...originsOf(head)])].map((origin) => {
    const [best] = submissionsOf(core, head, origin);
    if (best === undefined) return ["escrow", outside(`${origin}: meant, nothing was sent`)];
    const state =
      best.receipt === undefined
        ? "sent, no receipt yet"
        : "with a receipt; `verify` tells what it is worth";
    return ["escrow", outside(`${origin}: ${state}`)];
  });
}

/** The commands that show other kinds of files. */
const SHOWN_BY: Partial<Record<MessageKind, string>> = {
  authority: "authority info --authority",
  connection: "authority info --authority",
};

/** What shows a file that is no sealed file; undefined if nothing is known of it. */
async function otherCommand(path: string): Promise<string | undefined> {
  if (path === STANDARD) return undefined;
  const bytes = await withFile(path, async (file) =>
    file.seekable ? file.read(0, 1 << 16) : undefined,
  );
  if (bytes === undefined) return undefined;
  try {
    const { kind } = identifyKey(bytes);
    return `this is a ${kind === "public" ? "public" : "private"} key: \`twinwrap key info ${path}\` shows it`;
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
  }
  const { kind } = describeBlob(bytes);
  if (kind !== undefined) return `this is a ${kind}: \`twinwrap blob inspect ${path}\` shows it`;
  try {
    const message = decodeMessage(await sharedCore(), bytes);
    const by = SHOWN_BY[message.kind];
    const is = `this is ${article(message.kind)}`;
    return by === undefined ? is : `${is}: \`twinwrap ${by} ${path}\` takes it`;
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    return undefined;
  }
}

/** Adds to the error of a file that is none of ours what would show it. */
async function withPointer(path: string, error: unknown): Promise<unknown> {
  const isOther = error instanceof TwinwrapError && error.code === "BAD_FORMAT";
  const other = isOther ? await otherCommand(path) : undefined;
  return other === undefined
    ? error
    : new TwinwrapError("BAD_FORMAT", `not a sealed file: ${other}`);
}

async function inspectFiles(
  paths: string[],
  options: { json?: boolean; recursive?: boolean },
): Promise<void> {
  const report = new Report(options);
  await forEachInput(paths, { ...options, take: isSealed }, async ({ path }) => {
    const head = await readSealed(path).catch(async (error) => {
      throw await withPointer(path, error);
    });
    const { header } = head;
    report.add(
      { file: path, ...headerFacts(header) },
      headerRows(path, header, await escrowRows(head)),
    );
  });
  report.end();
}

export function command(): Command {
  return newCommand(
    "inspect",
    "Shows the header of sealed files: serial, description, and which keys open them. Needs no key.",
    "twinwrap inspect report.pdf.twin",
  )
    .argument("<file...>", "sealed files, folders with -r, or - for standard input")
    .addOption(recursiveOption("every sealed file"))
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(inspectFiles);
}
