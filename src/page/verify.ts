import { save } from "../browser.js";
import { equalBytes } from "../bytes.js";
import type { Party } from "../client/party.js";
import { sharedCore } from "../core/index.js";
import { amend, inspectHead } from "../envelope/index.js";
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
  statusText,
  submissionsOf,
} from "../escrow/index.js";
import { noPolicyText } from "../escrow/words.js";
import { chosenAuthorities } from "./choices.js";
import { find, make } from "./dom.js";
import { chosen } from "./files.js";
import { readMessage } from "./messages.js";
import { DOWNLOADS } from "./options.js";
import { patched } from "./patched.js";
import { PageError } from "./words.js";
import { onSubmit, work } from "./work.js";

/** The verdict, and every report in words. */
function verdict(reports: readonly EscrowReport[], by: Party | undefined): HTMLElement {
  const answer =
    by === undefined
      ? "Not shown: without the authority's authority.json nobody can tell whose receipts these are."
      : isRecoverable(reports, by.authority)
        ? "Yes: the authority has verified the key, and its receipt proves it."
        : reports.some(({ status }) => status === "unconfirmed")
          ? "Not shown: its log has ended, and the receipt does not show that the authority kept it."
          : "No: nothing here proves it.";
  const kind = isRecoverable(reports, by?.authority) ? "yes" : "no";
  const rows = reports.map((report) =>
    make(
      "li",
      {},
      by === undefined && report.time !== undefined
        ? `says: ${statusText(report)}`
        : statusText(report),
    ),
  );
  const more = by && noPolicyText(by.authority);
  if (more !== undefined) rows.push(make("li", {}, more));
  return make(
    "div",
    {},
    make("p", { class: `verdict ${kind}` }, answer),
    make("ul", {}, ...(rows.length === 0 ? [make("li", {}, "not escrowed")] : rows)),
  );
}

async function verifyFile(
  file: File,
  receipts: readonly Receipt[],
  by: Party | undefined,
): Promise<Node> {
  const core = await sharedCore();
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
  for (const receipt of mine) {
    const { patch } = await amend(now, async (before) => ({
      escrows: await attachReceipt(core, before, receipt, by?.authority, by?.view),
    }));
    now = patched(now, patch);
  }
  const reports = await checkFile(core, await inspectHead(now), by?.authority, by?.view);
  const result = verdict(reports, by);
  if (receipts.length > 0 && mine.length === 0) {
    result.append(make("p", {}, "None of the receipts is for this file."));
  }
  if (mine.length > 0) {
    const place = make("div", { class: "work" });
    const saveIt = () =>
      void work(place, [
        {
          name: file.name,
          async run() {
            await save(now, { name: file.name, ...DOWNLOADS });
            return "Saved.";
          },
        },
      ]);
    result.append(
      make(
        "p",
        {},
        "The receipt belongs to it. Save the file with its receipt in place of the old one:",
      ),
      make("button", { type: "button", onclick: saveIt }, "Save it with its receipt"),
      place,
    );
  }
  return result;
}

async function verifySubmission(
  file: File,
  receipts: readonly Receipt[],
  by: Party | undefined,
): Promise<Node> {
  const core = await sharedCore();
  const { submission } = await readMessage(file, "submission");
  const record = recordHash(core, submission.record);
  const mine = receipts.find((receipt) => equalBytes(receiptLeaf(receipt).record, record));
  return verdict(
    [await checkSubmission(core, submission, mine ?? receipts[0], by?.authority, by?.view)],
    by,
  );
}

export function startVerify(): void {
  const view = find("#verify");
  const form = find<HTMLFormElement>("form", view);
  onSubmit(form, find(".work", view), async () => {
    const files = chosen("verify-files");
    if (files.length === 0) throw new PageError("Choose the sealed files first.");
    const [by] = chosenAuthorities(form);
    const receipts: Receipt[] = [];
    for (const file of chosen("verify-receipts")) {
      receipts.push((await readMessage(file, "receipt")).receipt);
    }
    return files.map((file) => ({
      name: file.name,
      async run() {
        const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
        return startsSealedFile(start)
          ? verifyFile(file, receipts, by)
          : verifySubmission(file, receipts, by);
      },
    }));
  });
}
