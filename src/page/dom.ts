import { save } from "../browser.js";

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
