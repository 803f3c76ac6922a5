import { TwinwrapError } from "../errors.js";
import { safe } from "../text.js";
import { find } from "./dom.js";
import { TEXTS } from "./texts.js";

/**
 * Does something that may need a passphrase. Asks for it when it is needed, and again while it is wrong.
 * @param use called with the function that asks
 * @throws TwinwrapError ABORTED if the dialog is closed, and what `use` throws
 */
export async function askPassphrase<T>(
  name: string,
  use: (passphrase: () => Promise<string>) => Promise<T>,
): Promise<T> {
  for (let why = ""; ; why = TEXTS.passphrase.wrong) {
    try {
      return await use(() => show(name, why));
    } catch (error) {
      if (!(error instanceof TwinwrapError) || error.code !== "WRONG_PASSPHRASE") throw error;
    }
  }
}

function show(name: string, why: string): Promise<string> {
  const dialog = find<HTMLDialogElement>("#passphrase");
  const input = find<HTMLInputElement>("input", dialog);
  find("#passphrase-for").textContent = safe(name);
  find("#passphrase-why").textContent = why;
  input.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  input.focus();
  return new Promise((resolve, reject) => {
    const closed = () => {
      const { value } = input;
      input.value = "";
      if (dialog.returnValue === "ok") resolve(value);
      else reject(new TwinwrapError("ABORTED", "no passphrase was given"));
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}
