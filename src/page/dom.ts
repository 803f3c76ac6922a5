import { save } from "../envelope/save.browser.js";
import { formatTime, parseTime } from "../jcs.js";
import { TEXTS } from "./texts.js";

// The page's few ways to make and find elements. No HTML is ever made from text.

type Child = Node | string | undefined;
type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** Makes an element with attributes (a function is a listener for `onNAME`) and content. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "string") element.setAttribute(name, value);
    else element.toggleAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Finds an element that the page must have. */
export function find<T extends HTMLElement = HTMLElement>(
  selector: string,
  within: ParentNode = document,
): T {
  const found = within.querySelector<T>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

export function findAll(selector: string, within: ParentNode = document): HTMLElement[] {
  return [...within.querySelectorAll<HTMLElement>(selector)];
}

/** Names and what they mean, as a list of descriptions. */
export function facts(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return make(
    "dl",
    {},
    ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
  );
}

/** A moment as people here read it; the exact one is in its title. */
export function moment(time: Date): HTMLElement {
  const exact = formatTime(time);
  const shown = time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return make("time", { datetime: exact, title: exact }, shown);
}

/** A text of ours in which every exact time is shown as {@link moment} does. */
export function withMoments(text: string): DocumentFragment {
  const all = document.createDocumentFragment();
  for (const part of text.split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/)) {
    const time = parseTime(part);
    all.append(time === undefined ? part : moment(time));
  }
  return all;
}

/** Facts that not everybody needs. */
export function details(...children: Child[]): HTMLElement {
  return make("details", { class: "more" }, make("summary", {}, TEXTS.page.details), ...children);
}

/** An item of a list of cards: names and what they mean. */
export function card(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return make("li", {}, facts(rows));
}

export function cards(...items: readonly HTMLElement[]): HTMLElement {
  return make("ul", { class: "cards" }, ...items);
}

/** A row of a {@link table}. The first cell names it. @param heads of the columns */
export function tableRow(heads: readonly string[], cells: readonly Child[]): HTMLElement {
  const [name, ...others] = cells;
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    ...others.map((cell, index) => make("td", { "data-head": heads[index + 1]! }, cell)),
  );
}

/** A table whose rows become cards where it has no room. @param body its rows */
export function table(name: string, heads: readonly string[], body: HTMLElement): HTMLElement {
  return make(
    "table",
    { class: "fold", "aria-label": name },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    body,
  );
}

/** Marks a result: "warn" is for what is whole, but not as safe as people may think. */
export function toned(tone: "warn" | "bad", element: HTMLElement): HTMLElement {
  element.dataset.tone = tone;
  return element;
}

/** A button that saves bytes under a name, again and again. */
export function saveButton(
  text: string,
  name: string,
  content: Uint8Array<ArrayBuffer>,
): HTMLElement {
  const save = () => download(name, content);
  return make("button", { type: "button", class: "second", onclick: save }, text);
}

/** Puts a small file where the browser puts its downloads. */
export function download(name: string, content: Uint8Array<ArrayBuffer>): void {
  void save(new Blob([content]), { name, picker: false });
}
