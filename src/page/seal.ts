import { save, seal } from "../browser.js";
import { toHex } from "../bytes.js";
import { Escrower, receiptStatus, type Sent } from "../client/escrow.js";
import { formatSerial } from "../envelope/index.js";
import type { MakeEscrows } from "../envelope/seal.js";
import { readBack } from "../errors.js";
import { checkOwnerId, encodeSubmission, messageName } from "../escrow/index.js";
import { safe } from "../text.js";
import { chosenAuthorities, chosenKeys } from "./choices.js";
import { facts, find, make, saveButton } from "./dom.js";
import { chosen } from "./files.js";
import type { TabKey } from "./keyring.js";
import { handInTo, reach, type TabAuthority } from "./link.js";
import { DOWNLOADS, workOptions } from "./options.js";
import { awayText, PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

interface Wanted {
  to: TabKey[];
  authorities: TabAuthority[];
  /** Those of them that were asked already: one that is away is not waited for again. */
  reached: Set<TabAuthority>;
  /** The owner's ID at every authority, if it was given. */
  owner: string | undefined;
  description: string;
  named: boolean;
  /** Whether the page may ask where to save it: browsers allow that once a click. */
  picker: boolean;
}

/** Who the owner is at an authority. */
function ownerAt({ link }: TabAuthority, { owner, to }: Wanted): string {
  return owner ?? link?.connection.owner?.id ?? toHex(to[0]!.fingerprint);
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
    const said =
      receiptStatus(receipt) === "verified"
        ? `In escrow: ${origin} has verified the key.`
        : `In escrow: ${origin} has taken it in, and has not opened it yet.`;
    return [make("p", {}, `${said} Its receipt is in the file.`)];
  }
  const away = link?.away === undefined ? "" : ` ${safe(awayText(authority, link.away))}`;
  const next =
    link === undefined
      ? `Not in escrow yet: carry this to ${origin}, and verify the receipt that comes back.`
      : `Escrow pending.${away} The file is whole, and keeps what has to be sent. Send it later, under “Verify” or with twinwrap escrow flush, or carry this to ${origin}.`;
  const file = messageName(name, authority, "submission");
  const bytes = encodeSubmission(submission);
  return [make("p", {}, next), saveButton(`Save the submission for ${origin}`, file, bytes)];
}

async function sealOne(file: File, wanted: Wanted, doing: Doing): Promise<Node> {
  const escrower = new FileEscrower(wanted);
  const name = `${file.name}.twin`;
  const sealed = seal(file, {
    to: wanted.to.map(({ publicKey }) => publicKey),
    escrow: wanted.authorities.map(({ authority }) => authority.origin),
    escrows: wanted.authorities.length === 0 ? undefined : escrower.make,
    description: wanted.description === "" ? undefined : wanted.description,
    name: wanted.named ? file.name : undefined,
    ...workOptions(doing),
  });
  await save(sealed, { name, picker: wanted.picker, ...DOWNLOADS });
  const { serial } = (await sealed).header;
  const result = make(
    "div",
    {},
    facts([
      ["Saved as", safe(name)],
      ["Serial", make("code", {}, formatSerial(serial))],
    ]),
  );
  const { sent } = escrower;
  if (sent.length === 0) {
    result.append(make("p", {}, "Not in escrow: no authority was chosen."));
  }
  for (const one of sent) result.append(...sentView(one, name));
  return result;
}

/** @throws TwinwrapError BAD_ARGUMENT, LIMIT_EXCEEDED */
function ownerIn(data: FormData): string | undefined {
  const typed = String(data.get("owner")).trim();
  return typed === "" ? undefined : readBack(() => checkOwnerId(typed));
}

export function startSeal(): void {
  const view = find("#seal");
  const form = find<HTMLFormElement>("form", view);
  onSubmit(form, find(".work", view), () => {
    const files = chosen("seal-files");
    const data = new FormData(form);
    const wanted: Wanted = {
      to: chosenKeys(form),
      authorities: chosenAuthorities(form),
      reached: new Set(),
      owner: ownerIn(data),
      description: String(data.get("description")),
      named: data.get("named") !== null,
      picker: files.length === 1,
    };
    if (files.length === 0) throw new PageError("Choose the files to seal first.");
    if (wanted.to.length === 0) {
      throw new PageError("Nobody could open it: choose at least one key for whom it is sealed.");
    }
    return files.map((file) => ({
      name: file.name,
      total: file.size,
      run: (doing) => sealOne(file, wanted, doing),
    }));
  });
}
