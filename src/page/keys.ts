import { wipe } from "../bytes.js";
import { generateKeyPair, wipePrivateKey, writePrivateKey, writePublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { download, find, make } from "./dom.js";
import { chosen } from "./files.js";
import { addFile, addKey, keys, type TabKey } from "./keyring.js";
import { readMessageBytes } from "./messages.js";
import { PageError } from "./words.js";
import { onSubmit, type Task, work } from "./work.js";

/** Keys and authorities are added as soon as their files are there. */
function startAdding(): void {
  const input = find<HTMLInputElement>("#key-files");
  input.addEventListener("change", async () => {
    const files = chosen("key-files");
    if (files.length === 0) return;
    const tasks: Task[] = files.map((file) => ({
      name: file.name,
      run: async () => safe(await addFile(file.name, await readMessageBytes(file))),
    }));
    await work(find("#key-work"), tasks);
    // The same file can be chosen again.
    input.value = "";
    input.dispatchEvent(new Event("change"));
  });
}

async function makePair(form: HTMLFormElement): Promise<Node> {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? "");
  const name =
    text("name")
      .replace(/[/\\:]/g, "_")
      .trim() || "mine";
  const passphrase = text("passphrase");
  const unlocked = data.get("open") !== null;
  if (unlocked && passphrase !== "") {
    throw new PageError("With a passphrase or without? Empty the fields, or untick the box.");
  }
  if (!unlocked && passphrase === "") {
    throw new PageError("Give a passphrase, or say that you want none.");
  }
  if (passphrase !== text("again")) throw new PageError("The two passphrases are not the same.");
  const { publicKey, privateKey } = await generateKeyPair({ bits: Number(text("bits")) });
  const file = `${name}.pem`;
  let key: TabKey;
  let locked: Uint8Array<ArrayBuffer> | undefined;
  try {
    if (!unlocked) locked = await writePrivateKey(privateKey, "pem", { passphrase });
    key = await addKey(file, publicKey, privateKey);
  } catch (error) {
    wipePrivateKey(privateKey);
    throw error;
  }
  // A browser may refuse a download, and files get lost. The key can be saved again while it is here.
  const savePrivate = async () => {
    if (!keys.includes(key)) return;
    const pem = locked ?? (await writePrivateKey(privateKey, "pem"));
    try {
      download(file, pem);
    } finally {
      if (pem !== locked) wipe(pem);
    }
  };
  await savePrivate();
  download(`${name}.pub.pem`, writePublicKey(publicKey, "pem"));
  for (const field of form.querySelectorAll<HTMLInputElement>("[type=password]")) field.value = "";
  const onclick = () => void savePrivate();
  return make(
    "div",
    {},
    make(
      "p",
      {},
      `${safe(file)} is your private key: see that it was saved, keep it, and a copy of it. ${safe(name)}.pub.pem is for those who seal files for you.`,
    ),
    make("button", { type: "button", class: "second", onclick }, `Save ${safe(file)} again`),
  );
}

export function startKeys(): void {
  startAdding();
  const details = find("#make");
  const form = find<HTMLFormElement>("form", details);
  onSubmit(form, find(".work", details), () => [{ name: "Key pair", run: () => makePair(form) }]);
}
