// Rewrites a WebAssembly module so that it tells what it does: which basic blocks run, how many
// instructions they have, which addresses are touched, and the operands of what a processor or an
// engine may take different times for. What it computes stays the same.
//
// Nothing is imported: a hash over all events, and their numbers, stand in globals of the module. To
// find the first event in which two runs differ, `limit` freezes hash and place at one event, and the
// place is halved in on.

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
  /** The last event that counts; set it before a run. */
  limit: "ct:limit",
  /** The site of the event at the limit. */
  site: "ct:site",
} as const;

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
/** What makes events besides running at all. */
type Sink =
  | { kind: "load" }
  | { kind: "store"; value: ValueType }
  /** Operands that the time may depend on, all of one type. */
  | { kind: "operands"; count: number; type: ValueType };

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
    return done("br_table", { kind: "operands", count: 1, type: I32 });
  }
  if (opcode === 0x11) {
    from.u32();
    from.u32();
    return done("call_indirect", { kind: "operands", count: 1, type: I32 });
  }
  // An engine is free to make a branch of it.
  if (opcode === 0x1b) return done("select", { kind: "operands", count: 1, type: I32 });
  if (opcode === 0x1c) {
    for (let left = from.u32(); left > 0; left--) from.byte();
    return done("select", { kind: "operands", count: 1, type: I32 });
  }
  if (opcode >= 0x20 && opcode <= 0x26) {
    from.u32();
    return done("variable");
  }
  if (opcode >= 0x28 && opcode <= 0x35) return memory(false, "load", { kind: "load" });
  if (opcode >= 0x36 && opcode <= 0x3e) {
    return memory(false, "store", { kind: "store", value: STORES[opcode]! });
  }
  if (opcode === 0x3f || opcode === 0x40) {
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
  const division = (type: ValueType) =>
    done("division", { kind: "operands" as const, count: 2, type });
  if (opcode >= 0x6d && opcode <= 0x70) return division(I32);
  if (opcode >= 0x7f && opcode <= 0x82) return division(I64);
  if (opcode === 0x95) return division(F32);
  if (opcode === 0xa3) return division(F64);
  if (opcode === 0xfc) {
    const code = from.u32();
    if (code === 10 || code === 11) {
      from.take(code === 10 ? 2 : 1);
      return done(code === 10 ? "memory.copy" : "memory.fill", {
        kind: "operands",
        count: 3,
        type: I32,
      });
    }
    if (code <= 7) return done("truncation");
    throw new Error(`an instruction that nobody expected: 0xfc ${code}`);
  }
  if (opcode === 0xfd) {
    const code = from.u32();
    if (code <= 10 || code === 92 || code === 93)
      return memory(false, "v128.load", { kind: "load" });
    if (code === 11) return memory(false, "v128.store", { kind: "store", value: V128 });
    // The lanes' vector lies above the address, as a stored value does.
    if (code >= 84 && code <= 91) return memory(true, "v128 lane", { kind: "store", value: V128 });
    if (code === 12 || code === 13) from.take(16);
    if (code >= 21 && code <= 34) from.byte();
    return done("vector");
  }
  if (opcode > 0xc4)
    throw new Error(`an instruction that nobody expected: 0x${opcode.toString(16)}`);
  return done("plain");
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

/** Rewrites a module that imports nothing. */
export function instrument(source: Uint8Array): Instrumented {
  const sections = readSections(source);
  const section = (id: number) => sections.find((candidate) => candidate.id === id);
  if (section(2) !== undefined) throw new Error("the module has imports");
  const types = count(section(1));
  const functions = count(section(3));
  const globals = count(section(6));
  const [EVENT, BLOCK] = [functions, functions + 1];
  const [HASH, EVENTS, INSTRUCTIONS, LIMIT, SITE] = [0, 1, 2, 3, 4].map((i) => globals + i);
  const get = (global: number | undefined) => [0x23, ...unsigned(global!)];
  const set = (global: number | undefined) => [0x24, ...unsigned(global!)];

  const sites: Site[] = [];
  const newSite = (index: number, offset: number, what: string): number[] => {
    sites.push({ function: index, offset, what });
    return [0x41, ...signed(sites.length - 1)];
  };
  const callEvent = [0x10, ...unsigned(EVENT)];

  /** One function's body, without the events' own two. */
  const rewrite = (body: Uint8Array, index: number): number[] => {
    const offset = body.byteOffset - source.byteOffset;
    const from = new Bytes(body);
    // Locals: the old ones, then one of each type and three numbers for operands.
    const groups: number[][] = [];
    for (let left = from.u32(); left > 0; left--) {
      const begin = from.at;
      from.u32();
      from.byte();
      groups.push([...body.subarray(begin, from.at)]);
    }
    const first = parameters[index]! + groupedLocals(groups);
    const EXTRA: ValueType[] = [I32, I32, I32, I64, I64, F32, F32, F64, F64, V128];
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
      out.push(0x41, ...signed(length + 1), 0x10, ...unsigned(BLOCK));
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
          out.push(...site(), ...getLocal(place));
          // A condition is true or false.
          if (name === "select") out.push(0x45);
          out.push(...asI64[sink.type], ...callEvent);
        });
        for (const place of places) out.push(...getLocal(place));
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
  // events += 1; if (events > limit) return; hash = (rotl(hash, 23) ^ value ^ site << 40) · constant
  const event = [
    [...get(EVENTS), 0x42, 1, 0x7c, ...set(EVENTS)],
    [...get(EVENTS), ...get(LIMIT), 0x56, 0x04, 0x40, 0x0f, 0x0b],
    [...get(HASH), 0x42, 23, 0x89, 0x20, 1, 0x85],
    [0x20, 0, 0xad, 0x42, 40, 0x86, 0x85],
    [0x42, ...[0x95, 0xf8, 0xa9, 0xfa, 0x97, 0xb7, 0xde, 0x9b, 0x9e, 0x7f], 0x7e, ...set(HASH)],
    [...get(EVENTS), ...get(LIMIT), 0x51, 0x04, 0x40, 0x20, 0, 0xad, ...set(SITE), 0x0b],
  ].flat();
  const block = [
    [...get(INSTRUCTIONS), 0x20, 1, 0xad, 0x7c, ...set(INSTRUCTIONS)],
    [0x20, 0, 0x42, 0, ...callEvent],
  ].flat();

  const name = (text: string) => [...unsigned(text.length), ...Buffer.from(text)];
  const added: Record<number, number[]> = {
    1: append(section(1), [
      [0x60, 2, I32, I64, 0],
      [0x60, 2, I32, I32, 0],
    ]),
    3: append(section(3), [unsigned(types), unsigned(types + 1)]),
    6: append(
      section(6),
      [0, 1, 2, 3, 4].map(() => [I64, 1, 0x42, 0, 0x0b]),
    ),
    7: append(section(7), [
      [...name(GLOBALS.hash), 3, ...unsigned(HASH!)],
      [...name(GLOBALS.events), 3, ...unsigned(EVENTS!)],
      [...name(GLOBALS.instructions), 3, ...unsigned(INSTRUCTIONS!)],
      [...name(GLOBALS.limit), 3, ...unsigned(LIMIT!)],
      [...name(GLOBALS.site), 3, ...unsigned(SITE!)],
    ]),
    10: vector([...bodies, body(event), body(block)]),
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
