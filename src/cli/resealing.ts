import { TwinwrapError } from "../errors.js";
import { warn } from "./io.js";

// When a header has no room, the whole file can be sealed again. That takes --rewrite, because the new body is
// escrowed with nobody.

/** What is lost with a body. Submissions and receipts are for one body only. */
function lost(origins: readonly string[]): string {
  return origins.length === 0 ? "" : `, and it has to be escrowed again with ${origins.join(", ")}`;
}

/** Advice for a header that has no room. */
export function sealingAgain(origins: readonly string[]): string {
  return `--rewrite seals the whole file again${lost(origins)}`;
}

/** Adds advice to the error of a header that has no room. */
export function withoutRoom(error: unknown, advice: string): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "NO_ROOM") return error;
  return new TwinwrapError("LIMIT_EXCEEDED", `${error.message}: ${advice}`);
}

/** Warns that a file was sealed again. @param origins authorities that have escrowed only the old body */
export function warnSealedAgain(path: string, origins: readonly string[]): void {
  warn(`${path}: the whole file was sealed again${lost(origins)}`);
}
