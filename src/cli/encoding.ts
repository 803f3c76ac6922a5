import { readFileSync } from "node:fs";
import { UsageError } from "./command.js";

// Names of files are bytes on most systems. Node makes text of them, and of what is not UTF-8 it makes
// U+FFFD: another name, under which something else would be read or written.

const REPLACED = "\ufffd";
/** The variables that commands read names from. */
const VARIABLES = ["TWINWRAP_AUTHORITY"];

/** What the system gave to this process; undefined where it does not tell. */
function given(kind: "cmdline" | "environ"): Buffer[] | undefined {
  try {
    const bytes = readFileSync(`/proc/self/${kind}`);
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(0, at);
      parts.push(bytes.subarray(at, end === -1 ? bytes.length : end));
      at = end === -1 ? bytes.length : end + 1;
    }
    return parts;
  } catch {
    return undefined;
  }
}

const isText = (bytes: Buffer) => Buffer.from(bytes.toString()).equals(bytes);

function refuse(what: string, how: string): never {
  throw new UsageError(`${what} is not UTF-8, so it would name another file: ${how}`);
}

/** @throws UsageError if an argument or a variable was changed when it became text */
export function checkEncoding(): void {
  // Windows names files by UTF-16, which arrives as it is.
  if (process.platform === "win32") return;
  const wrong = process.argv.find((argument) => argument.includes(REPLACED));
  // A name may have that character in it: then its bytes are UTF-8.
  if (wrong !== undefined && !(given("cmdline")?.every(isText) ?? false)) {
    refuse(`the argument ${wrong}`, "rename the file, or use standard input and output, -");
  }
  for (const name of VARIABLES) {
    if (!process.env[name]?.includes(REPLACED)) continue;
    const entry = given("environ")?.find((bytes) => bytes.toString().startsWith(`${name}=`));
    if (entry === undefined || !isText(entry)) refuse(name, "rename the folder");
  }
}
