// Where a computation keeps its intermediate numbers. All of them are wiped after every call.
import { wipe } from "../memory";

const COUNT: usize = 16;
const SCRATCH: usize = memory.data(16 * 2368, 64);

// montgomery.ts
export const PIECE: usize = SCRATCH;
export const TERM: usize = SCRATCH + 2368;
export const ONE: usize = SCRATCH + 2 * 2368;
// power.ts, operation.ts
export const REMAINDER: usize = SCRATCH + 3 * 2368;
// inverse.ts
export const F: usize = SCRATCH + 4 * 2368;
export const G: usize = SCRATCH + 5 * 2368;
export const D: usize = SCRATCH + 6 * 2368;
export const E: usize = SCRATCH + 7 * 2368;
// operation.ts, key.ts, power.ts
export const INPUT_NUMBER: usize = SCRATCH + 8 * 2368;
export const BLIND: usize = SCRATCH + 9 * 2368;
export const BLINDED: usize = SCRATCH + 10 * 2368;
export const MOD_P: usize = SCRATCH + 11 * 2368;
export const MOD_Q: usize = SCRATCH + 12 * 2368;
export const RESULT: usize = SCRATCH + 13 * 2368;
// montgomery.ts: the product's columns, u64 each (up to 592, a square's twice 244)
export const COLUMNS: usize = SCRATCH + 14 * 2368;

/** An encoded message, and the one that stands in for it if its padding is wrong (padding.ts). */
export const EM: usize = memory.data(2048, 64);
export const SYNTHETIC: usize = memory.data(2048, 64);

/** Numbers of both lanes (lanes.ts): a base, a power of it, the product's columns. */
export const LANE_BASE: usize = memory.data(704 * 16, 64);
export const LANE_POWER: usize = memory.data(704 * 16, 64);
export const LANE_COLUMNS: usize = memory.data(2 * 704 * 16, 64);
/** Powers of a base in both lanes for one exponentiation: 32 of them, 704 digits of 24 bits as f32 each. */
export const TABLE: usize = memory.data(32 * 704 * 8, 64);

export function wipeScratch(): void {
  wipe(SCRATCH, COUNT * 2368);
  wipe(EM, 2048);
  wipe(SYNTHETIC, 2048);
}

/** Wipes what an exponentiation with so many digits and so large a table left behind. */
export function wipeLanes(rows: u32, table: usize): void {
  const size = <usize>(rows + 8) << 4;
  wipe(LANE_BASE, size);
  wipe(LANE_POWER, size);
  wipe(LANE_COLUMNS, 2 * size);
  wipe(TABLE, table);
}
