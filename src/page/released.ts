import { save } from "../browser.js";
import { addReleased, type Recovery, type Replacing, replaceReleased } from "../client/recover.js";
import { amend, rewrap } from "../envelope/index.js";
import { outputOf } from "../envelope/save.browser.js";
import { recipientFingerprint } from "../escrow/index.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { safe } from "../text.js";
import { make } from "./dom.js";
import type { Keeper } from "./keeper.js";
import { keyFor } from "./keyring.js";
import { openAndSave } from "./open.js";
import { DOWNLOADS } from "./options.js";
import { patched } from "./patched.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import type { Doing } from "./work.js";

// What a release makes of a file: the wrap for the new key goes into its header.

const { recover: words } = TEXTS;

/** The private key that the release is for, if it is in this tab. */
export function newKeyOf({ party, checked }: Recovery): RsaPrivateKey | undefined {
  return keyFor(recipientFingerprint(party.core, checked.request))?.privateKey;
}

/** A file with the wrap that was released for it. If the private key is here, the wrap is opened first. */
async function withReleased(file: File, recovery: Recovery) {
  const key = newKeyOf(recovery);
  if (key !== undefined) {
    let unshown: string[] = [];
    const note = (replacing: Replacing) => {
      const { unconfirmed, lost, contradiction } = replacing.unshown;
      unshown = [
        ...(unconfirmed ? [TEXTS.unsure.unconfirmed] : []),
        ...(lost ? [TEXTS.unsure.lost] : []),
        ...(contradiction === undefined ? [] : [TEXTS.unsure.contradiction(safe(contradiction))]),
      ];
    };
    const { patch } = await rewrap(file, replaceReleased(recovery, key, {}, note));
    return { now: patched(file, patch!), opened: true, unshown };
  }
  const { patch } = await amend(file, addReleased(recovery));
  return { now: patched(file, patch), opened: false, unshown: [] };
}

/** Opens a file by its release, or saves it with the new wrap. @param keeper takes it */
export async function takeReleased(
  file: File,
  given: { recovery: Recovery; picker: boolean; openIt: boolean; keeper: Keeper | undefined },
  doing: Doing,
): Promise<Node> {
  const { recovery, picker, openIt, keeper } = given;
  const { now, opened, unshown } = await withReleased(file, recovery).catch((error) => {
    if (error.code === "NO_ROOM") throw new PageError(words.noRoom);
    throw error.code === "NOT_FOUND" ? new PageError(words.notReleased) : error;
  });
  if (openIt) return openAndSave(now, file.name, { keeper, picker }, doing);
  if (keeper === undefined) await save(now, { name: file.name, picker, ...DOWNLOADS });
  else await keeper.add(file.name, outputOf(now), now.size);
  return make(
    "p",
    {},
    opened ? words.recovered : words.added,
    ...unshown.map((text) => make("p", { class: "note" }, words.notShown(text))),
  );
}
