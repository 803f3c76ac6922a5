import { toHex } from "../bytes.js";
import type { Authority } from "../escrow/index.js";
import { safe } from "../text.js";
import { facts, find, make, moment } from "./dom.js";
import { TEXTS } from "./texts.js";

// Sheets of paper: what people need when they have nothing else any more. The page's printing rules show nothing
// besides. No secret is on them.

function print(
  title: string,
  rows: readonly (readonly [string, Node | string])[],
  steps: string[],
) {
  find("#sheet").replaceChildren(
    make("h1", {}, title),
    make("p", {}, TEXTS.sheet.intro),
    facts([...rows, [TEXTS.sheet.printed, moment(new Date())]]),
    make("h2", {}, TEXTS.sheet.todo),
    make("ol", {}, ...steps.map((step) => make("li", {}, step))),
  );
  globalThis.print();
}

function authorityRows({ origin, fingerprint }: Authority): [string, Node | string][] {
  const print = make("code", {}, toHex(fingerprint).replace(/.{8}(?=.)/g, "$& "));
  return [
    [TEXTS.sheet.authority, safe(origin)],
    [TEXTS.sheet.fingerprint, print],
  ];
}

/** What to know of a sealed file, for the day when its key is lost. */
export function printSheet(name: string, serial: string, authorities: readonly Authority[]): void {
  const rows: [string, Node | string][] = [
    [TEXTS.sheet.files, safe(name)],
    [TEXTS.sheet.serial, make("code", {}, serial)],
    ...authorities.flatMap(authorityRows),
  ];
  print(TEXTS.sheet.title, rows, TEXTS.sheet.steps);
}

/** What to know of a recovery that has begun. */
export function printNumber(number: string, authority: Authority): void {
  const rows: [string, Node | string][] = [
    [TEXTS.recover.number, make("code", { class: "id" }, number)],
    ...authorityRows(authority),
  ];
  print(TEXTS.recover.sheetTitle, rows, TEXTS.recover.sheetDo);
}

/** A button that prints. */
export function sheetButton(text: string, onclick: () => void): HTMLElement {
  return make("button", { type: "button", class: "second", onclick }, text);
}
