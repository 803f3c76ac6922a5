// Compares byte strings for JavaScript: commitments and tags computed from a secret against those that came
// with a file.
import { equalBytes } from "./ct";
import { INPUT, WINDOW_SIZE, wipe } from "./memory";
import { BAD_ARGUMENT, NOT_AUTHENTIC, OK } from "./status";

/** Compares `length` bytes of INPUT with as many after them, and wipes both. */
export function compareInput(length: u32): i32 {
  if (length > <u32>WINDOW_SIZE >> 1) return BAD_ARGUMENT;
  const same = equalBytes(INPUT, INPUT + length, length);
  wipe(INPUT, 2 * <usize>length);
  return same ? OK : NOT_AUTHENTIC;
}
