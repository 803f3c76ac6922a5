import { save } from "../browser.js";
import { equalBytes } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { amend, inspectHead, rewrap, type Wrap } from "../envelope/index.js";
import {
  type CheckedRelease,
  checkRelease,
  encodeRequest,
  findReleased,
  makeRequest,
  recipientFingerprint,
  requestHash,
  requestId,
  sayId,
  submissionsToAsk,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { checkPublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { chosenAuthority, chosenKeys } from "./choices.js";
import { download, facts, find, make, saveButton } from "./dom.js";
import { chosen } from "./files.js";
import { keyFor, type TabAuthority } from "./keyring.js";
import { readMessage } from "./messages.js";
import { openAndSave } from "./open.js";
import { DOWNLOADS } from "./options.js";
import { patched } from "./patched.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

const NO_ROOM =
  "The file's header has no room for one more wrap. The command line can make some: `twinwrap recover fetch` with --drop of an old key, or with --rewrite.";

/** The records to ask for, so that these files can be recovered. */
async function recordsOf(files: readonly File[], { authority, view }: TabAuthority) {
  const core = await sharedCore();
  const records: Uint8Array[] = [];
  const unsure: string[] = [];
  for (const file of files) {
    const { held, proven } = await submissionsToAsk(core, await inspectHead(file), authority, view);
    if (held.length === 0) {
      throw new PageError(`${file.name} is not escrowed with ${authority.origin}.`);
    }
    if (!proven) unsure.push(file.name);
    records.push(...held.map(({ record }) => record));
  }
  return { records, unsure };
}

async function ask(form: HTMLFormElement, files: readonly File[]): Promise<Node> {
  const core = await sharedCore();
  const by = chosenAuthority(form);
  const [key] = chosenKeys(form);
  if (key === undefined) throw new PageError("Choose your new key, or make one first.");
  checkPublicKey(key.publicKey, { forWrap: true });
  const { records, unsure } = await recordsOf(files, by);
  const request = makeRequest({
    authority: by.authority.origin,
    requester: String(new FormData(form).get("requester")),
    recipient: key.publicKey,
    records,
  });
  const id = requestId(requestHash(core, request));
  const name = `${id}.request.json`;
  const bytes = encodeRequest(request);
  download(name, bytes);
  return make(
    "div",
    {},
    make("p", {}, "Tell this to each officer yourself, so that he knows that it is you who asks:"),
    make("output", { class: "id" }, sayId(id)),
    make("p", {}, `Keep ${name}, and carry it to ${safe(by.authority.origin)}.`),
    ...unsure.map((file) =>
      make(
        "p",
        { class: "note" },
        `${safe(file)}: no receipt in it verifies. If the authority did not get its submission, it refuses the whole request.`,
      ),
    ),
    facts([
      ["New key", safe(key.name)],
      ["Good until", formatTime(request.expires)],
    ]),
    saveButton("Save the request again", name, bytes),
  );
}

/** Checks a release: it has to be for the request that was kept, or for a private key in this tab. */
async function checkTaken(by: TabAuthority): Promise<CheckedRelease> {
  const [file] = chosen("take-release");
  if (file === undefined) throw new PageError("Choose the release that came back first.");
  const { release } = await readMessage(file, "release");
  const [kept] = chosen("take-request");
  const core = await sharedCore();
  const expected = kept && { request: (await readMessage(kept, "request")).request };
  const checked = await checkRelease(core, release, by.authority, expected, by.view);
  const mine = keyFor(recipientFingerprint(core, checked.request));
  if (expected === undefined && mine?.privateKey === undefined) {
    throw new PageError(
      "Nothing shows that this release is yours: choose the request that you kept, or add your new private key.",
    );
  }
  return checked;
}

/** A file with the wrap that was released for it. With the private key it is opened before it counts. */
async function withReleased(file: File, checked: CheckedRelease, by: TabAuthority) {
  const core = await sharedCore();
  const find = async (head: Parameters<typeof findReleased>[2]): Promise<Wrap> => {
    const wrap = await findReleased(core, checked, head, by.authority, [], by.view);
    if (wrap === undefined) throw new PageError("The release has nothing for this file.");
    return wrap;
  };
  const key = keyFor(recipientFingerprint(core, checked.request))?.privateKey;
  if (key !== undefined) {
    const { patch } = await rewrap(file, async (head) => ({
      key,
      released: [await find(head)],
      rewrite: false,
    }));
    return { now: patched(file, patch!), opened: true };
  }
  const { patch } = await amend(file, async (head) => {
    const wrap = await find(head);
    const isThere = head.header.wraps.some(
      (other) =>
        equalBytes(other.fingerprint, wrap.fingerprint) &&
        equalBytes(other.simpleBlob, wrap.simpleBlob),
    );
    return { wraps: isThere ? head.header.wraps : [...head.header.wraps, wrap] };
  });
  return { now: patched(file, patch), opened: false };
}

async function take(
  file: File,
  {
    checked,
    by,
    picker,
    openIt,
  }: { checked: CheckedRelease; by: TabAuthority; picker: boolean; openIt: boolean },
  doing: Doing,
): Promise<Node> {
  const { now, opened } = await withReleased(file, checked, by).catch((error) => {
    throw error.code === "LIMIT_EXCEEDED" ? new PageError(NO_ROOM) : error;
  });
  if (openIt) {
    if (!opened) throw new PageError("Add your new private key under “Keys in this tab” first.");
    return openAndSave(now, file.name, picker, doing);
  }
  await save(now, { name: file.name, picker, ...DOWNLOADS });
  return make(
    "p",
    {},
    opened
      ? "Recovered: your new key opens it. Keep this file in place of the old one."
      : "The wrap for your new key was added; whether it opens shows with the private key.",
  );
}

export function startRecover(): void {
  const asking = find<HTMLFormElement>("#ask");
  onSubmit(asking, find("#ask-work"), () => {
    const files = chosen("ask-files");
    if (files.length === 0) throw new PageError("Choose the sealed files first.");
    return [{ name: "Recovery request", run: () => ask(asking, files) }];
  });
  const taking = find<HTMLFormElement>("#take");
  onSubmit(taking, find("#take-work"), async (button) => {
    const files = chosen("take-files");
    if (files.length === 0) throw new PageError("Choose the sealed files first.");
    const by = chosenAuthority(taking);
    const checked = await checkTaken(by);
    const given = { checked, by, picker: files.length === 1, openIt: button === "open" };
    return files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing: Doing) => take(file, given, doing),
    }));
  });
}
