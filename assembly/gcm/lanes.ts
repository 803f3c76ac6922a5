// Sixteen blocks to byte lanes and back: the bytes of registers and lanes, transposed.
//
//   blocks                                      lanes
//
//   b0   a0  a1  a2 … a15   (block a)           b0   a0   b0   c0  …  p0     byte 0 of every block
//   b1   b0  b1  b2 … b15   (block b)           b1   a1   b1   c1  …  p1
//   …                                           …
//   b15  p0  p1  p2 … p15   (block p)           b15  a15  b15  c15 …  p15

@unmanaged
export class Lanes {
  b0: v128;
  b1: v128;
  b2: v128;
  b3: v128;
  b4: v128;
  b5: v128;
  b6: v128;
  b7: v128;
  b8: v128;
  b9: v128;
  b10: v128;
  b11: v128;
  b12: v128;
  b13: v128;
  b14: v128;
  b15: v128;
}

// A shuffle is slow in V8 except where one machine instruction does it, as for these two (punpck).
// @ts-ignore: decorator
@inline
function lower(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function upper(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/**
 * Interleaves the first eight registers, byte by byte, with the last eight. Of the eight bits of a
 * byte's number (register, lane) this moves each one place round, so four times is a transposition.
 *
 *     b0  a0 a1 a2 … a15   ┐    b0  a0 c0 a1 c1 … a7  c7        register  lane
 *      …                   ├─▶  b1  a8 c8 a9 c9 … a15 c15           r r r r   l l l l
 *     b8  c0 c1 c2 … c15   ┘     …                                  3 2 1 0   3 2 1 0
 *                                                            ─▶     r r r l   l l l r
 *                                                                   2 1 0 3   2 1 0 3
 */
// @ts-ignore: decorator
@inline
export function interleave(from: Lanes, to: Lanes): void {
  const a0 = from.b0, c0 = from.b8;
  const a1 = from.b1, c1 = from.b9;
  const a2 = from.b2, c2 = from.b10;
  const a3 = from.b3, c3 = from.b11;
  const a4 = from.b4, c4 = from.b12;
  const a5 = from.b5, c5 = from.b13;
  const a6 = from.b6, c6 = from.b14;
  const a7 = from.b7, c7 = from.b15;
  to.b0 = lower(a0, c0);
  to.b1 = upper(a0, c0);
  to.b2 = lower(a1, c1);
  to.b3 = upper(a1, c1);
  to.b4 = lower(a2, c2);
  to.b5 = upper(a2, c2);
  to.b6 = lower(a3, c3);
  to.b7 = upper(a3, c3);
  to.b8 = lower(a4, c4);
  to.b9 = upper(a4, c4);
  to.b10 = lower(a5, c5);
  to.b11 = upper(a5, c5);
  to.b12 = lower(a6, c6);
  to.b13 = upper(a6, c6);
  to.b14 = lower(a7, c7);
  to.b15 = upper(a7, c7);
}
