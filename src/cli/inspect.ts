import type { Command } from "commander";
import { CryptoApiError, decodeSimpleBlob } from "../blob/index.js";
import { toBase64Url, toHex } from "../bytes.js";
import { formatSerial, type Header, inspect } from "../envelope/index.js";
import { formatTime } from "../jcs.js";
import { type Cell, outside, outsidePath } from "../text.js";
import { jsonOption, newCommand, wholeOption } from "./command.js";
import { Report, withInput } from "./io.js";
import { forEachFile } from "./report.js";

/** A wrap's RSA size in bits, as its blob has it. */
function wrapBits(simpleBlob: Uint8Array): string {
  try {
    return `RSA-${decodeSimpleBlob(simpleBlob).encryptedKey.length * 8}`;
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    return "malformed SIMPLEBLOB";
  }
}

/** What a header says, for machines. Nothing in it is authenticated. */
export function headerFacts(header: Header): Record<string, unknown> {
  return {
    serial: formatSerial(header.serial),
    created: formatTime(header.created),
    name: header.name,
    description: header.description,
    escrow: header.escrow,
    wraps: header.wraps.map((wrap) => ({
      fingerprint: toHex(wrap.fingerprint),
      padding: wrap.padding,
      simpleblob: toBase64Url(wrap.simpleBlob),
    })),
    headerHash: toHex(header.hash),
    generation: header.generation,
    slotLength: header.slotLength,
    bodyOffset: header.bodyOffset,
  };
}

/** The keys that a file is wrapped for, for people. */
export function wrapRows(header: Header): [string, string][] {
  return header.wraps.map((wrap) => [
    "opens with",
    `${toHex(wrap.fingerprint)}  ${wrapBits(wrap.simpleBlob)} ${wrap.padding}`,
  ]);
}

function headerRows(path: string, header: Header): Cell[][] {
  const { name, description, generation, slot, bodyOffset } = header;
  return [
    ["file", outsidePath(path)],
    ["serial", formatSerial(header.serial)],
    ["sealed", formatTime(header.created)],
    ...(name === undefined ? [] : [["name", outside(name)]]),
    ...(description === undefined ? [] : [["description", outside(description)]]),
    ...header.escrow.map((origin) => ["escrow meant", outside(origin)]),
    ...wrapRows(header),
    ["header", `generation ${generation} in slot ${"AB"[slot]}, ${bodyOffset} bytes`],
    ["", "(read without a key: not authenticated)"],
  ];
}

async function inspectFiles(paths: string[], options: { json?: boolean }): Promise<void> {
  const report = new Report(options);
  await forEachFile(paths, async (path) => {
    const header = await withInput(path, (file) => inspect(file.pieces()));
    report.add({ file: path, ...headerFacts(header) }, headerRows(path, header));
  });
  report.end();
}

export function command(): Command {
  return newCommand(
    "inspect",
    "Shows the header of sealed files: serial, description, and which keys open them. Needs no key.",
    "twinwrap inspect report.pdf.twin",
  )
    .argument("<file...>", "sealed files, or - for standard input")
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(inspectFiles);
}
