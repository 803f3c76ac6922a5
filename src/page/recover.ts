import { save } from "../browser.js";
import { standingOf, stateText } from "../client/officer.js";
import type { Party } from "../client/party.js";
import {
  addReleased,
  makeAsked,
  type Recovery,
  type Replacing,
  recordsToAsk,
  replaceReleased,
  takeRelease,
} from "../client/recover.js";
import { amend, inspectHead, rewrap } from "../envelope/index.js";
import {
  encodeRequest,
  parseRequestId,
  type RecoveryRequest,
  recipientFingerprint,
  requestHash,
  requestId,
  sayId,
} from "../escrow/index.js";
import { askingTexts, unshownTexts } from "../escrow/words.js";
import { formatTime } from "../jcs.js";
import { checkPublicKey, type RsaPrivateKey } from "../keys/index.js";
import { safe } from "../text.js";
import { chosenAuthority, chosenKeys } from "./choices.js";
import { download, facts, find, make, saveButton } from "./dom.js";
import { chosen } from "./files.js";
import { keyFor } from "./keyring.js";
import { presentParty, reach, reachNow, type TabAuthority } from "./link.js";
import { readMessage } from "./messages.js";
import { openAndSave } from "./open.js";
import { DOWNLOADS } from "./options.js";
import { patched } from "./patched.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

const NO_ROOM =
  "The file's header has no room for one more wrap. The command line can make some: `twinwrap recover fetch` with --remove-owner of an old key, or with --rewrite.";

/** The records to ask for to recover these files. */
async function recordsOf(files: readonly File[], by: Party) {
  const records: Uint8Array[] = [];
  const unsure: string[] = [];
  for (const file of files) {
    const asked = await recordsToAsk(by, await inspectHead(file)).catch((error) => {
      throw error.code === "NOT_FOUND" ? new PageError(`${file.name}: ${error.message}.`) : error;
    });
    unsure.push(...askingTexts(asked).map((text) => `${file.name}: ${text}.`));
    records.push(...asked.records);
  }
  return { records, unsure };
}

async function ask(form: HTMLFormElement, files: readonly File[]): Promise<Node> {
  const by = chosenAuthority(form);
  const [key] = chosenKeys(form);
  if (key === undefined) throw new PageError("Choose your new key, or make one first.");
  checkPublicKey(key.publicKey, { forWrap: true });
  await reachNow(by);
  const { records, unsure } = await recordsOf(files, by);
  const { request, id } = makeAsked(by, {
    requester: String(new FormData(form).get("requester")),
    recipient: key.publicKey,
    records,
  });
  // A request that the authority refuses is not kept.
  await by.client?.ask(request);
  if (by.client !== undefined) find<HTMLInputElement>("#take [name=id]").value = sayId(id);
  const name = `${id}.request.json`;
  const bytes = encodeRequest(request);
  download(name, bytes);
  const origin = safe(by.authority.origin);
  return make(
    "div",
    {},
    make("p", {}, "Tell this to each officer yourself, so that they know that it is you who asks:"),
    make("output", { class: "id" }, sayId(id)),
    make(
      "p",
      {},
      by.client === undefined
        ? `Keep ${name}, and carry it to ${origin}.`
        : `${origin} has your request. Keep ${name}, too. Once the officers have agreed, fetch what was released below.`,
    ),
    ...unsure.map((text) => make("p", { class: "note" }, safe(text))),
    facts([
      ["New key", safe(key.name)],
      ["Good until", formatTime(request.expires)],
    ]),
    saveButton("Save the request again", name, bytes),
  );
}

/** Takes a release in. It must be for the request that was kept, or for a private key in this tab. */
async function checkTaken(one: TabAuthority, id: string): Promise<Recovery> {
  const [file] = chosen("take-release");
  const [kept] = chosen("take-request");
  const request = kept && (await readMessage(kept, "request")).request;
  if (file === undefined) return fetchReleased(one, request, id);
  const { release } = await readMessage(file, "release");
  await reach(one);
  const recovery = await takeRelease(presentParty(one), release, request && { request });
  if (request === undefined && newKeyOf(recovery) === undefined) {
    throw new PageError(
      "Nothing shows that this release is yours: choose the request that you kept, or add your new private key.",
    );
  }
  return recovery;
}

/** Fetches what was released for a request: for the one that was kept, or for the one with an ID. */
async function fetchReleased(
  one: TabAuthority,
  request: RecoveryRequest | undefined,
  typed: string,
): Promise<Recovery> {
  if (one.link === undefined) throw new PageError("Choose the release that came back first.");
  if (request === undefined && typed === "") {
    throw new PageError("Which request? Give its ID, or choose the request that you kept.");
  }
  const id =
    request === undefined ? parseRequestId(typed) : requestId(requestHash(one.core, request));
  await reachNow(one);
  const release = await one.client!.released(id);
  if (release === undefined) {
    const state = stateText(await standingOf(one, id));
    throw new PageError(`Nothing was released yet: ${state}. Fetch it again later.`);
  }
  return takeRelease(one, release, request === undefined ? { id } : { request });
}

/** The private key that the release is for, if it is in this tab. */
function newKeyOf({ party, checked }: Recovery): RsaPrivateKey | undefined {
  return keyFor(recipientFingerprint(party.core, checked.request))?.privateKey;
}

/** A file with the wrap that was released for it. If the private key is here, the wrap is opened first. */
async function withReleased(file: File, recovery: Recovery) {
  const key = newKeyOf(recovery);
  if (key !== undefined) {
    let unshown: string[] = [];
    const note = (replacing: Replacing) => {
      unshown = unshownTexts(replacing.unshown);
    };
    const { patch } = await rewrap(file, replaceReleased(recovery, key, {}, note));
    return { now: patched(file, patch!), opened: true, unshown };
  }
  const { patch } = await amend(file, addReleased(recovery));
  return { now: patched(file, patch), opened: false, unshown: [] };
}

async function take(
  file: File,
  { recovery, picker, openIt }: { recovery: Recovery; picker: boolean; openIt: boolean },
  doing: Doing,
): Promise<Node> {
  const { now, opened, unshown } = await withReleased(file, recovery).catch((error) => {
    throw error.code === "NO_ROOM" ? new PageError(NO_ROOM) : error;
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
    ...unshown.map((text) => make("p", { class: "note" }, `Not shown: ${text}.`)),
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
    const recovery = await checkTaken(by, String(new FormData(taking).get("id")).trim());
    const given = { recovery, picker: files.length === 1, openIt: button === "open" };
    return files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing: Doing) => take(file, given, doing),
    }));
  });
}
