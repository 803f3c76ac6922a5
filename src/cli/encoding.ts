import { readFileSync } from "node:fs";
import { UsageError } from "./command.js";

// On most systems, names of files are bytes. Node turns them into text, and bytes that are not UTF-8 into U+FFFD.
// That is another name: something else would be read or written under it.

const REPLACED = "\ufffd";
/** The variables that commands read names from, and what helps where one is not UTF-8. */
const VARIABLES = {
  TWINWRAP_AUTHORITY: "rename the folder",
  TWINWRAP_OWNER_ID: "set it in UTF-8",
};

/** This process's arguments or variables as bytes; undefined where the system does not show them. */
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
  throw new UsageError(`${what} is not UTF-8, so it would name something else: ${how}`);
}

/** @throws UsageError if an argument or a variable was changed when it became text */
export function checkEncoding(): void {
  // Windows has UTF-16 names, which arrive unchanged.
  if (process.platform === "win32") return;
  const wrong = process.argv.find((argument) => argument.includes(REPLACED));
  // A name may really contain U+FFFD. Then its bytes are UTF-8.
  if (wrong !== undefined && !(given("cmdline")?.every(isText) ?? false)) {
    refuse(`the argument ${wrong}`, "rename the file, or use standard input and output, -");
  }
  for (const [name, how] of Object.entries(VARIABLES)) {
    if (!process.env[name]?.includes(REPLACED)) continue;
    const entry = given("environ")?.find((bytes) => bytes.toString().startsWith(`${name}=`));
    if (entry === undefined || !isText(entry)) refuse(name, how);
  }
}
