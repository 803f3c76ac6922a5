import type { Command } from "commander";
import {
  BLOB_TYPES,
  type BlobDescription,
  type BlobField,
  CryptoApiError,
  describeBlob,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  problemField,
  type TextEncoding,
} from "../blob/index.js";
import { toHex, wipe } from "../bytes.js";
import { importKeyBlob } from "../capi/index.js";
import { TwinwrapError } from "../errors.js";
import { fingerprint, identifyKey } from "../keys/index.js";
import { type Cell, outsidePath } from "../text.js";
import { jsonOption, newCommand, wholeOption } from "./command.js";
import { Report, readBlobFile } from "./io.js";
import { forEachFile } from "./report.js";
import { table } from "./text.js";

/** Everything there is to say about one blob. */
interface Findings extends BlobDescription {
  size: number;
  /** undefined: the blob was not written as text. */
  text: TextEncoding | undefined;
  /** Of the RSA key in it, if there is a sound one. */
  fingerprint?: string;
}

/** Fields of up to so many bytes stand on one line with their meaning. */
const SHORT = 8;
/** Kinds of blobs that hold no RSA key. */
const NO_KEYS = [...BLOB_TYPES]
  .filter(([bType]) => bType !== PUBLICKEYBLOB && bType !== PRIVATEKEYBLOB)
  .map(([, name]) => name);

async function examine(
  bytes: Uint8Array,
  text: TextEncoding | undefined,
  secrets: boolean,
): Promise<Findings> {
  const description = describeBlob(bytes, { secrets });
  const findings = { size: bytes.length, text, ...description };
  const isKey = description.kind !== undefined && !NO_KEYS.includes(description.kind);
  if (findings.problem !== undefined || !isKey || identifyKey(bytes).kind === "locked") {
    return findings;
  }
  try {
    return { ...findings, fingerprint: toHex(await fingerprint(importKeyBlob(bytes))) };
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    return { ...findings, problem: error };
  }
}

function hexOffset(offset: number): string {
  return offset.toString(16).padStart(4, "0");
}

function hexBytes(hex: string): string {
  return hex.replace(/..(?=.)/g, "$& ");
}

/** A field's bytes, as they stand in the table. */
function summary(field: BlobField): string {
  const { length, secret, hex } = field;
  const size = length === 1 ? "1 byte" : `${length} bytes`;
  if (secret && hex === "" && length > 0) return `${size}, hidden`;
  return length > SHORT ? size : hexBytes(hex);
}

/** A long field's bytes, 16 a line. */
function dump({ offset, length, hex }: BlobField): string {
  if (length <= SHORT || hex === "") return "";
  const lines = hex.match(/.{1,32}/g)!;
  return lines
    .map((line, index) => `      ${hexOffset(offset + 16 * index)}  ${hexBytes(line)}\n`)
    .join("");
}

function describe(path: string, findings: Findings): string {
  const { size, text, kind, fields, problem } = findings;
  const about: [string, Cell][] = [
    ["blob", outsidePath(path)],
    ["kind", `${kind ?? "unknown"}, ${size} bytes${text === undefined ? "" : `, in ${text}`}`],
  ];
  if (findings.fingerprint !== undefined) about.push(["fingerprint", findings.fingerprint]);
  const marked = problemField(findings);
  const rows = fields.map((field) => {
    const mark = field === marked ? `  <-- ${problem!.nte}` : "";
    return [hexOffset(field.offset), field.name, summary(field), `${field.meaning}${mark}`];
  });
  const lines = table(rows).match(/.+\n/g) ?? [];
  return table(about) + lines.map((line, index) => line + dump(fields[index]!)).join("");
}

function facts(path: string, { size, text, kind, fields, fingerprint, problem }: Findings) {
  return {
    file: path,
    size,
    text,
    kind: kind ?? null,
    fingerprint,
    fields: fields.map(({ offset, length, name, hex, meaning, secret }) => ({
      offset,
      length,
      name,
      ...(secret && hex === "" ? { hidden: true } : { hex }),
      meaning,
    })),
    problem: problem && {
      error: problem.nte,
      hresult: `0x${problem.hresult.toString(16)}`,
      offset: problem.offset,
      message: problem.message,
    },
  };
}

/** The error that says what is wrong, and where. */
function complaint({ kind }: Findings, problem: CryptoApiError): TwinwrapError {
  const where = problem.hasPlace ? ` (at offset ${hexOffset(problem.offset)})` : "";
  const hint =
    kind === undefined
      ? "; `twinwrap key info` shows keys in other forms, `twinwrap inspect` sealed files"
      : "";
  return new TwinwrapError("BAD_BLOB", `${problem.message}${where}${hint}`);
}

interface InspectOptions {
  showSecrets?: boolean;
  json?: boolean;
}

async function inspectBlobs(paths: string[], options: InspectOptions): Promise<void> {
  const report = new Report(options);
  try {
    await forEachFile(paths, async (path) => {
      const { bytes, text } = await readBlobFile(path);
      try {
        const findings = await examine(bytes, text, options.showSecrets ?? false);
        report.add(facts(path, findings), describe(path, findings));
        if (findings.problem !== undefined) throw complaint(findings, findings.problem);
      } finally {
        wipe(bytes);
      }
    });
  } finally {
    report.end();
  }
}

export function inspectCommand(): Command {
  return newCommand(
    "inspect",
    "Shows blobs field by field, also bad ones: offsets and bytes in hexadecimal, and what they mean. Needs no key.",
    "twinwrap blob inspect owner.simpleblob",
  )
    .argument("<blob...>", "blobs, or - for standard input")
    .option("--show-secrets", "show key material too")
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(inspectBlobs);
}
