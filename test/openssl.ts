import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether the openssl binary is there; tests that need it skip visibly without. */
export const haveOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** What `openssl …args` writes to standard output, given `input`; throws if it fails. */
export function openssl(args: string[], input: Uint8Array = new Uint8Array(0)): Buffer {
  const { status, stdout, stderr } = spawnSync("openssl", args, { input, maxBuffer: 1 << 24 });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** The same with a file for what openssl does not take from standard input. */
export function opensslWithFile(content: Uint8Array, args: (path: string) => string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-"));
  try {
    const path = join(folder, "file");
    writeFileSync(path, content);
    return openssl(args(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
