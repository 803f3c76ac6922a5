import { save, seal } from "../browser.js";
import { toHex } from "../bytes.js";
import { Escrower, receiptStatus, type Sent } from "../client/escrow.js";
import { formatSerial } from "../envelope/index.js";
import type { MakeEscrows } from "../envelope/seal.js";
import { readBack, TwinwrapError } from "../errors.js";
import { checkOwnerId, encodeSubmission, messageName } from "../escrow/index.js";
import { safe } from "../text.js";
import { chosenWhere, keeperFor, showWhere } from "./bulk.js";
import { changed, done } from "./changes.js";
import { chosenAuthorities, chosenKeys } from "./choices.js";
import { details, facts, find, make, saveButton, toned } from "./dom.js";
import { chosen } from "./files.js";
import type { Keeper } from "./keeper.js";
import type { TabKey } from "./keyring.js";
import { handInTo, reach } from "./link.js";
import { DOWNLOADS, workOptions } from "./options.js";
import { printSheet, sheetButton } from "./sheet.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { awayText, PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

const { seal: words } = TEXTS;

interface Wanted {
  to: TabKey[];
  authorities: TabAuthority[];
  /** Those of them that were asked already: one that is away is not waited for again. */
  reached: Set<TabAuthority>;
  /** The owner's ID at every authority, if it was given. */
  owner: string | undefined;
  description: string;
  named: boolean;
  /** Takes the sealed files; undefined: each is saved by itself. */
  keeper: Keeper | undefined;
  /** Whether the page may ask where to save it: browsers allow that once a click. */
  picker: boolean;
}

/** Who the owner is at an authority. */
function ownerAt({ link }: TabAuthority, { owner, to }: Wanted): string {
  return owner ?? link?.connection.owner?.id ?? link?.token?.owner ?? toHex(to[0]!.fingerprint);
}

/** Escrows one file's key. Authorities are asked here, and not before, since a picker opens only right after a click. */
class FileEscrower {
  readonly #wanted: Wanted;
  sent: Sent<TabAuthority>[] = [];

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
  }

  readonly make: MakeEscrows = async (facts, present) => {
    const { authorities, reached } = this.#wanted;
    this.sent = [];
    let escrows = present;
    for (const one of authorities) {
      if (!reached.has(one)) await reach(one);
      reached.add(one);
      const escrower = new Escrower([one], ownerAt(one, this.#wanted), handInTo);
      escrows = await escrower.make(facts, escrows);
      this.sent.push(...escrower.sent);
    }
    return escrows;
  };
}

/** What became of the escrow at one authority, and what is still to be done. @param name of the sealed file */
function sentView({ party, submission, receipt }: Sent<TabAuthority>, name: string): Node[] {
  const { authority, link } = party;
  const origin = safe(authority.origin);
  if (receipt !== undefined) {
    const isVerified = receiptStatus(receipt) === "verified";
    const said = isVerified ? words.verified(origin) : words.unverified(origin);
    return [make("p", {}, `${said} ${words.receiptInside}`)];
  }
  const away = link?.away === undefined ? "" : ` ${safe(awayText(authority, link.away))}`;
  const next = link === undefined ? words.carry(origin) : words.pending(away, origin);
  const file = messageName(name, authority, "submission");
  const bytes = encodeSubmission(submission);
  return [make("p", {}, next), saveButton(words.saveSubmission(origin), file, bytes)];
}

/** What was made of a file, and what to do next. */
function sealedView(name: string, serial: string, sent: readonly Sent<TabAuthority>[]): Node {
  const result = make("div", {}, make("p", {}, `${words.savedAs} ${safe(name)}`));
  if (sent.length === 0) result.append(make("p", {}, words.notEscrowed));
  for (const one of sent) result.append(...sentView(one, name));
  result.append(make("p", { class: "next" }, words.next));
  if (sent.length > 0) {
    const known = sent.map(({ party }) => party.authority);
    result.append(sheetButton(words.sheet, () => printSheet(name, serial, known)));
  }
  result.append(details(facts([[words.serial, make("code", {}, serial)]])));
  const isSafe = sent.length > 0 && sent.every(({ receipt }) => receipt !== undefined);
  return isSafe ? result : toned("warn", result);
}

/** Reads a file to its end, which shows whether that can be done. @throws what reading it throws */
async function readThrough(file: File, signal: AbortSignal): Promise<void> {
  await file
    .stream()
    .pipeTo(new WritableStream(), { signal })
    .catch((error) => {
      throw signal.aborted ? new TwinwrapError("ABORTED", "stopped") : error;
    });
}

async function sealOne(file: File, wanted: Wanted, doing: Doing): Promise<Node> {
  const { keeper } = wanted;
  if (keeper?.readsAhead(file.size)) await readThrough(file, doing.signal);
  const escrower = new FileEscrower(wanted);
  const sealed = seal(file, {
    to: wanted.to.map(({ publicKey }) => publicKey),
    escrow: wanted.authorities.map(({ authority }) => authority.origin),
    escrows: wanted.authorities.length === 0 ? undefined : escrower.make,
    description: wanted.description === "" ? undefined : wanted.description,
    name: wanted.named ? file.name : undefined,
    ...workOptions(doing),
  });
  let name = `${file.name}.twin`;
  if (keeper !== undefined) name = await keeper.add(name, await sealed, file.size);
  else await save(sealed, { name, picker: wanted.picker, ...DOWNLOADS });
  const { serial } = (await sealed).header;
  if (!done.sealed) {
    done.sealed = true;
    changed();
  }
  return sealedView(name, formatSerial(serial), escrower.sent);
}

/** @throws TwinwrapError BAD_ARGUMENT, LIMIT_EXCEEDED */
function ownerIn(data: FormData): string | undefined {
  const typed = String(data.get("owner")).trim();
  return typed === "" ? undefined : readBack(() => checkOwnerId(typed));
}

export function startSeal(): void {
  const view = find("[data-view=seal]");
  const form = find<HTMLFormElement>("form", view);
  showWhere("seal-files", "seal-where");
  onSubmit(form, find(".work", view), async () => {
    const files = chosen("seal-files");
    if (files.length === 0) throw new PageError(words.noFiles, "[data-files=seal-files]");
    const to = chosenKeys(form);
    if (to.length === 0) throw new PageError(words.nobody, "#seal-keys");
    const data = new FormData(form);
    const owner = ownerIn(data);
    const keeper = await keeperFor(chosenWhere(form), files, TEXTS.bulk.zipName);
    const wanted: Wanted = {
      to,
      authorities: chosenAuthorities(form),
      reached: new Set(),
      owner,
      description: String(data.get("description")),
      named: data.get("named") !== null,
      keeper,
      picker: files.length === 1,
    };
    const tasks = files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing: Doing) => sealOne(file, wanted, doing),
    }));
    return { tasks, ...(keeper && { finish: keeper.finish }) };
  });
}
