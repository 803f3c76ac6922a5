// Where everything lives. The memory is fixed: every region below and in the other rooms is
// static (`memory.data`), so no call allocates and a secret is always at a place known in advance.

/** Bytes that one call can take in or give out; longer data goes through in pieces. */
export const WINDOW_SIZE: usize = 65536;

/** Spare bytes behind a window: a tag, an IV or the tail of a vector load may stand there. */
const SPARE: usize = 64;

/** The input window: what a call reads. */
export const INPUT: usize = memory.data(<i32>(WINDOW_SIZE + SPARE), 64);

/** The output window: what a call writes. */
export const OUTPUT: usize = memory.data(<i32>(WINDOW_SIZE + SPARE), 64);

/** Small arguments beside the input: a key, an IV, a counter block, a salt. */
export const PARAMS_SIZE: usize = 4096;
export const PARAMS: usize = memory.data(<i32>PARAMS_SIZE, 64);

/** Overwrites `length` bytes at `pointer` with zeros. */
export function wipe(pointer: usize, length: usize): void {
  memory.fill(pointer, 0, length);
}

/** Wipes the three windows; every room wipes its own regions itself. */
export function wipeWindows(): void {
  wipe(INPUT, WINDOW_SIZE + SPARE);
  wipe(OUTPUT, WINDOW_SIZE + SPARE);
  wipe(PARAMS, PARAMS_SIZE);
}
