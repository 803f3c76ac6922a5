import { hasRelaxedSimd, sharedCore, useWasm } from "../core/index.js";
import { showKeyring } from "./choices.js";
import { find, findAll } from "./dom.js";
import { makeFileInputs } from "./files.js";
import { startInspect } from "./inspect.js";
import { startKeys } from "./keys.js";
import { startOpen } from "./open.js";
import { openOrigins } from "./policy.js";
import { startRecover } from "./recover.js";
import { startSeal } from "./seal.js";
import { startVerify } from "./verify.js";

const links = () => findAll("nav a") as HTMLAnchorElement[];

/** Shows the view that the address names, and moves the focus there. */
function route(isFirst: boolean): void {
  const named = location.hash.slice(1);
  const views = findAll("main > section");
  const view = views.find(({ id }) => id === named) ?? views[0]!;
  for (const one of views) one.hidden = one !== view;
  for (const link of links()) {
    if (link.hash === `#${view.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${find("h2", view).textContent} · Twinwrap`;
  if (!isFirst) find("h2", view).focus();
}

/** Says whom the page may ask, if it was built for that. */
function tellConnects(): void {
  const origins = openOrigins();
  find("#connects").textContent = origins.join(", ");
  for (const place of findAll("[data-connects]")) place.hidden = origins.length === 0;
}

useWasm(new URL(hasRelaxedSimd() ? "core-relaxed.wasm" : "core.wasm", document.baseURI));
// It is ready when it is needed. Errors show only then.
sharedCore().catch(() => {});
find("#insecure").hidden = isSecureContext;
tellConnects();
makeFileInputs();
showKeyring();
startKeys();
startSeal();
startOpen();
startInspect();
startRecover();
startVerify();
addEventListener("hashchange", () => route(false));
route(true);
