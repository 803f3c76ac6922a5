import { type Dirent, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isFolderStats, system } from "../calls.node.js";
import type { Party } from "../client/party.js";
import { isAboutContent } from "../errors.js";
import { isRecoverable, statusText } from "../escrow/index.js";
import { noPolicyText } from "../escrow/words.js";
import { outside, outsidePath } from "../text.js";
import { withGiven } from "./authority-io.js";
import { EXIT, UsageError } from "./command.js";
import { Report, tell, warn } from "./io.js";
import { isSealed } from "./messages.js";
import { about, complain } from "./report.js";
import { reportsOf, type VerifyOptions } from "./verify.js";

export const UNCHECKED = "signatures were not checked: --authority says whose they should be";

/** Every file below a folder, by name; links are not followed. A folder that can't be read gives an error line. */
async function* filesBelow(folder: string, isRoot = true): AsyncGenerator<string> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isRoot) throw error;
    complain(error);
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.includes("\ufffd") && !existsSync(path)) {
      complain(new UsageError(`${path}: its name is not UTF-8, so it cannot be read: rename it`));
      continue;
    }
    if (entry.isFile()) yield path;
    else if (isFolderStats(system.lstatSync(path))) yield* filesBelow(path, false);
  }
}

/** Why a sealed file can't be recovered; undefined if it can. */
async function lackOf(path: string, party: Party | undefined): Promise<string | undefined> {
  try {
    const reports = await reportsOf(path, party);
    const isGood =
      party === undefined
        ? reports.some((report) => report.status === "verified")
        : isRecoverable(reports, party.authority);
    if (isGood) return undefined;
    const texts = reports.length === 0 ? ["not escrowed"] : reports.map(statusText);
    const more = party && noPolicyText(party.authority);
    return [...texts, ...(more === undefined ? [] : [more])].join("; ");
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return `damaged: ${error.message}`;
  }
}

/** Finds every sealed file without a valid receipt. A file that can't be read gives an error line. */
export async function scan(folder: string, options: VerifyOptions): Promise<void> {
  const lacking = new Report<{ file: string; reason: string }>(options);
  let sealed = 0;
  const look = async (path: string, party: Party | undefined) => {
    if (!(await isSealed(path))) return;
    sealed++;
    const reason = await lackOf(path, party);
    if (reason !== undefined)
      lacking.add({ file: path, reason }, [[outsidePath(path), outside(reason)]]);
  };
  await withGiven(options, async (party) => {
    for await (const path of filesBelow(folder)) {
      await about(path, () => look(path, party)).catch(complain);
    }
    const what = party === undefined ? "a receipt" : "a receipt that verifies";
    const { facts } = lacking;
    const text = `${sealed} sealed files, ${facts.length} without ${what}\n`;
    tell(options, { sealed, lacking: facts }, text);
    if (party === undefined) warn(UNCHECKED);
    if (facts.length > 0 || party === undefined) process.exitCode ??= EXIT.notVerified;
  });
}
