import { wipe } from "../bytes.js";
import { generateKeyPair, wipePrivateKey, writePrivateKey, writePublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { download, find, make } from "./dom.js";
import { onFiles } from "./files.js";
import { addKey, keys, type TabKey } from "./keyring.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { onSubmit, type Task, work } from "./work.js";

const { make: words } = TEXTS;

/** Adds keys and authorities. Only what is more than a card in the list is said. */
export function addFiles(files: readonly File[], place: HTMLElement): Promise<void> {
  const tasks: Task[] = files.map((file) => ({
    name: file.name,
    run: async () => {
      const { addFile } = await import("./add.js");
      const said = await addFile(file);
      return said && safe(said);
    },
  }));
  return work(place, { tasks });
}

/** A passphrase that was typed twice. @throws PageError */
export function typedPassphrase(data: FormData): string {
  const passphrase = String(data.get("passphrase") ?? "");
  if (passphrase !== String(data.get("again") ?? "")) {
    throw new PageError(words.different, "[name=again]");
  }
  return passphrase;
}

/** A key that was made, and what saves its private half. */
export interface MadeKey {
  key: TabKey;
  file: string;
  save(): Promise<void>;
}

/** Makes a key pair, and saves its private half. @param passphrase undefined: it is not locked */
export async function makeAndSave(
  name: string,
  bits: number,
  passphrase: string | undefined,
): Promise<MadeKey> {
  const { publicKey, privateKey } = await generateKeyPair({ bits });
  const file = `${name}.pem`;
  let key: TabKey;
  let locked: Uint8Array<ArrayBuffer> | undefined;
  try {
    if (passphrase !== undefined) locked = await writePrivateKey(privateKey, "pem", { passphrase });
    key = await addKey(file, publicKey, privateKey);
  } catch (error) {
    wipePrivateKey(privateKey);
    throw error;
  }
  // A browser may refuse a download, and files get lost. The key can be saved again while it is here.
  const save = async () => {
    if (!keys.includes(key)) return;
    const pem = locked ?? (await writePrivateKey(privateKey, "pem"));
    try {
      download(file, pem);
    } finally {
      if (pem !== locked) wipe(pem);
    }
  };
  await save();
  return { key, file, save };
}

/** A button that saves a made key again. */
export function againButton({ file, save }: MadeKey): HTMLElement {
  const onclick = () => void save();
  return make(
    "button",
    { type: "button", class: "second", onclick },
    TEXTS.page.saveAgain(safe(file)),
  );
}

/** Forgets typed passphrases. */
export function emptyPassphrases(form: HTMLFormElement): void {
  for (const field of form.querySelectorAll<HTMLInputElement>("[type=password]")) field.value = "";
}

async function makePair(form: HTMLFormElement, data: FormData): Promise<Node> {
  const typed = String(data.get("name") ?? "");
  const name = typed.replace(/[/\\:]/g, "_").trim() || "mine";
  const passphrase = data.get("open") === null ? typedPassphrase(data) : undefined;
  const made = await makeAndSave(name, Number(data.get("bits")), passphrase);
  const pub = `${name}.pub.pem`;
  download(pub, writePublicKey(made.key.publicKey, "pem"));
  emptyPassphrases(form);
  return make(
    "div",
    {},
    make("p", {}, words.made(safe(made.file), safe(pub))),
    make("p", { class: "next" }, make("a", { href: "#seal" }, words.next)),
    againButton(made),
  );
}

/** @throws PageError at the field that has to be mended */
function checkMaking(data: FormData): void {
  const unlocked = data.get("open") !== null;
  const passphrase = typedPassphrase(data);
  if (unlocked && passphrase !== "") throw new PageError(words.both, "[name=passphrase]");
  if (!unlocked && passphrase === "") throw new PageError(words.neither, "[name=passphrase]");
}

export function startKeys(): void {
  onFiles("key-files", (files) => addFiles(files, find("#key-work")));
  const details = find("#make");
  const form = find<HTMLFormElement>("form", details);
  onSubmit(form, find(":scope > .work", details), () => {
    const data = new FormData(form);
    checkMaking(data);
    return [{ name: words.task, run: () => makePair(form, data) }];
  });
}
