// SHA-1 (FIPS 180-4, section 6.1): for OAEP as CryptoAPI defines it, and for nothing that needs
// collision resistance.
import { wipe } from "../memory";

const INITIAL: usize = memory.data<u32>([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);

/** The message schedule. It holds what is hashed. */
const W_SIZE: usize = 80 * 4;
const W: usize = memory.data(<i32>W_SIZE, 16);

export function initSha1(state: usize): void {
  memory.copy(state, INITIAL, 20);
}

export function wipeSha1(): void {
  wipe(W, W_SIZE);
}

// @ts-ignore: decorator
@inline
function choose(b: u32, c: u32, d: u32): u32 {
  return (d ^ (b & (c ^ d))) + 0x5a827999;
}

// @ts-ignore: decorator
@inline
function majority(b: u32, c: u32, d: u32): u32 {
  return ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
}

// @ts-ignore: decorator
@inline
function parity(b: u32, c: u32, d: u32): u32 {
  return b ^ c ^ d;
}

// @ts-ignore: decorator
@inline
function step(a: u32, e: u32, i: usize): u32 {
  return e + load<u32>(W + i) + rotl(a, 5);
}

/** Takes `blocks` blocks of 64 bytes at `data` into the state (five u32). */
export function compressSha1(state: usize, data: usize, blocks: usize): void {
  for (; blocks > 0; blocks--, data += 64) {
    for (let i: usize = 0; i < 64; i += 4) store<u32>(W + i, bswap(load<u32>(data + i)));
    for (let i: usize = W; i < W + 64 * 4; i += 4) {
      store<u32>(i, rotl(load<u32>(i) ^ load<u32>(i, 8) ^ load<u32>(i, 32) ^ load<u32>(i, 52), 1), 64);
    }
    let a = load<u32>(state);
    let b = load<u32>(state, 4);
    let c = load<u32>(state, 8);
    let d = load<u32>(state, 12);
    let e = load<u32>(state, 16);
    // Five rounds a turn: the letters rotate through the lines, so that no value need be moved.
    for (let i: usize = 0; i < 80; i += 20) {
      e = step(a, e, i) + choose(b, c, d); b = rotl(b, 30);
      d = step(e, d, i + 4) + choose(a, b, c); a = rotl(a, 30);
      c = step(d, c, i + 8) + choose(e, a, b); e = rotl(e, 30);
      b = step(c, b, i + 12) + choose(d, e, a); d = rotl(d, 30);
      a = step(b, a, i + 16) + choose(c, d, e); c = rotl(c, 30);
    }
    for (let i: usize = 80; i < 160; i += 20) {
      e = step(a, e, i) + parity(b, c, d) + 0x6ed9eba1; b = rotl(b, 30);
      d = step(e, d, i + 4) + parity(a, b, c) + 0x6ed9eba1; a = rotl(a, 30);
      c = step(d, c, i + 8) + parity(e, a, b) + 0x6ed9eba1; e = rotl(e, 30);
      b = step(c, b, i + 12) + parity(d, e, a) + 0x6ed9eba1; d = rotl(d, 30);
      a = step(b, a, i + 16) + parity(c, d, e) + 0x6ed9eba1; c = rotl(c, 30);
    }
    for (let i: usize = 160; i < 240; i += 20) {
      e = step(a, e, i) + majority(b, c, d); b = rotl(b, 30);
      d = step(e, d, i + 4) + majority(a, b, c); a = rotl(a, 30);
      c = step(d, c, i + 8) + majority(e, a, b); e = rotl(e, 30);
      b = step(c, b, i + 12) + majority(d, e, a); d = rotl(d, 30);
      a = step(b, a, i + 16) + majority(c, d, e); c = rotl(c, 30);
    }
    for (let i: usize = 240; i < 320; i += 20) {
      e = step(a, e, i) + parity(b, c, d) + 0xca62c1d6; b = rotl(b, 30);
      d = step(e, d, i + 4) + parity(a, b, c) + 0xca62c1d6; a = rotl(a, 30);
      c = step(d, c, i + 8) + parity(e, a, b) + 0xca62c1d6; e = rotl(e, 30);
      b = step(c, b, i + 12) + parity(d, e, a) + 0xca62c1d6; d = rotl(d, 30);
      a = step(b, a, i + 16) + parity(c, d, e) + 0xca62c1d6; c = rotl(c, 30);
    }
    store<u32>(state, a + load<u32>(state));
    store<u32>(state, b + load<u32>(state, 4), 4);
    store<u32>(state, c + load<u32>(state, 8), 8);
    store<u32>(state, d + load<u32>(state, 12), 12);
    store<u32>(state, e + load<u32>(state, 16), 16);
  }
}
