import { hasRelaxedSimd, sharedCore, useWasm } from "../core/index.js";
import { done, onChange } from "./changes.js";
import { showKeyring } from "./choices.js";
import { find, findAll, make } from "./dom.js";
import { makeFileInputs } from "./files.js";
import { isOwn, keys } from "./keyring.js";
import { startKeys } from "./keys.js";
import { hasTokenLogin, openOrigins } from "./policy.js";
import { TEXTS } from "./texts.js";
import { complaintOf } from "./words.js";

/** What each view needs is loaded when it is shown first. */
const VIEWS: Record<string, () => Promise<() => void>> = {
  start: async () => () => {},
  seal: async () => (await import("./seal.js")).startSeal,
  open: async () => (await import("./open.js")).startOpen,
  inspect: async () => (await import("./inspect.js")).startInspect,
  recover: async () => (await import("./recover.js")).startRecover,
  verify: async () => (await import("./verify.js")).startVerify,
  officers: async () => (await import("./officers.js")).startOfficers,
};
const started = new Map<string, Promise<void>>();
/** The view that is wanted now: another one may still be loading. */
let wanted = "";

/** Loads a view once; tries again if that failed. */
function start(view: string): Promise<void> {
  const running = started.get(view) ?? VIEWS[view]!().then((begin) => begin());
  started.set(view, running);
  running.catch(() => started.delete(view));
  return running;
}

/** Shows a view, and moves the focus there. */
async function show(view: string, isFirst: boolean): Promise<void> {
  wanted = view;
  const section = find(`[data-view=${view}]`);
  for (const link of findAll("nav a") as HTMLAnchorElement[]) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = TEXTS.page.title(find("h2", section).textContent);
  try {
    await start(view);
  } catch (error) {
    const { what } = complaintOf(error);
    section.prepend(make("p", { class: "banner", role: "alert" }, what));
  }
  if (wanted !== view) return;
  for (const one of findAll("main > section")) one.hidden = one !== section;
  if (isFirst) return;
  const title = find("h2", section);
  scrollTo(0, 0);
  title.focus();
}

/** Goes where the address says: to a view, or to the keys beside it. */
function route(isFirst: boolean): void {
  const named = location.hash.slice(1);
  const isKeys = named === "keys" || named === "make-key";
  if (!isKeys) return void show(named in VIEWS ? named : "start", isFirst);
  if (wanted === "") void show("start", true);
  if (named === "make-key") {
    find<HTMLDetailsElement>("#make").open = true;
    find("#make [name=passphrase]").focus();
  } else find("#keys-title").focus();
}

/** Says where one is on the way from no key to a file that is kept. */
function showSteps(): void {
  onChange(() => {
    const at = !keys.some(isOwn) ? 0 : done.sealed ? 2 : 1;
    for (const [index, step] of findAll("#first-steps > li").entries()) {
      step.dataset.state = index < at ? "done" : index === at ? "now" : "later";
      if (index === at) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
  });
}

/** Says whom the page may ask, if it was built for that. */
function tellConnects(): void {
  const origins = openOrigins();
  find("#connects").textContent = origins.join(", ");
  for (const place of findAll("[data-connects]")) place.hidden = origins.length === 0;
}

/** The places where an authority's address and a token can be given. */
async function showSignIn(): Promise<void> {
  find("#sign-in").hidden = false;
  const { makeSignIn } = await import("./sign-in.js");
  for (const place of findAll("[data-sign-in]")) makeSignIn(place);
}

useWasm(new URL(hasRelaxedSimd() ? "core-relaxed.wasm" : "core.wasm", document.baseURI));
// It is ready when it is needed. Errors show only then.
sharedCore().catch(() => {});
document.documentElement.lang = TEXTS.lang;
find("#insecure").hidden = isSecureContext;
tellConnects();
makeFileInputs();
showKeyring();
showSteps();
startKeys();
if (hasTokenLogin()) void showSignIn();
// No form is for a server: one whose view is still loading does nothing.
document.addEventListener("submit", (event) => {
  if ((event.target as HTMLFormElement).method !== "dialog") event.preventDefault();
});
// Also if the address is there already.
document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest?.<HTMLAnchorElement>('a[href^="#"]');
  if (link && link.hash === location.hash && link.hash !== "#main") route(false);
});
addEventListener("hashchange", () => {
  if (location.hash !== "#main") route(false);
});
route(true);
