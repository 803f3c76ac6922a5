import type { Party } from "../client/party.js";
import { isAboutContent } from "../errors.js";
import { type EscrowReport, isRecoverable, statusText } from "../escrow/index.js";
import { noPolicyText } from "../escrow/words.js";
import { outside, outsidePath } from "../text.js";
import { withGiven } from "./authority-io.js";
import { EXIT } from "./command.js";
import { forEachInput } from "./inputs.js";
import { tell, warn } from "./io.js";
import { worsen } from "./report.js";
import { isSealed } from "./sealed.js";
import { reportsOf, type VerifyOptions } from "./verify.js";

export const UNCHECKED = "signatures were not checked: --authority says whose they should be";

/** A sealed file that can't be recovered. */
interface Lacking {
  file: string;
  reason: string;
  /** What its best receipt is worth, if its log has ended. */
  ended?: "unconfirmed" | "lost";
}

/** Why a sealed file can't be recovered; undefined if it can. */
async function lackOf(
  path: string,
  party: Party | undefined,
): Promise<Omit<Lacking, "file"> | undefined> {
  try {
    const reports = await reportsOf(path, party);
    const isGood =
      party === undefined
        ? reports.some((report) => report.status === "verified")
        : isRecoverable(reports, party.authority);
    if (isGood) return undefined;
    const texts = reports.length === 0 ? ["not escrowed"] : reports.map(statusText);
    const more = party && noPolicyText(party.authority);
    const reason = [...texts, ...(more === undefined ? [] : [more])].join("; ");
    const ended = endedOf(reports);
    return ended === undefined ? { reason } : { reason, ended };
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return { reason: `damaged: ${error.message}` };
  }
}

function endedOf(reports: readonly EscrowReport[]): Lacking["ended"] {
  const has = (...statuses: EscrowReport["status"][]) =>
    reports.some(({ status }) => statuses.includes(status));
  if (has("unconfirmed")) return "unconfirmed";
  return has("lost", "after the end") ? "lost" : undefined;
}

/** What to do about receipts of logs that ended. */
function warnOfEnded(unconfirmed: number, lost: number): void {
  if (unconfirmed > 0) {
    warn(
      `unconfirmed: ${unconfirmed}. That log has ended: \`twinwrap escrow add\` fetches what shows that the authority kept them`,
    );
  }
  if (lost > 0) {
    warn(`lost by the authority: ${lost}. \`twinwrap escrow add\` sends them again`);
  }
}

/** Finds every sealed file without a valid receipt. A file that can't be read gives an error line. */
export async function scan(paths: string[], options: VerifyOptions): Promise<void> {
  const counts = { sealed: 0, lacking: 0, unconfirmed: 0, lost: 0 };
  const lacking: Lacking[] = []; // for machines
  const look = async (path: string, party: Party | undefined) => {
    if (!(await isSealed(path))) return;
    counts.sealed++;
    const lack = await lackOf(path, party);
    if (lack === undefined) return;
    counts.lacking++;
    if (lack.ended !== undefined) counts[lack.ended]++;
    if (options.json) lacking.push({ file: path, ...lack });
    else tell({}, {}, [[outsidePath(path), outside(lack.reason)]]);
  };
  await withGiven(options, async (party) => {
    await forEachInput(paths, { recursive: true }, ({ path }) => look(path, party));
    const what = party === undefined ? "a receipt" : "a receipt that verifies";
    const { sealed, unconfirmed, lost } = counts;
    const text = `${sealed} sealed files, ${counts.lacking} without ${what}\n`;
    tell(options, { sealed, unconfirmed, lost, lacking }, text);
    warnOfEnded(unconfirmed, lost);
    if (party === undefined) warn(UNCHECKED);
    if (counts.lacking > 0 || party === undefined) worsen(EXIT.notVerified);
  });
}
