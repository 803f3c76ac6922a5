import { TwinwrapError } from "./errors.js";

// Checks callers' arguments where they come in: plain JavaScript calls this library too, and a cipher that takes
// text for as many zeros answers as if all were well. An error names the argument and what it must be, never its
// value. No check depends on an object's realm (frame, vm context, jsdom): `instanceof`, which does, is only a
// short cut here.

/**
 * Bytes as callers have them: a Uint8Array (a Buffer is one) or any other view, by the bytes that it shows, or an
 * ArrayBuffer. Views of shared memory may be given, too; then every byte is read once.
 */
export type Bytes = ArrayBufferView | ArrayBuffer;

/** Checks a value, and gives it in the one form that the code behind works with. */
export type Kind<T> = (value: unknown, what: string) => T;

const plain = Uint8Array.prototype;
const lengthOf = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;
/** The type of an array, of any realm; undefined for everything else. */
const tagOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(plain), Symbol.toStringTag)!
  .get!;
const getTime = Date.prototype.getTime;

/** A value's kind, in words that reveal nothing of its content. */
function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return "text";
  if (typeof value !== "object") return `a ${typeof value}`;
  try {
    if (typeof (value as PromiseLike<unknown>).then === "function") return "a promise: await it";
    if (Array.isArray(value)) return "an array";
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    return tag === "Object" || !/^[\w.]{1,40}$/.test(tag) ? "an object" : `an object (${tag})`;
  } catch {
    return "an object"; // a proxy that refuses to be asked
  }
}

/**
 * The error of an argument of the wrong kind.
 * @param what the argument's name, as people read it
 * @param expected what it must be
 */
export function wrongKind(value: unknown, what: string, expected: string): TwinwrapError {
  return new TwinwrapError("BAD_ARGUMENT", `${what} must be ${expected}, not ${nameOf(value)}`);
}

/**
 * Bytes as a Uint8Array over the same memory. Costs next to nothing if that is what it is already (or a Buffer, of
 * which slice() is no copy).
 * @throws TwinwrapError BAD_ARGUMENT for everything else, text above all, and for memory that was transferred away
 */
export function needBytes(value: unknown, what: string): Uint8Array {
  // Only `isView` looks inside; the rest is told apart below.
  return value instanceof Uint8Array && ArrayBuffer.isView(value) && value.length > 0
    ? value
    : otherBytes(value, what);
}

function otherBytes(value: unknown, what: string): Uint8Array {
  const isView = ArrayBuffer.isView(value);
  if (!isView && !isArrayBuffer(value)) {
    throw wrongKind(value, what, "bytes (a Uint8Array, another view or an ArrayBuffer)");
  }
  try {
    if (!isView) return new Uint8Array(value);
    // A view that has lost its memory has no bytes; this throws then, whatever type of array it is.
    if (value.byteLength === 0 && "length" in value) plain.indexOf.call(value as Uint8Array, 0);
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  } catch {
    const message = `${what} has no memory any more: its buffer was transferred or cut`;
    throw new TwinwrapError("BAD_ARGUMENT", message);
  }
}

/**
 * A Uint8Array, of any realm, as it is: for outputs, and for bytes that stay in their object.
 * @throws TwinwrapError BAD_ARGUMENT
 */
export function needUint8Array(value: unknown, what: string): Uint8Array {
  if (tagOf.call(value) === "Uint8Array") return value as Uint8Array;
  throw wrongKind(value, what, "a Uint8Array");
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    // The getter looks at what only an ArrayBuffer has inside, of any realm; a SharedArrayBuffer is none.
    lengthOf.call(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * The same for bytes that are read more than once: a copy if the memory is shared, so that nobody can change it
 * between two reads. Always a plain Uint8Array.
 */
export function needStableBytes(value: unknown, what: string): Uint8Array {
  const bytes = needBytes(value, what);
  if (!isArrayBuffer(bytes.buffer)) return new Uint8Array(bytes);
  return Object.getPrototypeOf(bytes) === plain ? bytes : otherBytes(bytes, what);
}

/** Bytes of one length, or of `low` to `high` bytes. */
export function bytesOf(low: number, high = low): Kind<Uint8Array> {
  return (value, what) => {
    const bytes = needStableBytes(value, what);
    if (bytes.length >= low && bytes.length <= high) return bytes;
    const range = low === high ? low : `${low} to ${high}`;
    throw new TwinwrapError("BAD_ARGUMENT", `${what} must be ${range} bytes long`);
  };
}

/** @throws TwinwrapError BAD_ARGUMENT unless it is text */
export function needText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw wrongKind(value, what, "text");
}

/** @throws TwinwrapError BAD_ARGUMENT unless it is true or false */
export function needFlag(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrongKind(value, what, "true or false");
}

/** A whole number from `low` to `high`. */
export function whole(low: number, high = Number.MAX_SAFE_INTEGER): Kind<number> {
  return (value, what) => {
    if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) {
      return value as number;
    }
    const top = high === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : high;
    const message = `${what} must be a whole number from ${low} to ${top}`;
    throw new TwinwrapError("BAD_ARGUMENT", message);
  };
}

/** One of some names. */
export function oneOf<T extends string>(...names: readonly T[]): Kind<T> {
  return (value, what) => {
    if (names.includes(value as T)) return value as T;
    throw wrongKind(value, what, `one of ${names.map((name) => `"${name}"`).join(", ")}`);
  };
}

/** @throws TwinwrapError BAD_ARGUMENT unless it can be called */
// biome-ignore lint/suspicious/noExplicitAny: its parameters and result can't be checked
export function needFunction(value: unknown, what: string): any {
  if (typeof value === "function") return value;
  throw wrongKind(value, what, "a function");
}

/** A Date, as one of this realm. Whether it is a valid time is checked where it is written. */
export function needDate(value: unknown, what: string): Date {
  try {
    return new Date(getTime.call(value));
  } catch {
    throw wrongKind(value, what, "a Date");
  }
}

/** @throws TwinwrapError BAD_ARGUMENT unless it is an AbortSignal, of any realm */
export function needSignal(value: unknown, what: string): AbortSignal {
  const signal = value as AbortSignal;
  if (
    isObject(signal) &&
    typeof memberOf(signal, "aborted", what) === "boolean" &&
    typeof memberOf(signal, "addEventListener", what) === "function"
  ) {
    return signal;
  }
  throw wrongKind(value, what, "an AbortSignal");
}

/** Whether it is an array, of any realm. A proxy that was revoked is not even asked. */
export function isList(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** A list, as an array of this realm, of items of one kind. */
export function listOf<T>(kind: Kind<T>): Kind<T[]> {
  return (value, what) => {
    if (!isList(value)) throw wrongKind(value, what, "an array");
    let items: unknown[];
    try {
      items = Array.from(value);
    } catch (cause) {
      throw new TwinwrapError("BAD_ARGUMENT", `${what} can't be read`, { cause });
    }
    return items.map((item, i) => kind(item, `${what}[${i}]`));
  };
}

/** The kind, or undefined. */
export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return (value, what) => (value === undefined ? undefined : kind(value, what));
}

/** Checks the kind, but passes the value on as it is, with other members. */
export function same<T>(kind: Kind<T>): Kind<T> {
  return (value, what) => {
    kind(value, what);
    return value as T;
  };
}

// biome-ignore lint/suspicious/noExplicitAny: any function will do
type Call = (...values: any[]) => any;

function checkAll(kinds: readonly [string, Kind<unknown>][], values: unknown[]): unknown[] {
  return kinds.flatMap(([name, kind], i) =>
    name.startsWith("...")
      ? values.slice(i).map((value) => kind(value, name.slice(3)))
      : [kind(values[i], name)],
  );
}

/**
 * A function that checks what it is given.
 * @param kinds of its arguments, in order, by the names that errors give them; "...name" is for all that follow
 */
export function taking<F extends Call>(call: F, kinds: Record<string, Kind<unknown>>): F {
  const list = Object.entries(kinds);
  return ((...values: unknown[]) => call(...checkAll(list, values))) as F;
}

/** The same of one that answers with a promise, which a wrong argument rejects. */
export function takingAsync<F extends Call>(call: F, kinds: Record<string, Kind<unknown>>): F {
  const list = Object.entries(kinds);
  return (async (...values: unknown[]) => call(...checkAll(list, values))) as unknown as F;
}

/** A value that is checked elsewhere. */
export const unchecked = (value: unknown): never => value as never;

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Whether it is bytes, of any realm. */
export function isBytes(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || (isObject(value) && !isPlain(value) && isArrayBuffer(value));
}

/** A member of an object, whose getter may throw. */
export function memberOf(value: object, name: string, what: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch (cause) {
    throw new TwinwrapError("BAD_ARGUMENT", `${what}: its ${name} can't be read`, { cause });
  }
}

/** The kinds of an object's members. */
export type Shape<T> = { readonly [Name in keyof Required<T>]: Kind<T[Name]> };

/** The members of `value` that `shape` has; undefined ones are left out. */
function membersOf<T extends object>(value: object, shape: Shape<T>, what: string): T {
  const members: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries<Kind<unknown>>(shape)) {
    const member = kind(memberOf(value, name, what), `${what}.${name}`);
    if (member !== undefined) members[name] = member;
  }
  return members as T;
}

/** An object of no class: looking for the inside of an ArrayBuffer in it would throw each time. */
function isPlain(value: object): boolean {
  try {
    return Object.getPrototypeOf(value) === Object.prototype && !ArrayBuffer.isView(value);
  } catch {
    return false; // a proxy that was revoked
  }
}

/** An object's members, checked, in a new object; other members are left out. */
export function objectOf<T extends object>(shape: Shape<T>): Kind<T> {
  return (value, what) => {
    if (isObject(value) && (isPlain(value) || !(isList(value) || isBytes(value)))) {
      return membersOf(value, shape, what);
    }
    throw wrongKind(value, what, `an object with ${Object.keys(shape).join(", ")}`);
  };
}

/**
 * Options: known ones only, so that a misspelt one is an error and not ignored. All but the `needed` ones may be
 * missing.
 */
export function optionsOf<T extends object>(
  shape: Shape<T>,
  needed: readonly (keyof T & string)[] = [],
): Kind<T> {
  const names = Object.keys(shape);
  const kinds = Object.fromEntries(
    Object.entries<Kind<unknown>>(shape).map(([name, kind]) => [
      name,
      (needed as readonly string[]).includes(name) ? kind : optional(kind),
    ]),
  ) as Shape<T>;
  return (value = {}, what) => {
    let given: string[] | undefined;
    try {
      // A Map, a promise or a list of options would pass for none at all.
      const isRecord = Object.prototype.toString.call(value) === "[object Object]";
      if (isRecord) given = Object.keys(value as object);
    } catch {
      // A proxy that refuses.
    }
    if (given === undefined) throw wrongKind(value, what, "an object");
    const unknown = given.find(
      (name) => !names.includes(name) && memberOf(value as object, name, what) !== undefined,
    );
    if (unknown === undefined) return membersOf(value as object, kinds, what);
    const name = /^[\w.-]{1,40}$/.test(unknown) ? `"${unknown}"` : "of that name";
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `${what}: there is no ${name}; known are ${names.join(", ")}`,
    );
  };
}
