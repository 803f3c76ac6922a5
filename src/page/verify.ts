import { save } from "../browser.js";
import { equalBytes } from "../bytes.js";
import { presentEscrow, renewEscrow } from "../client/escrow.js";
import type { Party } from "../client/party.js";
import { sharedCore } from "../core/index.js";
import { amend, formatSerial, inspectHead } from "../envelope/index.js";
import {
  attachReceipt,
  checkFile,
  checkSubmission,
  type EscrowReport,
  isRecoverable,
  type Receipt,
  receiptLeaf,
  recordHash,
  startsSealedFile,
  submissionsOf,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { safe } from "../text.js";
import { chosenAuthorities } from "./choices.js";
import { find, make, toned, withMoments } from "./dom.js";
import { chosen } from "./files.js";
import { presentParty, reach } from "./link.js";
import { readMessage } from "./messages.js";
import { DOWNLOADS } from "./options.js";
import { patched } from "./patched.js";
import { printSheet, sheetButton } from "./sheet.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { awayText, PageError } from "./words.js";
import { onSubmit, work } from "./work.js";

const { verify: words } = TEXTS;

/** Whose signature counts. */
interface Judge {
  party: Party | undefined;
  /** What is to be said of the comparison with its log, if it has one that the page could ask. */
  compared: string | undefined;
}

async function judgeOf(one: TabAuthority | undefined): Promise<Judge> {
  if (one?.link === undefined) return { party: one, compared: undefined };
  await reach(one);
  const { away } = one.link;
  const compared =
    away === undefined ? words.compared : words.notCompared(awayText(one.authority, away));
  return { party: presentParty(one), compared };
}

/** One report in words. What does not fit in a file only its reader knows exactly. */
function reportText({ status, origin, time, reason }: EscrowReport): string {
  const said = TEXTS.escrow[status](safe(origin), time === undefined ? "" : formatTime(time));
  return reason === undefined ? said : `${said}. ${TEXTS.words.exactly(safe(reason))}`;
}

/** The verdict, and every report in words. */
function verdict(reports: readonly EscrowReport[], { party: by, compared }: Judge): HTMLElement {
  const answer =
    by === undefined
      ? words.noJudge
      : isRecoverable(reports, by.authority)
        ? words.yes
        : reports.some(({ status }) => status === "unconfirmed")
          ? words.ended
          : words.no;
  const isSafe = isRecoverable(reports, by?.authority);
  const kind = isSafe ? "yes" : "no";
  const rows = reports.map((report) =>
    make(
      "li",
      {},
      by === undefined && report.time !== undefined
        ? withMoments(words.says(reportText(report)))
        : withMoments(reportText(report)),
    ),
  );
  if (by?.authority.policies.length === 0) {
    rows.push(make("li", {}, TEXTS.unsure.noPolicy(safe(by.authority.origin))));
  }
  // Where there is no receipt, nothing was compared.
  if (compared !== undefined && reports.some(({ time }) => time !== undefined)) {
    rows.push(make("li", {}, safe(compared)));
  }
  const result = make(
    "div",
    {},
    make("p", { class: `verdict ${kind}` }, answer),
    make("ul", {}, ...(rows.length === 0 ? [make("li", {}, words.notEscrowed)] : rows)),
  );
  return isSafe ? result : toned("warn", result);
}

async function verifyFile(file: File, receipts: readonly Receipt[], judge: Judge): Promise<Node> {
  const core = await sharedCore();
  const by = judge.party;
  const head = await inspectHead(file);
  const origins = by === undefined ? head.header.escrow : [by.authority.origin];
  const mine = receipts.filter((receipt) =>
    origins.some((origin) =>
      submissionsOf(core, head, origin).some(({ record }) =>
        equalBytes(record, receiptLeaf(receipt).record),
      ),
    ),
  );
  let now: Blob = file;
  for (const receipt of mine) now = await withReceiptIn(now, receipt, by);
  const reports = await checkFile(core, await inspectHead(now), by?.authority, by?.view);
  const result = verdict(reports, judge);
  if (receipts.length > 0 && mine.length === 0) {
    result.append(make("p", {}, words.noReceipt));
  }
  if (mine.length > 0) {
    result.append(
      make("p", {}, words.receiptFits),
      ...saving(words.saveWith, file.name, async () => now),
    );
  }
  if (by !== undefined && isRecoverable(reports, by.authority)) {
    const serial = formatSerial(head.header.serial);
    const print = () => printSheet(file.name, serial, [by.authority]);
    result.append(sheetButton(words.sheet, print));
  }
  if (by?.client !== undefined) result.append(...(await sending(file.name, now, by)));
  return result;
}

async function withReceiptIn(file: Blob, receipt: Receipt, by: Party | undefined): Promise<Blob> {
  const core = await sharedCore();
  const { patch } = await amend(file, async (before) => ({
    escrows: await attachReceipt(core, before, receipt, by?.authority, by?.view),
  }));
  return patched(file, patch);
}

/** What saves the file with its receipt, once that is there. */
function saving(text: string, name: string, whole: () => Promise<Blob>): Node[] {
  const place = make("div", { class: "work" });
  const run = async () => {
    await save(await whole(), { name, ...DOWNLOADS });
    return words.savedNow;
  };
  const onclick = () => void work(place, { tasks: [{ name, run }] });
  return [make("button", { type: "button", onclick }, text), place];
}

/** What sends a file's submission, where no receipt in the file shows that the authority has it. */
async function sending(name: string, file: Blob, by: Party): Promise<Node[]> {
  const present = await presentEscrow(by, await inspectHead(file));
  if (present === undefined || ["verified", "unverified"].includes(present.status)) return [];
  const send = async () => {
    const { receipt } = await renewEscrow(by, present);
    return receipt === undefined ? file : withReceiptIn(file, receipt, by);
  };
  const text = words.canSend(safe(by.authority.origin));
  return [make("p", {}, text), ...saving(words.send, name, send)];
}

async function verifySubmission(
  file: File,
  receipts: readonly Receipt[],
  judge: Judge,
): Promise<Node> {
  const core = await sharedCore();
  const by = judge.party;
  const { submission } = await readMessage(file, "submission");
  const record = recordHash(core, submission.record);
  const mine = receipts.find((receipt) => equalBytes(receiptLeaf(receipt).record, record));
  return verdict(
    [await checkSubmission(core, submission, mine ?? receipts[0], by?.authority, by?.view)],
    judge,
  );
}

export function startVerify(): void {
  const view = find("[data-view=verify]");
  const form = find<HTMLFormElement>("form", view);
  onSubmit(form, find(".work", view), async () => {
    const files = chosen("verify-files");
    if (files.length === 0) throw new PageError(words.noFiles, "[data-files=verify-files]");
    const [one] = chosenAuthorities(form);
    const receipts: Receipt[] = [];
    for (const file of chosen("verify-receipts")) {
      receipts.push((await readMessage(file, "receipt")).receipt);
    }
    const judge = await judgeOf(one);
    return files.map((file) => ({
      name: file.name,
      async run() {
        const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
        return startsSealedFile(start)
          ? verifyFile(file, receipts, judge)
          : verifySubmission(file, receipts, judge);
      },
    }));
  });
}
