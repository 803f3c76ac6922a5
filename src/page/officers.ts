import { toUtf8, wipe } from "../bytes.js";
import {
  type GivenFile,
  handInDecision,
  officerWithKey,
  type Question,
  questionOf,
  type Standing,
  signDecision,
  standingOf,
} from "../client/officer.js";
import type { KnownRecord } from "../client/party.js";
import { recordOfKept } from "../client/recover.js";
import { inspectHead } from "../envelope/index.js";
import {
  parseRequestId,
  readOfficerKey,
  requestHash,
  requestId,
  sayId,
  startsSealedFile,
  submissionsOf,
} from "../escrow/index.js";
import { safe } from "../text.js";
import { chosenAuthority } from "./choices.js";
import { confirm } from "./confirm.js";
import { facts, find, make, saveButton, withMoments } from "./dom.js";
import { chosen, onFiles, putFiles } from "./files.js";
import { Guide } from "./guide.js";
import { addFiles } from "./keys.js";
import { reachNow } from "./link.js";
import { startLook } from "./look.js";
import { readMessage, readMessageBytes } from "./messages.js";
import { askPassphrase } from "./passphrase.js";
import { questionView, standsText } from "./question.js";
import { overOf } from "./standing.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { onSubmit, type Task } from "./work.js";

// An officer decides: from the number that the requester told, to a signed note. What is shown was computed from the
// request's bytes, and what an authority says of it was verified (client/officer.ts).

const { officers: words } = TEXTS;

let guide: Guide;
let by: TabAuthority;
let question: Question | Standing;

/** The question behind a number: asked of the service, or read from the request that was brought. @throws PageError */
async function questionFor(
  id: string,
  file: File | undefined,
): Promise<[typeof question, GivenFile[]]> {
  const { known, files } = await readGiven(by);
  if (by.link !== undefined) {
    await reachNow(by);
    const standing = await standingOf(by, id).catch((error) => {
      throw error.code === "NOT_FOUND" ? new PageError(words.unknown) : error;
    });
    return [standing, files];
  }
  const { request } = await readMessage(file!, "request");
  if (requestId(requestHash(by.core, request)) !== id) throw new PageError(words.swapped);
  return [questionOf(by, request, id, known), files];
}

/** Sealed files and submissions that the officer was given: they show what the records are. */
async function readGiven(one: TabAuthority): Promise<{ known: KnownRecord[]; files: GivenFile[] }> {
  const known: KnownRecord[] = [];
  const files: GivenFile[] = [];
  for (const file of chosen("officer-given")) {
    const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
    if (!startsSealedFile(start)) {
      known.push(recordOfKept(one, (await readMessage(file, "submission")).submission));
      continue;
    }
    const head = await inspectHead(file);
    const held = submissionsOf(one.core, head, one.authority.origin);
    known.push(...held.map(({ submission }) => recordOfKept(one, submission)));
    files.push({ path: file.name, header: head.header });
  }
  return { known, files };
}

async function answerOffice(form: HTMLFormElement): Promise<Task[]> {
  const one = chosenAuthority(form);
  const run = async () => {
    await reachNow(one);
    by = one;
    find("[data-files=officer-request]").hidden = one.link !== undefined;
    guide.answer(
      "office",
      TEXTS.recover.keeperIs(safe(one.authority.origin), one.link !== undefined),
    );
    guide.go("ask");
    return undefined;
  };
  return [{ name: words.officeTitle, run }];
}

async function answerAsk(form: HTMLFormElement): Promise<Task[]> {
  const typed = String(new FormData(form).get("id")).trim();
  if (typed === "") throw new PageError(words.noId, "[name=id]");
  const [file] = chosen("officer-request");
  if (by.link === undefined && file === undefined) {
    throw new PageError(words.noRequest, "[data-files=officer-request]");
  }
  const run = async () => {
    const [found, files] = await questionFor(parseRequestId(typed), file);
    question = found;
    find("#question").replaceChildren(questionView(by.core, question, files));
    // What was said of another requester is not said of this one.
    const { form: deciding, place } = guide.step("decide");
    deciding.reset();
    putFiles("officer-key", []);
    place.replaceChildren();
    guide.answer("ask", sayId(question.id));
    guide.go("decide");
    deciding.hidden = overOf(question) !== undefined;
    return undefined;
  };
  return [{ name: words.askTitle, run }];
}

/** Reads the officer's key, asks once more, and signs. @returns the note and the officer's name */
async function sign(file: File, decision: "approve" | "deny", identity: string) {
  const { core } = by;
  // What is confirmed is what is signed.
  const asked = question;
  const { policy, request, id } = asked;
  const pem = await readMessageBytes(file);
  const key = await askPassphrase(file.name, (passphrase) =>
    readOfficerKey(pem, { passphrase, allowEmptyPassphrase: true }),
  ).finally(() => wipe(pem));
  const { name } = officerWithKey(policy, key.publicKey);
  const about = facts([
    [words.requestNumber, make("code", {}, sayId(id))],
    [words.requester, safe(request.requester)],
    [words.records, words.recordsTitle(request.records.length)],
  ]);
  const isYes = decision === "approve";
  const title = isYes ? words.sureApprove(safe(name)) : words.sureDeny(safe(name));
  const yes = isYes ? words.yesApprove : words.yesDeny;
  if (!(await confirm(title, about, yes))) throw new PageError(words.notSigned);
  return {
    name,
    note: await signDecision(core, asked, key.signer(name), { decision, identity }),
  };
}

async function decide(form: HTMLFormElement, button: string): Promise<Task[]> {
  const [file] = chosen("officer-key");
  if (file === undefined) throw new PageError(words.noKey, "[data-files=officer-key]");
  const decision = button === "deny" ? "deny" : "approve";
  const typed = String(new FormData(form).get("identity")).trim();
  if (typed === "" && decision === "approve")
    throw new PageError(words.noIdentity, "[name=identity]");
  const identity = typed === "" ? words.identityUnknown : typed;
  const run = async () => {
    const { name, note } = await sign(file, decision, identity);
    const origin = safe(by.authority.origin);
    if (by.link === undefined) {
      const safeName = name.replace(/[^\w.-]/g, "_");
      const bytes = toUtf8(note) as Uint8Array<ArrayBuffer>;
      const path = `${question.id}.${safeName}.approval`;
      return make(
        "div",
        {},
        make("p", {}, words.saveNote(origin)),
        saveButton(words.saveNoteGo, path, bytes),
      );
    }
    const standing = await handInDecision(by, question.id, note);
    question = standing;
    find("#question").replaceChildren(questionView(by.core, question, []));
    return make(
      "div",
      {},
      make("p", {}, words.sentTo(origin)),
      make("p", {}, withMoments(words.nowStands(standsText(standing)))),
    );
  };
  return [{ name: words.decideTitle, run }];
}

export function startOfficers(): void {
  guide = new Guide(find("#officer-guide"));
  const on = (name: string, tasks: (form: HTMLFormElement, button: string) => Promise<Task[]>) => {
    const { form, place } = guide.step(name);
    onSubmit(form, place, (button) => tasks(form, button));
  };
  on("office", answerOffice);
  on("ask", answerAsk);
  on("decide", decide);
  onFiles("office-file", (files) => addFiles(files, guide.step("office").place));
  startLook();
}
