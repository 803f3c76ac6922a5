import { TwinwrapError } from "../errors.js";
import { warn } from "./io.js";

// When a header has no room, the whole file is sealed again only if the command line says so: its new body is
// escrowed with nobody.

/** What is lost with a body: submissions and receipts are for that body alone. */
function lost(origins: readonly string[]): string {
  return origins.length === 0 ? "" : `, and it has to be escrowed again with ${origins.join(", ")}`;
}

/** The advice that makes room. */
export function sealingAgain(origins: readonly string[]): string {
  return `--rewrite seals the whole file again${lost(origins)}`;
}

/** The error of a header that is full, with what to do. */
export function withoutRoom(error: unknown, advice: string): unknown {
  if (!(error instanceof TwinwrapError) || error.code !== "NO_ROOM") return error;
  return new TwinwrapError("LIMIT_EXCEEDED", `${error.message}: ${advice}`);
}

/** Tells that a file was sealed again. @param origins whose escrow went with the old body */
export function warnSealedAgain(path: string, origins: readonly string[]): void {
  warn(`${path}: the whole file was sealed again${lost(origins)}`);
}
