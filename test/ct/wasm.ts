// Rewrites a WebAssembly module so that it tells what it does: which basic blocks run, how many
// instructions they have, which addresses are touched, and the operands of what a processor or an
// engine may take different times for. What it computes stays the same.
//
// Nothing is imported: a hash over all events, and their numbers, stand in globals of the module. To
// find the first event in which two runs differ there is another build, which keeps the hash after every
// so many events in memory behind that of the module; and `limit` ends a run at one event with a trap.

/** A place in the module that makes events. */
export interface Site {
  /** The function's index. */
  function: number;
  /** Byte offset in the original module. */
  offset: number;
  what: string;
}

export interface Instrumented {
  bytes: Uint8Array<ArrayBuffer>;
  sites: Site[];
}

/** Names under which the rewritten module exports its globals (i64). */
export const GLOBALS = {
  /** Over all events up to the limit. */
  hash: "ct:hash",
  /** Events so far. */
  events: "ct:events",
  /** Instructions so far. */
  instructions: "ct:instructions",
  /** The event that ends a run with a trap, if it is not 0; set it before a run, as the next two. */
  limit: "ct:limit",
  /** Of a build that logs: the first event whose hash is kept, and the logarithm of how many there are to the next. */
  first: "ct:first",
  shift: "ct:shift",
  /** The site of the event at the limit. */
  site: "ct:site",
  /** Operations so far with a subnormal number among operands and result. */
  subnormals: "ct:subnormals",
  /** The site of the first of them. */
  subnormalSite: "ct:subnormal-site",
} as const;

/** How many hashes (u64) a build that logs keeps, and where. */
export const LOG_SLOTS = 1 << 16;
export const LOG_START = 16 * 65_536;

const I32 = 0x7f;
const I64 = 0x7e;
const F32 = 0x7d;
const F64 = 0x7c;
const V128 = 0x7b;
type ValueType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;

class Bytes {
  at: number;
  constructor(
    readonly source: Uint8Array,
    start = 0,
    readonly end = source.length,
  ) {
    this.at = start;
  }
  byte(): number {
    return this.source[this.at++]!;
  }
  /** An unsigned LEB128 number of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  /** Passes over a LEB128 number of any kind. */
  skipNumber(): void {
    while (this.byte() >= 128);
  }
  take(length: number): Uint8Array {
    this.at += length;
    return this.source.subarray(this.at - length, this.at);
  }
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) | (rest > 0 ? 128 : 0));
    value = rest;
  } while (value > 0);
  return bytes;
}

/** A number of 0 or more as signed LEB128. */
function signed(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.length - 1;
  if ((bytes[last]! & 64) === 0) return bytes;
  bytes[last]! |= 128;
  return [...bytes, 0];
}

const vector = (items: number[][]): number[] => [...unsigned(items.length), ...items.flat()];

// --- Instructions -----------------------------------------------------------------------------
/** What of an operand the time may depend on. */
type Part =
  | "all of it"
  /** Whether it is zero: a condition, or what a processor without that instruction asks first. */
  | "zero"
  /** Whether it is below 2^63 in size, so that an f64 becomes an i64 without further ado. */
  | "fits";

/** What makes events besides running at all. */
type Sink =
  | { kind: "load" }
  | { kind: "store"; value: ValueType }
  /** Operands that the time may depend on, all of one type. */
  | { kind: "operands"; count: number; type: ValueType; part: Part }
  /** Steady but for subnormal numbers, among the operands or as the result; bits of a number in both. */
  | {
      kind: "float";
      count: number;
      type: ValueType;
      bits: Bits;
      result: ValueType;
      resultBits: Bits;
    };

type Bits = 32 | 64;

interface Instruction {
  opcode: number;
  start: number;
  end: number;
  name: string;
  sink?: Sink;
}

const STORES: Record<number, ValueType> = {
  54: I32,
  55: I64,
  56: F32,
  57: F64,
  58: I32,
  59: I32,
  60: I64,
  61: I64,
  62: I64,
};

const operands = (count: number, type: ValueType, part: Part = "all of it"): Sink => ({
  kind: "operands",
  count,
  type,
  part,
});
const float = (
  count: number,
  type: ValueType,
  bits: Bits,
  result: ValueType = type,
  resultBits: Bits = bits,
): Sink => ({ kind: "float", count, type, bits, result, resultBits });

/** The plain instructions (one byte, no immediates) that are not steady, by their first opcodes. */
function plainSink(opcode: number): [string, Sink] | undefined {
  const between = (first: number, last: number) => opcode >= first && opcode <= last;
  // Some processors count zeros with a loop or a branch.
  if (between(0x67, 0x68)) return ["zeros", operands(1, I32, "zero")];
  if (between(0x79, 0x7a)) return ["zeros", operands(1, I64, "zero")];
  if (between(0x6d, 0x70)) return ["division", operands(2, I32)];
  if (between(0x7f, 0x82)) return ["division", operands(2, I64)];
  if (between(0x5b, 0x60)) return ["comparison", operands(2, F32)];
  if (between(0x61, 0x66)) return ["comparison", operands(2, F64)];
  for (const [first, type, bits] of [
    [0x8b, F32, 32],
    [0x99, F64, 64],
  ] as const) {
    // abs, neg, ceil, floor, trunc, nearest, sqrt, add, sub, mul, div, min, max, copysign
    const which = opcode - first;
    if (which >= 2 && which <= 5) return ["rounding", operands(1, type)];
    if (which === 6) return ["square root", operands(1, type)];
    if (which >= 7 && which <= 9) return ["product or sum", float(2, type, bits)];
    if (which === 10) return ["division", operands(2, type)];
    if (which === 11 || which === 12) return ["minimum", operands(2, type)];
  }
  if (opcode === 0xb0) return ["truncation", operands(1, F64, "fits")];
  if (between(0xa8, 0xa9) || between(0xae, 0xaf)) return ["truncation", operands(1, F32)];
  if (between(0xaa, 0xab) || opcode === 0xb1) return ["truncation", operands(1, F64)];
  // Processors convert signed numbers only: an engine asks for the highest bit.
  if (opcode === 0xb5 || opcode === 0xba) return ["conversion", operands(1, I64)];
  if (opcode === 0xb6) return ["conversion", float(1, F64, 64, F32, 32)];
  if (opcode === 0xbb) return ["conversion", float(1, F32, 32, F64, 64)];
  return undefined;
}

/** The same for vectors: by the opcode behind 0xfd, of those without immediates. */
function vectorSink(code: number): [string, Sink] | undefined {
  const between = (first: number, last: number) => code >= first && code <= last;
  if (between(65, 76)) return ["comparison", operands(2, V128)];
  if (code === 94) return ["conversion", float(1, V128, 64, V128, 32)];
  if (code === 95) return ["conversion", float(1, V128, 32, V128, 64)];
  if (between(103, 106) || [116, 117, 122, 148].includes(code)) {
    return ["rounding", operands(1, V128)];
  }
  for (const [first, bits] of [
    [0xe0, 32],
    [0xec, 64],
  ] as const) {
    // abs, neg, -, sqrt, add, sub, mul, div, min, max, pmin, pmax
    const which = code - first;
    if (which === 3) return ["square root", operands(1, V128)];
    if (which >= 4 && which <= 6) return ["product or sum", float(2, V128, bits)];
    if (which === 7) return ["division", operands(2, V128)];
    if (which >= 8 && which <= 11) return ["minimum", operands(2, V128)];
  }
  if (code === 261 || code === 262) return ["product or sum", float(3, V128, 32)];
  if (code === 263 || code === 264) return ["product or sum", float(3, V128, 64)];
  return undefined;
}

/** Vector instructions without immediates that are steady or that `vectorSink` knows. */
function isKnownVector(code: number): boolean {
  // Integers, permutations, selections by bits; relaxed swizzle; what is above; lane selections.
  return (
    (code >= 14 && code <= 20) ||
    (code >= 35 && code <= 83) ||
    (code >= 94 && code <= 247) ||
    code === 256 ||
    (code >= 261 && code <= 268)
  );
}

/** Reads one instruction, its immediates included. */
function readInstruction(from: Bytes): Instruction {
  const start = from.at;
  const opcode = from.byte();
  const done = (name: string, sink?: Sink): Instruction => ({
    opcode,
    start,
    end: from.at,
    name,
    ...(sink ? { sink } : {}),
  });
  const memory = (lane: boolean, name: string, sink: Sink): Instruction => {
    from.u32();
    from.u32();
    if (lane) from.byte();
    return done(name, sink);
  };
  if (opcode >= 0x02 && opcode <= 0x04) {
    from.skipNumber();
    return done(["block", "loop", "if"][opcode - 2]!);
  }
  if (opcode === 0x0c || opcode === 0x0d || opcode === 0x10) {
    from.u32();
    return done(opcode === 0x10 ? "call" : "br");
  }
  if (opcode === 0x0e) {
    for (let left = from.u32() + 1; left > 0; left--) from.u32();
    return done("br_table", operands(1, I32));
  }
  if (opcode === 0x11) {
    from.u32();
    from.u32();
    return done("call_indirect", operands(1, I32));
  }
  // An engine is free to make a branch of it.
  if (opcode === 0x1b) return done("select", operands(1, I32, "zero"));
  if (opcode === 0x1c) {
    for (let left = from.u32(); left > 0; left--) from.byte();
    return done("select", operands(1, I32, "zero"));
  }
  if (opcode >= 0x20 && opcode <= 0x24) {
    from.u32();
    return done("variable");
  }
  if (opcode >= 0x28 && opcode <= 0x35) return memory(false, "load", { kind: "load" });
  if (opcode >= 0x36 && opcode <= 0x3e) {
    return memory(false, "store", { kind: "store", value: STORES[opcode]! });
  }
  if (opcode === 0x3f) {
    from.byte();
    return done("memory.size");
  }
  if (opcode === 0x41 || opcode === 0x42) {
    from.skipNumber();
    return done("const");
  }
  if (opcode === 0x43 || opcode === 0x44) {
    from.take(opcode === 0x43 ? 4 : 8);
    return done("const");
  }
  if (opcode === 0xfc) {
    const code = from.u32();
    if (code === 10 || code === 11) {
      from.take(code === 10 ? 2 : 1);
      return done(code === 10 ? "memory.copy" : "memory.fill", operands(3, I32));
    }
    if (code === 6) return done("truncation", operands(1, F64, "fits"));
    if (code <= 7) return done("truncation", operands(1, code & 2 ? F64 : F32));
    throw new Error(`an instruction that nobody expected: 0xfc ${code}`);
  }
  if (opcode === 0xfd) {
    const code = from.u32();
    if (code <= 10 || code === 92 || code === 93)
      return memory(false, "v128.load", { kind: "load" });
    if (code === 11) return memory(false, "v128.store", { kind: "store", value: V128 });
    // The lanes' vector lies above the address, as a stored value does.
    if (code >= 84 && code <= 91) return memory(true, "v128 lane", { kind: "store", value: V128 });
    if (code === 12 || code === 13) {
      from.take(16);
      return done("vector");
    }
    if (code >= 21 && code <= 34) {
      from.byte();
      return done("vector");
    }
    if (!isKnownVector(code)) throw new Error(`an instruction that nobody expected: 0xfd ${code}`);
    const [name, sink] = vectorSink(code) ?? ["vector"];
    return done(name, sink);
  }
  // Control without immediates, drop, and from 0x45 on what computes.
  if (opcode > 0xc4 || (opcode < 0x45 && ![0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a].includes(opcode))) {
    throw new Error(`an instruction that nobody expected: 0x${opcode.toString(16)}`);
  }
  const [name, sink] = plainSink(opcode) ?? ["plain"];
  return done(name, sink);
}

// --- Rewriting --------------------------------------------------------------------------------
interface Section {
  id: number;
  body: Uint8Array;
}

function readSections(source: Uint8Array): Section[] {
  const from = new Bytes(source, 8);
  const sections: Section[] = [];
  while (from.at < from.end) {
    const id = from.byte();
    sections.push({ id, body: from.take(from.u32()) });
  }
  return sections;
}

/** The number that a section of items begins with. */
const count = (section: Section | undefined): number =>
  section === undefined ? 0 : new Bytes(section.body).u32();

/** A section with items added at its end. */
function append(section: Section | undefined, items: number[][]): number[] {
  const body = section?.body ?? Uint8Array.of(0);
  const from = new Bytes(body);
  const before = from.u32();
  return [...unsigned(before + items.length), ...body.subarray(from.at), ...items.flat()];
}

/** The names of a module's functions by their index, if it has any. */
export function functionNames(source: Uint8Array): Map<number, string> {
  const names = new Map<number, string>();
  for (const { id, body } of readSections(source)) {
    const from = new Bytes(body);
    if (id !== 0 || Buffer.from(from.take(from.u32())).toString() !== "name") continue;
    while (from.at < from.end) {
      const kind = from.byte();
      const part = new Bytes(from.take(from.u32()));
      if (kind !== 1) continue;
      for (let left = part.u32(); left > 0; left--) {
        const index = part.u32();
        names.set(index, Buffer.from(part.take(part.u32())).toString());
      }
    }
  }
  return names;
}

/** The code section of a module: the same in two builds that differ in names alone. */
export function codeOf(source: Uint8Array): Uint8Array {
  return readSections(source).find(({ id }) => id === 10)!.body;
}

/** Rewrites a module that imports nothing, so that it logs its hashes, if that is wanted. */
export function instrument(source: Uint8Array, logs = false): Instrumented {
  const sections = readSections(source);
  const section = (id: number) => sections.find((candidate) => candidate.id === id);
  if (section(2) !== undefined) throw new Error("the module has imports");
  if (Buffer.compare(section(5)!.body, Uint8Array.of(1, 1, 16, 16)) !== 0) {
    throw new Error("the module's memory is another one");
  }
  const types = count(section(1));
  const functions = count(section(3));
  const globals = count(section(6));
  const [EVENT, BLOCK, CHECK32, CHECK64] = [0, 1, 2, 3].map((i) => functions + i);
  const names = Object.values(GLOBALS);
  const [HASH, EVENTS, INSTRUCTIONS, LIMIT, FIRST, SHIFT, SITE, SUBNORMALS, SUBNORMAL_SITE] =
    names.map((_, i) => globals + i);
  const get = (global: number | undefined) => [0x23, ...unsigned(global!)];
  const set = (global: number | undefined) => [0x24, ...unsigned(global!)];

  const sites: Site[] = [];
  const newSite = (index: number, offset: number, what: string): number[] => {
    sites.push({ function: index, offset, what });
    return [0x41, ...signed(sites.length - 1)];
  };
  const call = (index: number | undefined) => [0x10, ...unsigned(index!)];
  const callEvent = call(EVENT);

  /** One function's body, without the events' own two. */
  const rewrite = (body: Uint8Array, index: number): number[] => {
    const offset = body.byteOffset - source.byteOffset;
    const from = new Bytes(body);
    // Locals: the old ones, then some of each type for operands and results.
    const groups: number[][] = [];
    for (let left = from.u32(); left > 0; left--) {
      const begin = from.at;
      from.u32();
      from.byte();
      groups.push([...body.subarray(begin, from.at)]);
    }
    const first = parameters[index]! + groupedLocals(groups);
    const EXTRA: ValueType[] = [I32, I64, F32, F64, V128].flatMap((type) => Array(4).fill(type));
    const local = (type: ValueType, which = 0) => first + EXTRA.indexOf(type) + which;
    const getLocal = (i: number) => [0x20, ...unsigned(i)];
    const setLocal = (i: number) => [0x21, ...unsigned(i)];
    const asI64: Record<ValueType, number[]> = {
      [I32]: [0xad],
      [I64]: [],
      [F32]: [0xbc, 0xad],
      [F64]: [0xbd],
      [V128]: [],
    };
    /** What makes i64s of the operand in a local: its parts that the time may depend on. */
    const partsOf = (place: number, type: ValueType, part: Part): number[][] => {
      const value = getLocal(place);
      if (type === V128) return [0, 1].map((lane) => [...value, 0xfd, 29, lane]);
      if (part === "zero") return [[...value, type === I64 ? 0x50 : 0x45, 0xad]];
      // |x| < 2^63
      const bound = [0x44, 0, 0, 0, 0, 0, 0, 0xe0, 0x43];
      if (part === "fits") return [[...value, 0x99, ...bound, 0x63, 0xad]];
      return [[...value, ...asI64[type]]];
    };
    /** The number or the numbers in a local as a vector. */
    const asVector = (place: number, type: ValueType) => [
      ...getLocal(place),
      ...(type === V128 ? [] : [0xfd, type === F32 ? 19 : 20]),
    ];
    /** Counts an operation if one of the numbers, all of one kind, is subnormal. */
    const checkSubnormal = (site: number[], places: number[], type: ValueType, bits: Bits) => {
      const four = [0, 1, 2, 3].map((i) => places[Math.min(i, places.length - 1)]!);
      const vectors = four.flatMap((place) => asVector(place, type));
      return [...site, ...vectors, ...call(bits === 32 ? CHECK32 : CHECK64)];
    };

    const instructions: Instruction[] = [];
    while (from.at < from.end) instructions.push(readInstruction(from));
    const out: number[] = [];
    /** Begins a basic block before instruction `next`. */
    const beginBlock = (next: number) => {
      let length = 0;
      for (let i = next; i < instructions.length; i++, length++) {
        if ([0x03, 0x04, 0x05, 0x0b, 0x0d].includes(instructions[i]!.opcode)) break;
      }
      out.push(...newSite(index, offset + instructions[next]!.start, "block"));
      out.push(0x41, ...signed(length + 1), ...call(BLOCK));
    };
    beginBlock(0);
    instructions.forEach((instruction, i) => {
      const { sink, start, end, name } = instruction;
      const site = () => newSite(index, offset + start, name);
      if (sink?.kind === "load") {
        const address = local(I32);
        out.push(0x22, ...unsigned(address), ...site(), ...getLocal(address), 0xad, ...callEvent);
      } else if (sink?.kind === "store") {
        const value = local(sink.value, sink.value === I32 ? 1 : 0);
        const address = local(I32);
        out.push(...setLocal(value), 0x22, ...unsigned(address));
        out.push(...site(), ...getLocal(address), 0xad, ...callEvent, ...getLocal(value));
      } else if (sink?.kind === "operands") {
        const places = Array.from({ length: sink.count }, (_, which) => local(sink.type, which));
        for (const place of [...places].reverse()) out.push(...setLocal(place));
        places.forEach((place, which) => {
          // What is filled in is data, not an address.
          if (name === "memory.fill" && which === 1) return;
          for (const part of partsOf(place, sink.type, sink.part)) {
            out.push(...site(), ...part, ...callEvent);
          }
        });
        for (const place of places) out.push(...getLocal(place));
      } else if (sink?.kind === "float") {
        const places = Array.from({ length: sink.count }, (_, which) => local(sink.type, which));
        for (const place of [...places].reverse()) out.push(...setLocal(place));
        for (const place of places) out.push(...getLocal(place));
        out.push(...body.subarray(start, end));
        // What comes out stands behind what went in.
        const result = local(sink.result, 3);
        const together = sink.type === sink.result && sink.bits === sink.resultBits;
        out.push(...setLocal(result));
        const checked = together ? [...places, result] : places;
        const here = site();
        out.push(...checkSubnormal(here, checked, sink.type, sink.bits));
        if (!together) out.push(...checkSubnormal(here, [result], sink.result, sink.resultBits));
        out.push(...getLocal(result));
        return;
      }
      out.push(...body.subarray(start, end));
      if ([0x03, 0x04, 0x05, 0x0b, 0x0d].includes(instruction.opcode)) {
        if (i + 1 < instructions.length) beginBlock(i + 1);
      }
    });
    const locals = vector([...groups, ...EXTRA.map((type) => [1, type])]);
    return [...unsigned(locals.length + out.length), ...locals, ...out];
  };

  const parameters = parameterCounts(section(1)!, section(3)!);
  const code = new Bytes(section(10)!.body);
  const bodies = Array.from({ length: code.u32() }, (_, index) => {
    const length = code.u32();
    return rewrite(code.take(length), index);
  });

  const body = (instructions: number[]) => [
    ...unsigned(instructions.length + 2),
    0,
    ...instructions,
    0x0b,
  ];
  // events += 1; hash = (rotl(hash, 23) ^ value ^ site << 40) · constant; if (events == limit) the end
  const event = [
    [...get(EVENTS), 0x42, 1, 0x7c, ...set(EVENTS)],
    [...get(HASH), 0x42, 23, 0x89, 0x20, 1, 0x85],
    [0x20, 0, 0xad, 0x42, 40, 0x86, 0x85],
    [0x42, ...[0x95, 0xf8, 0xa9, 0xfa, 0x97, 0xb7, 0xde, 0x9b, 0x9e, 0x7f], 0x7e, ...set(HASH)],
  ].flat();
  const end = [
    ...get(EVENTS),
    ...get(LIMIT),
    0x51,
    0x04,
    0x40,
    0x20,
    0,
    0xad,
    ...set(SITE),
    0x00,
    0x0b,
  ];
  // slot = (events - first) >> shift; if (slot < LOG_SLOTS) log[slot] = hash: the last one of each slot stays.
  const slot = [...get(EVENTS), ...get(FIRST), 0x7d, ...get(SHIFT), 0x88];
  const log = [
    ...[...slot, 0x42, ...signed(LOG_SLOTS), 0x54, 0x04, 0x40],
    ...[...slot, 0xa7, 0x41, 3, 0x74, ...get(HASH), 0x37, 3, ...unsigned(LOG_START), 0x0b],
  ];
  const block = [
    [...get(INSTRUCTIONS), 0x20, 1, 0xad, 0x7c, ...set(INSTRUCTIONS)],
    [0x20, 0, 0x42, 0, ...callEvent],
  ].flat();

  // If a lane of a to d is subnormal: subnormals += 1, and the first one's site is kept. In a lane, the bits
  // but for the sign less one, moved down by those of the mantissa, are nothing (for the least normal
  // number, too); zero gives many.
  const check = (bits: Bits): number[] => {
    const lanes = (lowest: number[], highest: number[]) =>
      Array.from({ length: 128 / bits }, () => [
        ...lowest,
        ...Array(bits / 8 - lowest.length - highest.length).fill(lowest[1]),
        ...highest,
      ]).flat();
    const operation = (code: number) => [0xfd, ...unsigned(code + (bits === 32 ? 0 : 0x20))];
    const [minus, shift, allTrue] = [0xb1, 0xad, 0xa3].map(operation);
    const isNormal = (parameter: number) => [
      ...[0x20, parameter, 0xfd, 12, ...lanes([0xff, 0xff], [0x7f]), 0xfd, 78],
      ...[0xfd, 12, ...lanes([1, 0], [0]), ...minus!],
      ...[0x41, bits === 32 ? 23 : 52, ...shift!, ...allTrue!],
    ];
    return [
      ...[1, 2, 3, 4].flatMap(isNormal),
      ...[0x71, 0x71, 0x71, 0x04, 0x40, 0x0f, 0x0b],
      ...[...get(SUBNORMALS), 0x50, 0x04, 0x40, 0x20, 0, 0xad, ...set(SUBNORMAL_SITE), 0x0b],
      ...[...get(SUBNORMALS), 0x42, 1, 0x7c, ...set(SUBNORMALS)],
    ];
  };

  const name = (text: string) => [...unsigned(text.length), ...Buffer.from(text)];
  const added: Record<number, number[]> = {
    1: append(section(1), [
      [0x60, 2, I32, I64, 0],
      [0x60, 2, I32, I32, 0],
      [0x60, 5, I32, V128, V128, V128, V128, 0],
    ]),
    3: append(
      section(3),
      [0, 1, 2, 2].map((type) => unsigned(types + type)),
    ),
    // One memory, of 16 pages; the log takes eight more.
    5: [1, 1, ...(logs ? [24, 24] : [16, 16])],
    6: append(
      section(6),
      names.map(() => [I64, 1, 0x42, 0, 0x0b]),
    ),
    7: append(
      section(7),
      names.map((text, i) => [...name(text), 3, ...unsigned(globals + i)]),
    ),
    10: vector([
      ...bodies,
      body([...event, ...(logs ? log : []), ...end]),
      ...[block, check(32), check(64)].map(body),
    ]),
  };
  const out: number[] = [...source.subarray(0, 8)];
  for (const id of [1, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]) {
    const bytes = added[id] ?? section(id)?.body;
    if (bytes === undefined) continue;
    out.push(id, ...unsigned(bytes.length));
    for (const byte of bytes) out.push(byte);
  }
  return { bytes: Uint8Array.from(out), sites };
}

/** How many parameters each function has. */
function parameterCounts(typeSection: Section, functionSection: Section): number[] {
  const from = new Bytes(typeSection.body);
  const counts = Array.from({ length: from.u32() }, () => {
    from.byte();
    const parameters = from.u32();
    from.take(parameters);
    from.take(from.u32());
    return parameters;
  });
  const list = new Bytes(functionSection.body);
  return Array.from({ length: list.u32() }, () => counts[list.u32()]!);
}

const groupedLocals = (groups: number[][]): number =>
  groups.reduce((sum, group) => sum + new Bytes(Uint8Array.from(group)).u32(), 0);
