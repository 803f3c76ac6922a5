import { find, make } from "./dom.js";
import { chosen } from "./files.js";
import type { Keeper } from "./keeper.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";

// Where several files go: into one zip, into a folder, or each to where the browser puts its downloads.

export type Where = "zip" | "folder" | "each";

/** The part of File System Access that TypeScript's DOM lacks. */
export type PickFolder = (options: { mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>;
const folderPicker = () => (globalThis as { showDirectoryPicker?: PickFolder }).showDirectoryPicker;

/** Asks where to save as soon as there is more than one file. */
export function showWhere(input: string, place: string): void {
  const group = find(`#${place}`);
  const ways: Where[] = folderPicker() === undefined ? ["zip", "each"] : ["zip", "folder", "each"];
  for (const way of ways) {
    const button = make("input", { type: "radio", name: "where", value: way });
    button.checked = way === "zip";
    group.append(make("label", { class: "check" }, button, make("span", {}, TEXTS.bulk[way])));
  }
  find(`#${input}`).addEventListener("change", () => {
    group.hidden = chosen(input).length < 2;
  });
}

export function chosenWhere(form: HTMLFormElement): Where {
  const value = String(new FormData(form).get("where"));
  return value === "folder" || value === "each" ? value : "zip";
}

/**
 * What takes these files; undefined if each is saved by itself. Call it right after a click: it may open a picker.
 * @throws PageError if no folder was chosen
 */
export async function keeperFor(
  where: Where,
  files: readonly File[],
  zipName: string,
): Promise<Keeper | undefined> {
  if (files.length < 2 || where === "each") return undefined;
  const { folderKeeper, zipKeeper } = await import("./keepers.js");
  if (where === "zip") return zipKeeper(zipName);
  try {
    return folderKeeper(await folderPicker()!({ mode: "readwrite" }));
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
    throw new PageError(TEXTS.errors.ABORTED!.what!, "[name=where]");
  }
}
