// The embedded copies of the core, in parts (src/core/parts.ts says what a part is). What each level of the core needs
// of the WebAssembly is told by the calls that it makes.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants, deflateRawSync } from "node:zlib";

/** The exported calls of each level beside those of the one before; the last level has all. */
const LEVELS = [
  [
    ...["wipeWindows", "compareInput", "aesExpand", "aesForget", "gcmSeal", "gcmOpen"],
    ...["hashBegin", "hashUpdate", "hashFinish", "hmacKey", "hmacNext", "hashWipe"],
    ...["rsaLoadPublic", "rsaUnload", "rsaEncrypt"],
  ],
  ["rsaLoadPrivate", "rsaDecrypt", "rsaMessageLength"],
];
/** The parts' modules in build/core, in the order of levels. */
const PARTS = ["embedded-sealing", "embedded-opening", "embedded"];

/** No locals, `unreachable`, `end`, with their number in front. */
const MISSING = Buffer.of(3, 0, 0x00, 0x0b);
const CODE = 10;
// As src/core/relaxed.ts has them.
const PIECE = 8192;
const AROUND = 10_240;

/** A number as LEB128. */
function leb(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.of(...bytes, value);
}

/** A module's bytes before and behind its code section, the number of bodies as it stands there, and the bodies. */
function takeApart(module) {
  let at = 8;
  const number = () => {
    let value = 0;
    let shift = 0;
    let byte;
    do {
      byte = module[at++];
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f);
    return value;
  };
  while (module[at++] !== CODE) {
    const size = number();
    at += size;
  }
  const before = module.subarray(0, at);
  const end = number() + at;
  const countAt = at;
  const count = number();
  const counted = module.subarray(countAt, at);
  const bodies = Array.from({ length: count }, () => {
    const start = at;
    const size = number();
    at += size;
    return module.subarray(start, at);
  });
  if (at !== end) throw new Error("parts: the code section has something else in it");
  if (bodies.some(({ length }) => length === MISSING.length)) {
    throw new Error("parts: a body is as short as the sign that one is missing");
  }
  return { before, counted, bodies, behind: module.subarray(at) };
}

/** The numbers of the functions that some exported calls can reach. */
async function reachable(module, calls) {
  const { default: binaryen } = await import("binaryen"); // asc brings it along
  const copy = binaryen.readBinary(module);
  copy.setFeatures(binaryen.Features.All);
  const list = (count, at, info) =>
    Array.from({ length: count }, (_, i) => binaryen[info](copy[at](i)).name);
  const exported = list(copy.getNumExports(), "getExportByIndex", "getExportInfo");
  for (const call of calls) if (!exported.includes(call)) throw new Error(`parts: no ${call}`);
  for (const name of exported) if (!calls.includes(name)) copy.removeExport(name);
  copy.runPasses(["remove-unused-module-elements"]);
  // Functions without a name have their number for one.
  const names = list(copy.getNumFunctions(), "getFunctionByIndex", "getFunctionInfo");
  copy.dispose();
  return new Set(names.map(Number));
}

/** The parts of a core. */
async function split(module) {
  const { before, counted, bodies, behind } = takeApart(module);
  const calls = [];
  const levels = [];
  for (const more of LEVELS) {
    calls.push(...more);
    levels.push(await reachable(module, calls));
  }
  levels.push(new Set(bodies.keys()));
  const bodiesOf = (level) => bodies.map((body, i) => (levels[level].has(i) ? body : MISSING));
  const lengthOf = (list) => leb(list.reduce((sum, { length }) => sum + length, counted.length));
  return levels.map((_, level) => {
    const all = bodiesOf(level);
    if (level === 0) return Buffer.concat([before, lengthOf(all), counted, ...all, behind]);
    const added = all.filter((_, i) => !levels[level - 1].has(i));
    return Buffer.concat([lengthOf(all), ...added]);
  });
}

/** Packs bytes as src/core/parts.ts unpacks them: with Zopfli, whose deflate is a twentieth smaller than zlib's. */
async function pack(bytes) {
  const { default: zopfli } = await import("@gfx/zopfli"); // it listens to the process's errors once it is loaded
  const packed = await zopfli.zlibAsync(bytes, { numiterations: 15 });
  return Buffer.from(packed).toString("base64");
}

/** Packs what differs from a part of the other build, as src/core/relaxed.ts unpacks it. */
function packOver(base, bytes) {
  const count = Math.ceil(bytes.length / PIECE);
  const pieces = Array.from({ length: count }, (_, i) => {
    const dictionary = base.subarray(Math.max(0, i * PIECE - AROUND), (i + 1) * PIECE + AROUND);
    return deflateRawSync(bytes.subarray(i * PIECE, (i + 1) * PIECE), {
      level: 9,
      memLevel: 9,
      // Each ends with a whole byte; only the last one ends the stream.
      finishFlush: i === count - 1 ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...(dictionary.length === 0 ? {} : { dictionary }),
    });
  });
  const lengths = Buffer.alloc(1 + 2 * count);
  lengths[0] = count;
  for (const [i, { length }] of pieces.entries()) lengths.writeUInt16LE(length, 1 + 2 * i);
  return Buffer.concat([lengths, ...pieces]).toString("base64");
}

/** Writes the embedded copies, as modules in build/core: of core.wasm and core-relaxed.wasm by parts, of core-aes.wasm whole. */
async function writeCopies(root) {
  const read = (file) => readFileSync(`${root}build/${file}`);
  const write = (module, text) =>
    writeFileSync(`${root}build/core/${module}.js`, `export const text = "${text}";\n`);
  const parts = await split(read("core.wasm"));
  const relaxed = await split(read("core-relaxed.wasm"));
  for (const [i, module] of PARTS.entries()) {
    write(`${module}-relaxed`, packOver(parts[i], relaxed[i]));
    write(module, await pack(parts[i]));
  }
  write("embedded-aes", await pack(read("core-aes.wasm")));
}

/** The embedded copies of cores with these SHA-256, unless they are there: to pack them takes its time. */
export async function embedCores(root, hashes, say) {
  const mark = `${root}build/embedded.json`;
  const by = createHash("sha256").update(readFileSync(new URL(import.meta.url)));
  const wanted = JSON.stringify({ ...hashes, by: by.digest("hex") });
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;
  say("the embedded copies");
  await writeCopies(root);
  writeFileSync(mark, wanted);
}
