import { toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { readBack, TwinwrapError } from "../errors.js";
import { formatTime } from "../jcs.js";
import { labelledHash } from "./hashes.js";
import { formatLines, Lines } from "./lines.js";
import { checkName, checkOrigin } from "./names.js";
import { parseNote, type Signer, signNote } from "./note.js";
import { type RecoveryRequest, requestHash } from "./request.js";

// An enrolled owner's word against a request for their keys: a note under their control key. From then on only the
// emergency number of officers releases anything.

const KIND = "twinwrap/veto/v1";

export interface Veto {
  /** The authority's origin. */
  authority: string;
  /** Hash of the request, 32 bytes. */
  request: Uint8Array;
  /** The owner's ID at the authority, under which their control key signs. */
  owner: string;
  /** When it was signed, by the owner's clock. */
  date: Date;
}

/** @throws TwinwrapError BAD_FORMAT if a text is not allowed there */
export function formatVeto(veto: Veto): string {
  const text = formatLines(KIND, [
    ["authority", veto.authority],
    ["request", toHex(veto.request)],
    ["owner", veto.owner],
    ["date", formatTime(veto.date)],
  ]);
  readBack(() => parseVetoText(text), "BAD_FORMAT");
  return text;
}

function parseVetoText(text: string): Veto {
  const lines = new Lines(text, KIND);
  const veto: Veto = {
    authority: lines.value("authority", checkOrigin),
    request: lines.hash("request"),
    owner: lines.value("owner", checkName),
    date: lines.time("date"),
  };
  lines.end();
  return veto;
}

/**
 * Takes a veto's note apart; it has one signature, the owner's. Nothing is verified.
 * @throws TwinwrapError BAD_FORMAT
 */
export function parseVeto(note: string): Veto {
  const { text, signatures } = parseNote(note);
  const veto = parseVetoText(text);
  if (signatures.length > 1 || signatures[0]?.name !== veto.owner) {
    throw new TwinwrapError("BAD_FORMAT", `${KIND}: its one signature is not the owner's`);
  }
  return veto;
}

/**
 * Signs a veto.
 * @param signer the owner's control key, under the owner's ID
 * @param options.date by default now
 * @returns the note
 * @throws TwinwrapError BAD_FORMAT if the owner's ID can't sign
 */
export function signVeto(
  core: Core,
  signer: Signer,
  request: RecoveryRequest,
  options: { date?: Date | undefined } = {},
): Promise<string> {
  const text = formatVeto({
    authority: request.authority,
    request: requestHash(core, request),
    owner: signer.name,
    date: options.date ?? new Date(),
  });
  return signNote(core, text, signer);
}

/** The hash of a veto, signature included, 32 bytes. */
export function vetoHash(core: Core, note: string): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/veto", toUtf8(note));
}
