import { toHex } from "../bytes.js";
import { writePublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { onChange } from "./changes.js";
import { download, find, findAll, make } from "./dom.js";
import { authorities, isOwn, keys, removeAuthority, removeKey, type TabKey } from "./keyring.js";
import type { Link, TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { awayText, PageError } from "./words.js";

const { keys: words } = TEXTS;

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
  const label = TEXTS.page.removeNamed(name);
  return make(
    "button",
    { type: "button", class: "second", "aria-label": label, onclick },
    TEXTS.page.remove,
  );
}

function keyCard(key: TabKey): HTMLElement {
  const what = key.privateKey === undefined ? words.publicKey : words.privateKey;
  const name = safe(key.name);
  return make(
    "li",
    {},
    make("b", {}, name),
    make("small", {}, `${what}, ${words.bits(key.publicKey.n.length * 8)}`),
    make("code", { class: "print" }, toHex(key.fingerprint)),
    make(
      "span",
      { class: "buttons" },
      make(
        "button",
        {
          type: "button",
          class: "second",
          "aria-label": words.savePublicOf(name),
          onclick: () =>
            download(
              `${key.name.replace(/(\.pub)?\.\w+$/, "")}.pub.pem`,
              writePublicKey(key.publicKey, "pem"),
            ),
        },
        words.savePublic,
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
    make("small", {}, words.backupAuthority, link && words.askedAt(safe(link.connection.url))),
    make("code", { class: "print" }, toHex(authority.fingerprint)),
    away === undefined ? undefined : make("p", {}, safe(awayText(authority, away))),
    link?.isNewer ? make("p", {}, TEXTS.words.newer) : undefined,
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
      "aria-label": words.saveNewerOf(origin),
      onclick: async () => (await import("./link.js")).saveConnection(link),
    },
    words.saveNewer,
  );
}

/** How an item is offered as a choice. */
interface Choice {
  value: string;
  label: (Node | string)[];
  /** Ticked until somebody says otherwise. */
  isOwn?: boolean;
}

/** Choices in one form. They stay chosen when the list changes. */
function showChoices<T>(
  place: HTMLElement,
  items: readonly T[],
  many: boolean,
  empty: Node | string,
  describe: (item: T) => Choice,
): void {
  const inputs = [...place.querySelectorAll("input")];
  const before = new Map(inputs.map((input) => [input.value, input]));
  const group = place.dataset.group ?? `choice-${Math.random().toString(36).slice(2)}`;
  place.dataset.group = group;
  const hadNone = !inputs.some(({ checked }) => checked);
  place.replaceChildren(
    ...(items.length === 0 ? [make("p", { class: "empty" }, empty)] : []),
    ...items.map((item, index) => {
      const { value, label, isOwn = true } = describe(item);
      const input = make("input", { type: many ? "checkbox" : "radio", name: group, value });
      const old = before.get(value);
      // A public key whose private half has come is somebody's own now.
      const isNew = old === undefined || (isOwn && old.dataset.own === "false");
      input.dataset.own = String(isOwn);
      input.checked = isNew ? (many ? isOwn : index === 0 && hadNone) : old.checked;
      return make("label", { class: "check" }, input, make("span", {}, ...label));
    }),
  );
}

/** Said where there is no key yet. */
function noKey(): Node {
  const { noKeyYet, noKeyMake, noKeyAdd } = TEXTS.seal;
  const link = (hash: string, text: string) => make("a", { href: hash }, text);
  return make(
    "span",
    {},
    `${noKeyYet} `,
    link("#make-key", noKeyMake),
    ", ",
    link("#keys", noKeyAdd),
    ".",
  );
}

/** Keeps every list of the page up to date. */
export function showKeyring(): void {
  onChange(() => {
    find("#key-list").replaceChildren(...keys.map(keyCard), ...authorities.map(authorityCard));
    const count = keys.length + authorities.length;
    find("#key-count").textContent = count === 0 ? "" : `(${count})`;
    for (const place of findAll("[data-keys]")) {
      showChoices(place, keys, true, noKey(), (key) => ({
        value: toHex(key.fingerprint),
        label: [
          safe(key.name),
          " ",
          shortPrint(key.fingerprint),
          isOwn(key) ? `, ${words.yours}` : "",
        ],
        isOwn: isOwn(key),
      }));
    }
    for (const place of findAll("[data-authorities]")) {
      const many = place.dataset.authorities !== "one";
      showChoices(place, authorities, many, words.addAuthority, ({ authority, link }) => ({
        value: toHex(authority.fingerprint),
        label: [
          safe(authority.origin),
          " ",
          shortPrint(authority.fingerprint),
          link === undefined ? words.byFiles : words.overNetwork,
        ],
      }));
    }
    for (const place of findAll("[data-needs-private]")) place.hidden = keys.some(isOwn);
    for (const place of findAll("[data-needs-authority]")) place.hidden = authorities.length === 0;
    // Whoever has one need not look at how to add one.
    for (const place of findAll("[data-other-authority]")) {
      place.toggleAttribute("open", authorities.length === 0);
    }
    for (const place of findAll("[data-without-authority]")) {
      place.hidden = authorities.length > 0;
    }
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
    throw new PageError(`${words.whichAuthority} ${words.addAuthority}`, "[data-authorities]");
  }
  return one;
}
