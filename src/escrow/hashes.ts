import { concatBytes, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";

// Every hash and every tag begins with a label of its own, so that none of them can stand for another.

/** SHA-256(label ‖ "\n" ‖ bytes), 32 bytes. */
export function labelledHash(
  core: Core,
  label: string,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return core.sha256(concatBytes(toUtf8(`${label}\n`), bytes));
}

/** HMAC-SHA-256(key, label ‖ 0x00 ‖ bytes), 32 bytes. */
export function labelledTag(
  core: Core,
  key: Uint8Array,
  label: string,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return core.hmac("SHA-256", key, concatBytes(toUtf8(label), Uint8Array.of(0), bytes));
}
