// Where a computation keeps its intermediate numbers. All of them are wiped after every call.
import { wipe } from "../memory";
import { LANES_SIZE } from "./digits";
import { MAX_BYTES, NUMBER_SIZE } from "./number";

const COUNT: usize = 16;
const SCRATCH: usize = memory.data(<i32>(COUNT * NUMBER_SIZE), 64);

// montgomery.ts
export const PIECE: usize = SCRATCH;
export const TERM: usize = SCRATCH + NUMBER_SIZE;
export const ONE: usize = SCRATCH + 2 * NUMBER_SIZE;
// power.ts, operation.ts
export const REMAINDER: usize = SCRATCH + 3 * NUMBER_SIZE;
// inverse.ts
export const F: usize = SCRATCH + 4 * NUMBER_SIZE;
export const G: usize = SCRATCH + 5 * NUMBER_SIZE;
export const D: usize = SCRATCH + 6 * NUMBER_SIZE;
export const E: usize = SCRATCH + 7 * NUMBER_SIZE;
// operation.ts, key.ts, power.ts
export const INPUT_NUMBER: usize = SCRATCH + 8 * NUMBER_SIZE;
export const BLIND: usize = SCRATCH + 9 * NUMBER_SIZE;
export const BLINDED: usize = SCRATCH + 10 * NUMBER_SIZE;
export const MOD_P: usize = SCRATCH + 11 * NUMBER_SIZE;
export const MOD_Q: usize = SCRATCH + 12 * NUMBER_SIZE;
export const RESULT: usize = SCRATCH + 13 * NUMBER_SIZE;
// montgomery.ts: the product's columns, u64 each (up to 592, a square's twice 244)
export const COLUMNS: usize = SCRATCH + 14 * NUMBER_SIZE;

/** An encoded message, and the one that stands in for it if its padding is wrong (padding.ts). */
export const EM: usize = memory.data(<i32>MAX_BYTES, 64);
export const SYNTHETIC: usize = memory.data(<i32>MAX_BYTES, 64);

/** Numbers of both lanes (lanes.ts): a base, a power of it, the product's columns. */
export const LANE_BASE: usize = memory.data(<i32>LANES_SIZE, 64);
export const LANE_POWER: usize = memory.data(<i32>LANES_SIZE, 64);
export const LANE_COLUMNS: usize = memory.data(<i32>(LANES_SIZE * 2), 64);
/** Powers of a base for one exponentiation, one for each value of a window: digits of 24 bits in both lanes, as f32. */
export const TABLE_ENTRIES: u32 = 32;
export const TABLE: usize = memory.data(<i32>(LANES_SIZE / 2 * TABLE_ENTRIES), 64);

export function wipeScratch(): void {
  wipe(SCRATCH, COUNT * NUMBER_SIZE);
  wipe(EM, MAX_BYTES);
  wipe(SYNTHETIC, MAX_BYTES);
}

/** Wipes the remains of an exponentiation with so many digits and so large a table. */
export function wipeLanes(rows: u32, table: usize): void {
  const size = <usize>(rows + 8) << 4;
  wipe(LANE_BASE, size);
  wipe(LANE_POWER, size);
  wipe(LANE_COLUMNS, 2 * size);
  wipe(TABLE, table);
}
