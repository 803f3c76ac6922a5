// What a call answers. No call traps on bad input; src/core/instance.ts gives each code its error.

/** Done. */
export const OK: i32 = 0;
/** An argument is out of its range: a length, a slot, a key size. */
export const BAD_ARGUMENT: i32 = 1;
/** A tag, an integrity check or a padding does not match. Says nothing more, on purpose. */
export const NOT_AUTHENTIC: i32 = 2;
/** Key material that cannot be used: an even modulus, n other than p·q, and the like. */
export const BAD_KEY: i32 = 3;
/** A result failed its own check (a fault in a CRT computation); nothing of it was given out. */
export const FAULT: i32 = 4;
