import { save, seal } from "../browser.js";
import { toHex } from "../bytes.js";
import { Escrower } from "../client/escrow.js";
import type { Party } from "../client/party.js";
import { formatSerial } from "../envelope/index.js";
import { encodeSubmission, messageName } from "../escrow/index.js";
import { safe } from "../text.js";
import { chosenAuthorities, chosenKeys } from "./choices.js";
import { facts, find, make, saveButton } from "./dom.js";
import { chosen } from "./files.js";
import type { TabKey } from "./keyring.js";
import { DOWNLOADS, workOptions } from "./options.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

interface Wanted {
  to: TabKey[];
  authorities: Party[];
  description: string;
  named: boolean;
  /** Whether the page may ask where to save it: browsers allow that once a click. */
  picker: boolean;
}

async function sealOne(file: File, wanted: Wanted, doing: Doing): Promise<Node> {
  const escrower = new Escrower(wanted.authorities, toHex(wanted.to[0]!.fingerprint));
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
  for (const { party, submission } of sent) {
    const origin = safe(party.authority.origin);
    const file = messageName(name, party.authority, "submission");
    result.append(
      make(
        "p",
        {},
        `Not in escrow yet: carry this to ${origin}, and verify the receipt that comes back.`,
      ),
      saveButton(`Save the submission for ${origin}`, file, encodeSubmission(submission)),
    );
  }
  return result;
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
