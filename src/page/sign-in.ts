import { fromHex, toHex } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { isToken } from "../escrow/connection.js";
import { verifyAuthority } from "../escrow/index.js";
import { safe } from "../text.js";
import { addConnection } from "./add.js";
import { confirm } from "./confirm.js";
import { make } from "./dom.js";
import { checkOpen, openOrigins } from "./policy.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { work } from "./work.js";

// An authority by its address and a token, in a page that was built for that. Who it is, its fingerprint says.

const { signIn: words } = TEXTS;
/** How long a service may keep people waiting, in milliseconds. */
const PATIENCE = 10_000;

/** The fingerprint that was typed; undefined if none was. @throws PageError */
function printIn(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\s:-]/g, "").toLowerCase();
  if (digits === "") return undefined;
  if (!/^[0-9a-f]{64}$/.test(digits)) throw new PageError(words.badPrint);
  return fromHex(digits);
}

/** Asks a service who it is, and adds it if it is the one that is meant. */
async function signIn(address: string, token: string, print: string): Promise<string> {
  if (address === "") throw new PageError(words.noAddress);
  if (!isToken(token)) throw new PageError(words.noToken);
  const pinned = printIn(print);
  const [core, { checkUrl, HttpClient }] = await Promise.all([
    sharedCore(),
    import("../client/http.js"),
  ]);
  const url = checkUrl(address);
  checkOpen(url);
  // The token goes to nobody before it is clear who they are.
  const client = new HttpClient(core, { url: url.href, patience: PATIENCE });
  const file = await client.file();
  const { origin, fingerprint } = await verifyAuthority(core, file, pinned && { pinned });
  if (pinned === undefined) {
    const about = make(
      "div",
      {},
      make("p", {}, words.compare),
      make("code", { class: "print" }, toHex(fingerprint).replace(/.{8}(?=.)/g, "$& ")),
    );
    if (!(await confirm(words.sure(safe(origin)), about, words.yes))) {
      throw new PageError(words.stopped);
    }
  }
  const connection = { url: url.href, authority: file, token, owner: undefined };
  await addConnection(core, words.fileName(url.host), connection);
  return words.done(safe(origin));
}

/** Makes the fields in a place. They may stand inside of another form, so they are none. */
export function makeSignIn(place: HTMLElement): void {
  const field = (text: string, hint: string, options: Record<string, string>) => {
    const input = make("input", { autocomplete: "off", spellcheck: "false", ...options });
    const title = make("span", {}, `${text} `, make("small", {}, hint));
    return { input, label: make("label", { class: "field" }, title, input) };
  };
  const address = field(words.address, "", { value: openOrigins()[0] ?? "", inputmode: "url" });
  const token = field(words.token, words.tokenHint, { type: "password" });
  const print = field(words.print, words.printHint, {});
  const results = make("div", { class: "work" });
  const onclick = async () => {
    const run = () =>
      signIn(address.input.value.trim(), token.input.value.trim(), print.input.value);
    const name = address.input.value.trim() || words.address;
    await work(results, { tasks: [{ name, run }] });
    if (results.querySelector(".good") === null) return;
    token.input.value = "";
    results.replaceChildren();
    // What was added stands in the list of keys.
    const place = results.closest("details")!;
    place.open = false;
    place.querySelector("summary")!.focus();
  };
  const go = make("button", { type: "button", class: "second", onclick }, words.go);
  // Beside the work it has a heading of its own.
  const isAlone = place.dataset.signIn === "keys";
  place.replaceChildren(
    make(
      isAlone ? "div" : "fieldset",
      {},
      isAlone ? undefined : make("legend", {}, words.or),
      make("p", { class: "hint" }, words.about),
      address.label,
      token.label,
      print.label,
      go,
      results,
    ),
  );
  // Enter signs in, and does not send the form around it.
  place.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    void onclick();
  });
}
