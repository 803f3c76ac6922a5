import { formatSize, safe } from "../text.js";
import { find, findAll, make } from "./dom.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";

// Where files come in. Each place is an ordinary file input, which works with keyboards and screen readers. Files
// can also be dropped on its label.

/** Makes the file inputs in the places that the page's HTML has for them. */
export function makeFileInputs(): void {
  for (const place of findAll("[data-files]")) {
    const { files: name, label, hint } = place.dataset;
    const input = make("input", { type: "file", id: name!, multiple: "multiple" in place.dataset });
    const list = make("ul", { class: "files", "aria-live": "polite" });
    const drop = make(
      "label",
      { class: "drop", for: name! },
      make("span", {}, label!),
      make("small", {}, `${TEXTS.page.choose} ${hint ?? ""}`),
      input,
    );
    place.append(drop, list);
    const show = () => {
      list.replaceChildren(
        ...[...(input.files ?? [])].map((file) =>
          make("li", {}, `${safe(file.name)}, ${formatSize(file.size)}`),
        ),
      );
    };
    input.addEventListener("change", show);
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const dropped = event.dataTransfer?.files;
      if (dropped === undefined || dropped.length === 0) return;
      input.files = dropped;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
  // A file that misses its place must not replace the page, and the keys with it.
  for (const type of ["dragover", "drop"]) {
    document.addEventListener(type, (event) => event.preventDefault());
  }
}

/** The files that were chosen under a name. */
export function chosen(name: string): File[] {
  return [...(find<HTMLInputElement>(`#${name}`).files ?? [])];
}

/** Puts files where they would be chosen. */
export function putFiles(name: string, files: readonly File[]): void {
  const input = find<HTMLInputElement>(`#${name}`);
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Calls back with files as soon as they are there. The same ones can be chosen again then. */
export function onFiles(name: string, take: (files: File[]) => Promise<void>): void {
  find(`#${name}`).addEventListener("change", async () => {
    const files = chosen(name);
    if (files.length === 0) return;
    await take(files);
    putFiles(name, []);
  });
}

/** Reads a small file. @param limit most bytes: a larger file is not read at all @throws PageError */
export async function readAll(file: File, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > limit) {
    throw new PageError(TEXTS.words.tooLargeFile);
  }
  return new Uint8Array(await file.arrayBuffer());
}
