import {
  type BlobField,
  CryptoApiError,
  decodeSimpleBlob,
  describeBlob,
  problemField,
} from "../blob/index.js";
import { fromUtf8, toHex, wipe } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { formatSerial, type Header, inspect } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { decodeMessage, type MessageKind, startsSealedFile } from "../escrow/index.js";
import { fingerprint, identifyKey, readPublicKey } from "../keys/index.js";
import { formatSize, safe } from "../text.js";
import { facts, find, make, moment, table } from "./dom.js";
import { chosen } from "./files.js";
import { keyFor } from "./keyring.js";
import { readMessageBytes } from "./messages.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { onSubmit } from "./work.js";

const { inspect: words } = TEXTS;

function headerView(header: Header): Node {
  const { serial, created, name, description, escrow, wraps } = header;
  const rows: [string, Node | string][] = [
    [words.serial, make("code", {}, formatSerial(serial))],
    [words.sealed, moment(created)],
  ];
  if (name !== undefined) rows.push([words.name, safe(name)]);
  if (description !== undefined) rows.push([words.description, safe(description)]);
  for (const origin of escrow) rows.push([words.meant, safe(origin)]);
  for (const { fingerprint, padding, simpleBlob } of wraps) {
    const mine = keyFor(fingerprint);
    let bits = words.malformed;
    try {
      bits = `RSA-${decodeSimpleBlob(simpleBlob).encryptedKey.length * 8}`;
    } catch (error) {
      if (!(error instanceof CryptoApiError)) throw error;
    }
    const whose = mine === undefined ? "" : words.inTab(safe(mine.name));
    rows.push([
      words.opensWith,
      make(
        "span",
        {},
        make("code", { class: "print" }, toHex(fingerprint)),
        ` ${bits} ${padding}${whose}`,
      ),
    ]);
  }
  return make("div", {}, make("p", { class: "note" }, words.unauthenticated), facts(rows));
}

const hex = (offset: number) => offset.toString(16).padStart(4, "0");

/** Bytes in hexadecimal, 8 a line. */
function bytesOf({ hex, length, secret }: BlobField): string {
  if (secret && hex === "" && length > 0) return words.hidden(length);
  return hex.replace(/(..)(?=.)/g, "$1 ").replace(/((?:.. ){7}..) /g, "$1\n");
}

async function blobView(name: string, bytes: Uint8Array): Promise<Node> {
  const description = describeBlob(bytes);
  const { kind, fields, problem } = description;
  const marked = problemField(description);
  const rows = fields.map((field) =>
    make(
      "tr",
      field === marked ? { class: "marked" } : {},
      make("td", { "data-head": words.heads[0]! }, make("code", {}, hex(field.offset))),
      make("th", { scope: "row" }, field.name),
      make("td", { "data-head": words.heads[2]! }, make("pre", {}, bytesOf(field))),
      make(
        "td",
        { "data-head": words.heads[3]! },
        safe(field.meaning),
        field === marked ? make("b", {}, ` ← ${problem!.nte}`) : undefined,
      ),
    ),
  );
  const shown = table(words.fieldsOf(safe(name)), words.heads, make("tbody", {}, ...rows));
  const about: [string, Node | string][] = [
    [words.kind, `${kind ?? words.unknownKind}, ${formatSize(bytes.length)}`],
  ];
  const print = await printOf(bytes);
  if (print !== undefined) about.push([words.fingerprint, make("code", { class: "print" }, print)]);
  const complaint =
    problem &&
    make(
      "p",
      { class: "problem" },
      `${safe(problem.message)}${problem.hasPlace ? words.atOffset(hex(problem.offset)) : ""}`,
    );
  return make("div", {}, facts(about), complaint, shown);
}

/** The fingerprint of the key in a file, if there is a sound one that is not locked. */
async function printOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    return toHex(await fingerprint(readPublicKey(bytes)));
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    return undefined;
  }
}

/** A key that is no blob. */
async function keyView(bytes: Uint8Array): Promise<Node> {
  const { form, kind, structure } = identifyKey(bytes);
  const print = await printOf(bytes);
  return facts([
    [words.kind, words.key(kind, structure, form)],
    [
      words.fingerprint,
      print === undefined ? words.lockedPrint : make("code", { class: "print" }, print),
    ],
  ]);
}

/** Whether a file has one of CryptoAPI's forms, or none that is known. */
function isBlob(bytes: Uint8Array): boolean {
  if (describeBlob(bytes).kind !== undefined) return true;
  try {
    identifyKey(bytes);
    return false;
  } catch (error) {
    return error instanceof CryptoApiError;
  }
}

async function look(file: File): Promise<Node> {
  const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  if (startsSealedFile(start)) return headerView(await inspect(file));
  const bytes = await readMessageBytes(file);
  try {
    if (isBlob(bytes)) return await blobView(file.name, bytes);
    const message = await messageView(file.name, bytes);
    return message ?? (await keyView(bytes));
  } finally {
    wipe(bytes);
  }
}

/** Owners' files and connection files have secrets, which others may see on this screen. */
const SECRET = new Set(["secret", "token"]);
const withoutSecret = (name: string, value: unknown) => (SECRET.has(name) ? words.notShown : value);

/** Describes a message between owners, officers and authorities, which is text; undefined if it is none. */
async function messageView(name: string, bytes: Uint8Array): Promise<Node | undefined> {
  const core = await sharedCore();
  let kind: MessageKind;
  try {
    ({ kind } = decodeMessage(core, bytes));
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    return undefined;
  }
  const text = fromUtf8(bytes)
    .replace(/^\ufeff/, "")
    .trim();
  const lines = text.startsWith("{") ? JSON.stringify(JSON.parse(text), withoutSecret, 2) : text;
  return make(
    "div",
    {},
    make("p", {}, words.unverified(TEXTS.kinds[kind])),
    make(
      "pre",
      { tabindex: "0", "aria-label": TEXTS.open.textOf(safe(name)) },
      lines
        .split("\n")
        .map((line) => safe(line))
        .join("\n"),
    ),
  );
}

export function startInspect(): void {
  const view = find("[data-view=inspect]");
  onSubmit(find<HTMLFormElement>("form", view), find(".work", view), () => {
    const files = chosen("inspect-files");
    if (files.length === 0) throw new PageError(words.noFiles, "[data-files=inspect-files]");
    return files.map((file) => ({ name: file.name, run: () => look(file) }));
  });
}
