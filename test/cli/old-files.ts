import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { withOldFile } from "#build/cli/capi-open.js";
import type { OldFileOptions } from "#build/cli/capi-options.js";

const folder = mkdtempSync(join(tmpdir(), "twinwrap-capi-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file of this test; gives its path. */
export function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** What comes out of an old file; the session key it had, and what is said to be doubtful. */
export async function read(path: string, options: OldFileOptions) {
  const pieces: Buffer[] = [];
  const found = await withOldFile(path, options, undefined, async (old) => {
    for await (const piece of old.plaintext) pieces.push(Buffer.from(piece));
    return { key: hex(old.session.key), doubt: old.doubt() };
  });
  return { ...found, plain: Buffer.concat(pieces) };
}
