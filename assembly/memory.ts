// Where everything lives. The memory is fixed: every region below and in the other rooms is
// static (`memory.data`), so no call allocates and a secret is always at a place known in advance.

/** Bytes that one call can take in or give out; longer data goes through in pieces. */
export const WINDOW_SIZE: usize = 65536;

/**
 * The input window: what a call reads. 64 spare bytes behind it let a tag, an IV or the tail of a
 * vector load stand there.
 */
export const INPUT: usize = memory.data(65536 + 64, 64);

/** The output window: what a call writes. */
export const OUTPUT: usize = memory.data(65536 + 64, 64);

/** Small arguments beside the input: a key, an IV, a counter block, a salt. */
export const PARAMS_SIZE: usize = 4096;
export const PARAMS: usize = memory.data(4096, 64);

/** Overwrites `length` bytes at `pointer` with zeros. */
export function wipe(pointer: usize, length: usize): void {
  memory.fill(pointer, 0, length);
}

/** Wipes the three windows; every room wipes its own regions itself. */
export function wipeWindows(): void {
  wipe(INPUT, WINDOW_SIZE + 64);
  wipe(OUTPUT, WINDOW_SIZE + 64);
  wipe(PARAMS, PARAMS_SIZE);
}
