import { toHex } from "../bytes.js";
import { writePublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { onChange } from "./changes.js";
import { download, find, findAll, make } from "./dom.js";
import { authorities, keys, removeAuthority, removeKey, type TabKey } from "./keyring.js";
import { type Link, saveConnection, type TabAuthority } from "./link.js";
import { ADD_AUTHORITY, awayText, NEWER, PageError } from "./words.js";

// The lists of keys and authorities: in full beside the work, and as choices in the forms.

/** The first digits of a fingerprint, and the whole of it for whoever wants to compare. */
function shortPrint(fingerprint: Uint8Array): HTMLElement {
  const whole = toHex(fingerprint);
  return make("code", { title: whole }, `${whole.slice(0, 16)}…`);
}

function removeButton(name: string, remove: () => void): HTMLElement {
  const onclick = () => {
    remove();
    // The element that had the focus is gone.
    find("#keys-title").focus();
  };
  const label = `Remove ${name}`;
  return make(
    "button",
    { type: "button", class: "second", "aria-label": label, onclick },
    "Remove",
  );
}

function keyCard(key: TabKey): HTMLElement {
  const what = key.privateKey === undefined ? "public key" : "private key";
  const name = safe(key.name);
  return make(
    "li",
    {},
    make("b", {}, name),
    make("small", {}, `${what}, ${key.publicKey.n.length * 8} bits`),
    make("code", { class: "print" }, toHex(key.fingerprint)),
    make(
      "span",
      { class: "buttons" },
      make(
        "button",
        {
          type: "button",
          class: "second",
          "aria-label": `Save public key of ${name}`,
          onclick: () =>
            download(
              `${key.name.replace(/(\.pub)?\.\w+$/, "")}.pub.pem`,
              writePublicKey(key.publicKey, "pem"),
            ),
        },
        "Save public key",
      ),
      removeButton(name, () => removeKey(key)),
    ),
  );
}

function authorityCard(one: TabAuthority): HTMLElement {
  const { authority, link } = one;
  const origin = safe(authority.origin);
  const away = link?.away;
  return make(
    "li",
    {},
    make("b", {}, origin),
    make("small", {}, "backup authority", link && `, asked at ${safe(link.connection.url)}`),
    make("code", { class: "print" }, toHex(authority.fingerprint)),
    away === undefined ? undefined : make("p", {}, safe(awayText(authority, away))),
    link?.isNewer ? make("p", {}, NEWER) : undefined,
    make(
      "span",
      { class: "buttons" },
      link?.isNewer ? newerButton(origin, link) : undefined,
      removeButton(origin, () => removeAuthority(one)),
    ),
  );
}

function newerButton(origin: string, link: Link): HTMLElement {
  return make(
    "button",
    {
      type: "button",
      class: "second",
      "aria-label": `Save the newer file of ${origin}`,
      onclick: () => saveConnection(link),
    },
    "Save the newer file",
  );
}

/** Choices in one form. They stay chosen when the list changes. */
function showChoices<T>(
  place: HTMLElement,
  items: readonly T[],
  many: boolean,
  empty: string,
  describe: (item: T) => { value: string; label: (Node | string)[] },
): void {
  const inputs = [...place.querySelectorAll("input")];
  const before = new Map(inputs.map(({ value, checked }) => [value, checked]));
  const group = place.dataset.group ?? `choice-${Math.random().toString(36).slice(2)}`;
  place.dataset.group = group;
  place.replaceChildren(
    ...(items.length === 0 ? [make("p", { class: "empty" }, empty)] : []),
    ...items.map((item, index) => {
      const { value, label } = describe(item);
      const input = make("input", { type: many ? "checkbox" : "radio", name: group, value });
      input.checked = before.get(value) ?? (many || (index === 0 && before.size === 0));
      return make("label", { class: "check" }, input, make("span", {}, ...label));
    }),
  );
}

/** Keeps every list of the page up to date. */
export function showKeyring(): void {
  onChange(() => {
    find("#keys").replaceChildren(...keys.map(keyCard), ...authorities.map(authorityCard));
    for (const place of findAll("[data-keys]")) {
      const many = place.dataset.keys !== "one";
      showChoices(place, keys, many, "Add public keys under “Keys in this tab”.", (key) => ({
        value: toHex(key.fingerprint),
        label: [safe(key.name), " ", shortPrint(key.fingerprint)],
      }));
    }
    for (const place of findAll("[data-authorities]")) {
      const many = place.dataset.authorities !== "one";
      showChoices(place, authorities, many, ADD_AUTHORITY, ({ authority, link }) => ({
        value: toHex(authority.fingerprint),
        label: [
          safe(authority.origin),
          " ",
          shortPrint(authority.fingerprint),
          link === undefined ? ", by files" : ", over the network",
        ],
      }));
    }
    for (const place of findAll("[data-needs-private]")) {
      place.hidden = keys.some(({ privateKey }) => privateKey !== undefined);
    }
    for (const place of findAll("[data-needs-authority]")) place.hidden = authorities.length === 0;
  });
}

function checkedIn(form: HTMLElement, selector: string): Set<string> {
  const place = find(selector, form);
  return new Set(
    [...place.querySelectorAll<HTMLInputElement>("input:checked")].map(({ value }) => value),
  );
}

/** The keys that are chosen in a form. */
export function chosenKeys(form: HTMLElement): TabKey[] {
  const values = checkedIn(form, "[data-keys]");
  return keys.filter(({ fingerprint }) => values.has(toHex(fingerprint)));
}

export function chosenAuthorities(form: HTMLElement): TabAuthority[] {
  const values = checkedIn(form, "[data-authorities]");
  return authorities.filter(({ authority }) => values.has(toHex(authority.fingerprint)));
}

/** @throws PageError if none is chosen */
export function chosenAuthority(form: HTMLElement): TabAuthority {
  const [one] = chosenAuthorities(form);
  if (one === undefined) {
    throw new PageError(`Which authority? ${ADD_AUTHORITY}`);
  }
  return one;
}
