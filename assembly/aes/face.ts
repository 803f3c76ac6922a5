// What counter blocks have in common after two rounds (FACE: Park and Lee, "FACE: Fast AES CTR mode
// encryption techniques based on the reuse of repetitive data", TCHES 2018).
//
// In a window of 256 counter blocks only byte 15 changes, so after one round only one column does:
// the one that ShiftRows makes of bytes 0, 5, 10 and 15. After two rounds every state is therefore
// A + B, where A depends on that column and B on the other three: A is the same in every window in
// which bytes 0, 5 and 10 are, B is the same for all blocks of a window. Kept here are the 32 groups
// of one window; those of another come from them by adding the difference of the two B, which two
// rounds of any one group tell. What indexes the table is the counter, which is public.

import { wipe } from "../memory";
import { xor } from "../simd";
import { GROUP, Slices } from "./slices";

/** Groups in a window of 256 blocks. */
export const WINDOW_GROUPS: i32 = 32;

const TABLE: usize = memory.data(<i32>(GROUP * WINDOW_GROUPS), 64);
const DIFFERENCE: Slices = changetype<Slices>(memory.data(<i32>GROUP, 64));

/** The key (its address) and the bytes 0, 5 and 10 that the table is for. */
let owner: usize = 0;
let prefix: u32 = 0;

/** Bytes 0, 5 and 10 of a counter block. */
function prefixOf(high: u64, low: u64): u32 {
  return (<u32>(high >> 40) & 0xff0000) | (<u32>(high >> 8) & 0xff00) | (<u32>(low >> 40) & 0xff);
}

// @ts-ignore: decorator
@inline
function kept(place: i32): Slices {
  return changetype<Slices>(TABLE + <usize>place * GROUP);
}

// @ts-ignore: decorator
@inline
function add(to: Slices, a: Slices, b: Slices): void {
  to.s0 = xor(a.s0, b.s0);
  to.s1 = xor(a.s1, b.s1);
  to.s2 = xor(a.s2, b.s2);
  to.s3 = xor(a.s3, b.s3);
  to.s4 = xor(a.s4, b.s4);
  to.s5 = xor(a.s5, b.s5);
  to.s6 = xor(a.s6, b.s6);
  to.s7 = xor(a.s7, b.s7);
}

/** Whether the table is for this key and counter block. */
export function isKept(key: usize, high: u64, low: u64): bool {
  return owner == key && prefix == prefixOf(high, low);
}

/** Makes the table this key's and counter block's; the caller then keeps all 32 groups. */
export function claim(key: usize, high: u64, low: u64): void {
  owner = key;
  prefix = prefixOf(high, low);
}

/** Puts a group after two rounds into its place. */
export function keep(place: i32, s: Slices): void {
  memory.copy(changetype<usize>(kept(place)), changetype<usize>(s), GROUP);
}

/** Takes the difference from a group of another window after two rounds. */
export function compare(place: i32, s: Slices): void {
  add(DIFFERENCE, kept(place), s);
}

/** The group of that other window at any place, after two rounds. */
export function recall(place: i32, s: Slices): void {
  add(s, kept(place), DIFFERENCE);
}

/** Wipes the table if it is this key's: with the counter it would give the key away. */
export function forget(key: usize): void {
  if (owner != key) return;
  wipe(TABLE, GROUP * WINDOW_GROUPS);
  wipe(changetype<usize>(DIFFERENCE), GROUP);
  owner = 0;
}
