import { toHex } from "../bytes.js";
import type { Party } from "../client/party.js";
import {
  type Asked,
  makeAsked,
  type Recovery,
  recordsToAsk,
  type ToAsk,
  takeRelease,
} from "../client/recover.js";
import { inspectHead } from "../envelope/index.js";
import {
  encodeRequest,
  originsOf,
  parseRequestId,
  type RecoveryRequest,
  requestHash,
  requestId,
  sayId,
} from "../escrow/index.js";
import { checkPublicKey } from "../keys/index.js";
import { safe } from "../text.js";
import { chosenWhere, keeperFor, showWhere } from "./bulk.js";
import { onChange } from "./changes.js";
import { chosenAuthority } from "./choices.js";
import { details, download, facts, find, make, moment, saveButton } from "./dom.js";
import { chosen, onFiles, putFiles } from "./files.js";
import { Guide } from "./guide.js";
import { authorities, isOwn, keys, type TabKey } from "./keyring.js";
import {
  addFiles,
  againButton,
  emptyPassphrases,
  type MadeKey,
  makeAndSave,
  typedPassphrase,
} from "./keys.js";
import { presentParty, reachNow } from "./link.js";
import { readMessage } from "./messages.js";
import { newKeyOf, takeReleased } from "./released.js";
import { printNumber, sheetButton } from "./sheet.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { Lookout } from "./waiting.js";
import { complaintOf, PageError } from "./words.js";
import { type Doing, onSubmit, type Task } from "./work.js";

// Recovery as a row of questions. What was answered stands here, until the tab is closed; what it takes to go on after
// that is saved before anything is sent.

const { recover: words } = TEXTS;
const KEY_BITS = 3072;

/** What was answered so far. */
interface Answers {
  files: File[];
  /** What was kept of a request that was made before, or its ID. */
  kept: RecoveryRequest | undefined;
  id: string | undefined;
  by: TabAuthority | undefined;
  key: TabKey | undefined;
  /** What saves the key again, if it was made here. */
  made: MadeKey | undefined;
  asked: Asked | undefined;
  recovery: Recovery | undefined;
}

const NOTHING: Answers = {
  files: [],
  kept: undefined,
  id: undefined,
  by: undefined,
  key: undefined,
  made: undefined,
  asked: undefined,
  recovery: undefined,
};
const answers: Answers = { ...NOTHING };

let guide: Guide;
let lookout: Lookout | undefined;

/** A question's task: it has no result of its own, since the guide goes on. */
function asks(name: string, run: (doing: Doing) => Promise<Node | undefined>): Task[] {
  return [{ name, run }];
}

async function answerFiles(form: HTMLFormElement): Promise<Task[]> {
  const files = chosen("lost-files");
  if (files.length === 0) throw new PageError(words.noFiles, "[data-files=lost-files]");
  const [kept] = chosen("resume-request");
  const typed = String(new FormData(form).get("id")).trim();
  return asks(words.filesTitle, async () => {
    const origins: string[] = [];
    for (const file of files) {
      const head = await inspectHead(file).catch((error) => {
        throw new PageError(words.about1(file.name, complaintOf(error).what));
      });
      origins.push(...originsOf(head), ...head.header.escrow);
    }
    answers.files = files;
    answers.kept = kept && (await readMessage(kept, "request")).request;
    answers.id = typed === "" ? undefined : parseRequestId(typed);
    showKeeper([...new Set([...origins, ...(answers.kept ? [answers.kept.authority] : [])])]);
    guide.answer("files", files.map(({ name }) => safe(name)).join(", "));
    guide.go("keeper");
    return undefined;
  });
}

/** Says who keeps the spare key by what the files say, and whether the page knows them. */
function showKeeper(origins: readonly string[]): void {
  const known = authorities.filter(({ authority }) => origins.includes(authority.origin));
  const names = origins.map((origin) => safe(origin)).join(", ");
  const said = origins.length === 0 ? words.keeperNone : words.keeperSaid(names);
  const here = known.length > 0 ? words.keeperHere : words.keeperMissing(names);
  find("#keeper-said").textContent = origins.length === 0 ? said : `${said} ${here}`;
  const [one] = known;
  if (one === undefined) return;
  for (const input of find("#keeper-choice").querySelectorAll("input")) {
    const index = authorities.findIndex(({ authority }) => authority === one.authority);
    input.checked = input === find("#keeper-choice").querySelectorAll("input")[index];
  }
}

async function answerKeeper(form: HTMLFormElement): Promise<Task[]> {
  if (authorities.length === 0) throw new PageError(words.noKeeper, "[data-files=keeper-file]");
  const by = chosenAuthority(form);
  return asks(words.keeperTitle, async () => {
    await reachNow(by);
    answers.by = by;
    guide.answer("keeper", words.keeperIs(safe(by.authority.origin), by.link !== undefined));
    if (answers.kept === undefined && answers.id === undefined) {
      guide.go("key");
      return undefined;
    }
    if (by.link === undefined && answers.kept === undefined) {
      throw new PageError(words.carriedNumber);
    }
    goOnWaiting(by);
    return undefined;
  });
}

/** Offers the private keys of this tab, and a new one. */
function showKeyChoice(): void {
  const place = find("#new-key-choice");
  onChange(() => {
    const own = keys.filter(isOwn);
    const before = place.querySelector<HTMLInputElement>("input:checked")?.value;
    const isThere = own.some(({ fingerprint }) => toHex(fingerprint) === before);
    place.replaceChildren(
      ...(own.length === 0 ? [] : [undefined, ...own]).map((key) => {
        const value = key === undefined ? "new" : toHex(key.fingerprint);
        const input = make("input", { type: "radio", name: "key", value });
        input.checked = isThere ? value === before : key === undefined;
        const text = key === undefined ? words.keyNew : words.keyUse(safe(key.name));
        return make("label", { class: "check" }, input, make("span", {}, text));
      }),
    );
    find("#new-key").hidden = isThere;
  });
  place.addEventListener("change", (event) => {
    find("#new-key").hidden = (event.target as HTMLInputElement).value !== "new";
  });
}

function answerKey(form: HTMLFormElement): Task[] {
  const data = new FormData(form);
  const choice = data.get("key");
  const key = keys.find(({ fingerprint }) => toHex(fingerprint) === choice);
  if (key !== undefined) {
    return asks(words.keyTitle, async () => {
      checkPublicKey(key.publicKey, { forWrap: true });
      answers.made = undefined;
      goOnWith(key, safe(key.name));
      return undefined;
    });
  }
  const passphrase = typedPassphrase(data);
  if (passphrase === "") throw new PageError(TEXTS.make.noPassphrase, "[name=passphrase]");
  return asks(words.keyTitle, async () => {
    const day = new Date().toISOString().slice(0, 10);
    const made = await makeAndSave(`new-key-${day}`, KEY_BITS, passphrase);
    emptyPassphrases(form);
    answers.made = made;
    goOnWith(made.key, words.keyMade(safe(made.file)));
    return undefined;
  });
}

function goOnWith(key: TabKey, said: string): void {
  answers.key = key;
  guide.answer("key", said);
  guide.go("who");
}

/** What to know before a file's records are asked for. */
function unsureTexts({ known, lost, contradiction }: ToAsk): string[] {
  const { unsure } = TEXTS;
  const state = lost ? [unsure.lostAsking] : known ? [] : [unsure.unknown];
  return contradiction === undefined
    ? state
    : [unsure.contradiction(safe(contradiction)), ...state];
}

/** The records to ask for to recover these files. */
async function recordsOf(files: readonly File[], by: Party) {
  const records: Uint8Array[] = [];
  const unsure: string[] = [];
  for (const file of files) {
    const asked = await recordsToAsk(by, await inspectHead(file)).catch((error) => {
      if (error.code !== "NOT_FOUND") throw error;
      throw new PageError(words.about1(file.name, words.notKept(safe(by.authority.origin))));
    });
    unsure.push(...unsureTexts(asked).map((text) => words.about1(file.name, `${text}.`)));
    records.push(...asked.records);
  }
  return { records, unsure };
}

/** Makes the request, and saves it. Nothing is sent yet. */
async function answerWho(form: HTMLFormElement): Promise<Task[]> {
  // Nobody types a control character, and no request may have one.
  const requester = String(new FormData(form).get("requester"))
    .replace(/\p{Cc}/gu, "")
    .trim();
  if (requester === "") throw new PageError(words.noName, "[name=requester]");
  const { by, key, made, files } = answers;
  return asks(words.requestName, async () => {
    await reachNow(by!);
    const { records, unsure } = await recordsOf(files, by!);
    answers.asked = makeAsked(by!, { requester, recipient: key!.publicKey, records });
    const { request, id } = answers.asked;
    const name = `${id}.request.json`;
    const bytes = encodeRequest(request);
    download(name, bytes);
    const origin = safe(by!.authority.origin);
    const isAsked = by!.link !== undefined;
    const again = saveButton(TEXTS.page.saveAgain(name), name, bytes);
    find("#send-about").replaceChildren(
      make("p", {}, words.sendKept),
      make(
        "ul",
        {},
        made === undefined ? undefined : make("li", {}, safe(made.file)),
        make("li", {}, name),
      ),
      make("p", {}, isAsked ? words.sendNext(origin) : words.carryNext(name, origin)),
      ...unsure.map((text) => make("p", { class: "note" }, safe(text))),
      again,
      ...(made === undefined ? [] : [againButton(made)]),
      details(
        facts([
          [words.newKey, safe(key!.name)],
          [words.goodUntil, moment(request.expires)],
        ]),
      ),
    );
    const { form: sending } = guide.step("send");
    find("button[type=submit]", sending).textContent = isAsked ? words.send : words.carried;
    find<HTMLInputElement>("[name=saved]", sending).checked = false;
    guide.answer("who", safe(requester));
    guide.go("send");
    return undefined;
  });
}

async function send(form: HTMLFormElement): Promise<Task[]> {
  if (new FormData(form).get("saved") === null) {
    throw new PageError(words.notSaved, "[name=saved]");
  }
  const { by, asked } = answers;
  return asks(words.requestName, async () => {
    await by!.client?.ask(asked!.request);
    answers.kept = asked!.request;
    goOnWaiting(by!);
    return undefined;
  });
}

/** Shows the number to tell, and waits for a release. */
function goOnWaiting(by: TabAuthority): void {
  const { kept } = answers;
  const id = kept === undefined ? answers.id! : requestId(requestHash(by.core, kept));
  const isAsked = by.link !== undefined;
  const number = sayId(id);
  const copied = make("span", { role: "status" });
  const output = make("output", { class: "id", "aria-label": words.number }, number);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(number);
      copied.textContent = words.copied;
    } catch {
      // Where a page may not write there, people can.
      getSelection()?.selectAllChildren(output);
    }
  };
  find("#wait-about").replaceChildren(
    make("p", {}, words.tell),
    output,
    make("button", { type: "button", class: "second", onclick: () => void copy() }, words.copy),
    sheetButton(words.sheet, () => printNumber(number, by.authority)),
    copied,
  );
  find("#wait-state").replaceChildren();
  find("[data-files=take-release]").hidden = isAsked;
  const { form } = guide.step("wait");
  find("button[type=submit]", form).textContent = isAsked ? words.lookNow : words.releaseGo;
  showWhileOpen(true);
  // Whoever has come back was not asked again.
  if (answers.asked === undefined) {
    guide.answer("key", words.asBefore);
    guide.answer("who", kept === undefined ? words.asBefore : safe(kept.requester));
  }
  guide.answer("send", safe(by.authority.origin));
  guide.go("wait", true);
  find("#recover-again").hidden = false;
  const mine: Lookout | undefined = isAsked
    ? new Lookout({
        by,
        id,
        request: kept,
        place: find("#wait-state"),
        isWanted: () => guide.isAt("wait") && lookout === mine,
        onRelease: goOnTaking,
        onOver: () => showWhileOpen(false),
      })
    : undefined;
  lookout = mine;
  void mine?.look();
}

/** What makes sense only while something can come of the request. */
function showWhileOpen(isOpen: boolean): void {
  find("#wait-about").hidden = !isOpen;
  find("button[type=submit]", guide.step("wait").form).hidden = !isOpen;
}

async function answerWait(): Promise<Task[]> {
  if (lookout !== undefined) {
    await lookout.look();
    return [];
  }
  const [file] = chosen("take-release");
  if (file === undefined) throw new PageError(words.noRelease, "[data-files=take-release]");
  const { by, kept } = answers;
  return asks(words.waitTitle, async () => {
    const { release } = await readMessage(file, "release");
    goOnTaking(await takeRelease(presentParty(by!), release, kept && { request: kept }));
    return undefined;
  });
}

function goOnTaking(recovery: Recovery): void {
  answers.recovery = recovery;
  putFiles("take-files", answers.files);
  showNeedsKey();
  guide.answer("wait", words.takeTitle);
  guide.go("take", true);
}

/** Forgets what was answered. Keys and authorities stay in the tab. */
function beginAgain(): void {
  Object.assign(answers, NOTHING);
  lookout = undefined;
  for (const name of ["lost-files", "resume-request", "take-release", "take-files"])
    putFiles(name, []);
  find<HTMLInputElement>("[name=id]", guide.step("files").form).value = "";
  find("#recover-again").hidden = true;
  guide.restart();
}

function showNeedsKey(): void {
  const { recovery } = answers;
  find("#take-needs-key").hidden = recovery === undefined || newKeyOf(recovery) !== undefined;
}

async function take(form: HTMLFormElement, button: string) {
  const files = chosen("take-files");
  if (files.length === 0) throw new PageError(words.noFiles, "[data-files=take-files]");
  const recovery = answers.recovery!;
  const openIt = button === "open";
  if (openIt && newKeyOf(recovery) === undefined) {
    throw new PageError(words.needNewKey, "#take-needs-key");
  }
  const zipName = openIt ? TEXTS.bulk.zipOpened : TEXTS.bulk.zipName;
  const keeper = await keeperFor(chosenWhere(form), files, zipName);
  const given = { recovery, picker: files.length === 1, openIt, keeper };
  const tasks = files.map((file) => ({
    name: file.name,
    total: file.size,
    run: (doing: Doing) => takeReleased(file, given, doing),
  }));
  return { tasks, ...(keeper && { finish: keeper.finish }) };
}

export function startRecover(): void {
  guide = new Guide(find("#recover-guide"));
  const on = (
    name: string,
    tasks: (
      form: HTMLFormElement,
      button: string,
    ) => ReturnType<typeof take> | Promise<Task[]> | Task[],
  ) => {
    const { form, place } = guide.step(name);
    onSubmit(form, place, (button) => tasks(form, button));
  };
  on("files", answerFiles);
  on("keeper", answerKeeper);
  on("key", answerKey);
  on("who", answerWho);
  on("send", send);
  on("wait", answerWait);
  on("take", take);
  showWhere("take-files", "take-where");
  find("#recover-again").addEventListener("click", beginAgain);
  showKeyChoice();
  onChange(showNeedsKey);
  onFiles("keeper-file", (files) => addFiles(files, guide.step("keeper").place));
}
