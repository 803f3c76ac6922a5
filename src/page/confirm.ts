import { find } from "./dom.js";

/** Asks whether something is meant that can't be taken back. "No" has the focus. @returns whether it is */
export function confirm(title: string, about: Node, yes: string): Promise<boolean> {
  const dialog = find<HTMLDialogElement>("#confirm");
  find("#confirm-title").textContent = title;
  find("#confirm-about").replaceChildren(about);
  find("#confirm-go").textContent = yes;
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => resolve(dialog.returnValue === "ok");
    dialog.addEventListener("close", closed, { once: true });
  });
}
