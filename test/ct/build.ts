// Builds of the core for the gate: with names for what differs, and with leaks planted in its sources.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The shipped core. */
export const shipped = (file = "core") =>
  new Uint8Array(readFileSync(join(root, "build", `${file}.wasm`)));

/** A change to one file of assembly/: every `from` (it must be there) becomes `to`; "" is the file's end. */
export interface Change {
  file: string;
  from: string;
  to: string;
}

/** A change of another kind. */
export interface Edit {
  file: string;
  edit: (text: string) => string;
}

/** Compiles assembly/ as the build does, with debug names and with changes. */
export async function compile(
  changes: readonly (Change | Edit)[] = [],
  target = "simd",
  entry = "index",
): Promise<Uint8Array<ArrayBuffer>> {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-ct-"));
  try {
    cpSync(join(root, "assembly"), join(folder, "assembly"), { recursive: true });
    cpSync(join(root, "asconfig.json"), join(folder, "asconfig.json"));
    for (const change of changes) {
      const { file } = change;
      const path = join(folder, "assembly", file);
      const text = readFileSync(path, "utf8");
      if ("edit" in change) {
        writeFileSync(path, change.edit(text));
        continue;
      }
      const { from, to } = change;
      if (!text.includes(from)) throw new Error(`${file} has nothing like: ${from}`);
      writeFileSync(path, from === "" ? `${text}\n${to}\n` : text.replaceAll(from, to));
    }
    const out = join(folder, "out.wasm");
    const where = ["--baseDir", folder, "--config", join(folder, "asconfig.json")];
    const options = [...where, "--target", target, "--debug", "-o", out];
    const { error, stderr } = await asc.main([`assembly/${entry}.ts`, ...options]);
    if (error) throw new Error(stderr.toString());
    return new Uint8Array(readFileSync(out));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
