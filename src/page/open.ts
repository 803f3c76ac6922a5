import { open, save } from "../browser.js";
import { fromUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { safe } from "../text.js";
import { chosenWhere, keeperFor, showWhere } from "./bulk.js";
import { find, make } from "./dom.js";
import { chosen } from "./files.js";
import type { Keeper } from "./keeper.js";
import { privateKeys } from "./keyring.js";
import { DOWNLOADS, workOptions } from "./options.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

const { open: words } = TEXTS;

/** The most bytes that are shown as text. */
const SHOWN = 256 * 1024;

/** The name of the opened file. It is not taken from the header, which anybody could have written. */
function openedName(name: string): string {
  return name.endsWith(".twin") && name !== ".twin" ? name.slice(0, -5) : `${name}.opened`;
}

/** Opens a file with the keys in this tab, and saves it. @param keeper takes it; undefined: it is saved by itself */
export async function openAndSave(
  file: Blob,
  name: string,
  { keeper, picker = false }: { keeper?: Keeper | undefined; picker?: boolean },
  doing: Doing,
): Promise<Node> {
  const opened = () => open(file, { key: privateKeys(), ...workOptions(doing) });
  if (keeper === undefined) {
    await save(opened(), { name: openedName(name), picker, ...DOWNLOADS });
    return make("p", {}, words.opened(safe(openedName(name))));
  }
  if (keeper.readsAhead(file.size)) {
    for await (const _ of await opened());
  }
  const kept = await keeper.add(openedName(name), await opened(), file.size);
  return make("p", {}, words.opened(safe(kept)));
}

async function show(file: File, doing: Doing): Promise<Node> {
  const opened = await open(file, { key: privateKeys(), ...workOptions(doing) });
  if (opened.size! > SHOWN) {
    opened.dispose();
    throw new PageError(words.tooLarge);
  }
  const bytes = await opened.bytes();
  let text: string;
  try {
    text = fromUtf8(bytes).replace(/^\ufeff/, "");
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw new PageError(words.noText);
  }
  const lines = text.replace(/[^\t\r\n]+/g, (line) => safe(line));
  return make("pre", { tabindex: "0", "aria-label": words.textOf(safe(file.name)) }, lines);
}

export function startOpen(): void {
  const view = find("[data-view=open]");
  const form = find<HTMLFormElement>("form", view);
  showWhere("open-files", "open-where");
  onSubmit(form, find(".work", view), async (button) => {
    const files = chosen("open-files");
    if (files.length === 0) throw new PageError(words.noFiles, "[data-files=open-files]");
    if (privateKeys().length === 0) throw new PageError(words.noKey, "[data-needs-private]");
    const isShown = button === "show";
    const where = chosenWhere(form);
    const keeper = isShown ? undefined : await keeperFor(where, files, TEXTS.bulk.zipOpened);
    const given = { keeper, picker: files.length === 1 };
    const tasks = files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing: Doing) =>
        isShown ? show(file, doing) : openAndSave(file, file.name, given, doing),
    }));
    return { tasks, ...(keeper && { finish: keeper.finish }) };
  });
}
