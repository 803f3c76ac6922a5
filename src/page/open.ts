import { open, save } from "../browser.js";
import { fromUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { safe } from "../text.js";
import { find, make } from "./dom.js";
import { chosen } from "./files.js";
import { privateKeys } from "./keyring.js";
import { DOWNLOADS, workOptions } from "./options.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

/** The most bytes that are shown as text. */
const SHOWN = 256 * 1024;

/** The name of the opened file. It is not taken from the header, which anybody could have written. */
function openedName(name: string): string {
  return name.endsWith(".twin") && name !== ".twin" ? name.slice(0, -5) : `${name}.opened`;
}

/** Opens a file with the keys in this tab, and saves it. */
export async function openAndSave(
  file: Blob,
  name: string,
  picker: boolean,
  doing: Doing,
): Promise<Node> {
  const opened = open(file, { key: privateKeys(), ...workOptions(doing) });
  await save(opened, { name: openedName(name), picker, ...DOWNLOADS });
  return make("p", {}, `Opened and authentic to its end. Saved as ${safe(openedName(name))}.`);
}

async function show(file: File, doing: Doing): Promise<Node> {
  const opened = await open(file, { key: privateKeys(), ...workOptions(doing) });
  if (opened.size! > SHOWN) {
    opened.dispose();
    throw new PageError("This is too large to be shown here; open and save it.");
  }
  const bytes = await opened.bytes();
  let text: string;
  try {
    text = fromUtf8(bytes).replace(/^\ufeff/, "");
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw new PageError("This is no text; open and save it.");
  }
  const lines = text.replace(/[^\t\r\n]+/g, (line) => safe(line));
  return make("pre", { tabindex: "0", "aria-label": `Text of ${safe(file.name)}` }, lines);
}

export function startOpen(): void {
  const view = find("#open");
  onSubmit(find<HTMLFormElement>("form", view), find(".work", view), (button) => {
    const files = chosen("open-files");
    if (files.length === 0) throw new PageError("Choose the sealed files first.");
    if (privateKeys().length === 0) {
      throw new PageError("Add the private key under “Keys in this tab” first.");
    }
    return files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing) =>
        button === "show"
          ? show(file, doing)
          : openAndSave(file, file.name, files.length === 1, doing),
    }));
  });
}
