// A whole file sealed and opened, each time by a whole process: wall time and peak memory.
import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { alternate, summarise } from "../build/bench/timing.js";
import { runProcess } from "./processes.mjs";
import { makeKeys, makeTools, twinwrapCommands } from "./tools.mjs";

const PIECE = 1 << 20;
const START_ROUNDS = 15;

/** A folder for the work, in memory where the system has such a place: disks differ too much. */
async function inFolder(work, options) {
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const { bavail, bsize } = statfsSync(place);
  if (bavail * bsize < options.room) {
    const [has, needs] = [bavail * bsize, options.room].map((bytes) => Math.round(bytes / 2 ** 20));
    return { skipped: `${place} has room for ${has} MiB; ${needs} MiB are needed` };
  }
  const folder = mkdtempSync(join(place, "twinwrap-bench-"));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  // Gigabytes left in memory would be missing for everything else.
  const stop = () => {
    clear();
    process.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);
  try {
    return { place, ...(await work(folder)) };
  } catch (error) {
    // Earlier measurements must not be lost with it.
    return { skipped: String(error.message ?? error).split("\n")[0] };
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, stop);
    clear();
  }
}

function writeRandom(path, bytes) {
  const file = openSync(path, "wx");
  try {
    const piece = Buffer.alloc(Math.min(PIECE, bytes));
    for (let at = 0; at < bytes; at += piece.length) writeSync(file, randomFillSync(piece));
  } finally {
    closeSync(file);
  }
}

async function digest(path) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: PIECE }), hash);
  return hash.digest("hex");
}

/** Seals and opens once, and looks whether the file came back. */
async function roundTrip(tool, { plain, sealed, opened, expected }) {
  try {
    const seal = tool.encrypt(plain, sealed);
    const encrypt = await runProcess(seal.argv, seal);
    const open = tool.decrypt(sealed, opened);
    const decrypt = await runProcess(open.argv, open);
    if (!tool.checked && (await digest(opened)) !== expected)
      throw new Error("the opened file is not the one that was sealed");
    tool.checked = true;
    return { encrypt, decrypt };
  } finally {
    for (const path of [sealed, opened]) rmSync(path, { force: true });
  }
}

/** Seconds of several runs, and the most memory that any took. */
function summariseRuns(runs) {
  const peaks = runs.map(({ peakMiB }) => peakMiB).filter((peak) => peak !== undefined);
  return {
    ...summarise(runs.map(({ seconds }) => seconds)),
    ...(peaks.length === 0 ? {} : { peakMiB: Math.max(...peaks) }),
  };
}

/** What a program's runs come to, or why there are none. */
function toolRow({ tool, about, skipped, failure, ours }, runs) {
  const row = { tool, ...(about && { about }), ...(ours && { ours }) };
  if (skipped !== undefined) return { ...row, skipped };
  if (failure !== undefined) return { ...row, failure };
  return {
    ...row,
    encrypt: summariseRuns(runs.map(({ encrypt }) => encrypt)),
    decrypt: summariseRuns(runs.map(({ decrypt }) => decrypt)),
  };
}

/** All programs on one file, in turns. */
async function compareTools(tools, paths, rounds, onTool) {
  const expected = await digest(paths.plain);
  for (const tool of tools) tool.name = tool.tool;
  const slice = async (tool) => {
    if (tool.failure !== undefined) return [];
    onTool?.(tool.tool);
    try {
      return [await roundTrip(tool, { ...paths, expected })];
    } catch (error) {
      tool.failure = String(error.message ?? error).split("\n")[0];
      return [];
    }
  };
  const field = tools.filter(({ skipped }) => skipped === undefined);
  const pools = await alternate(field, slice, (done) => done < rounds);
  return tools.map((tool) => toolRow(tool, pools.get(tool.tool)));
}

/**
 * The file part of the comparison. If it is short it leaves out what no goal names.
 * @returns `rows`, one for each program, or `skipped` with the reason
 */
export function compareFiles({ bytes, rounds, isShort = false }, onTool) {
  const work = async (folder) => {
    const paths = Object.fromEntries(
      ["plain", "sealed", "opened"].map((name) => [name, join(folder, name)]),
    );
    writeRandom(paths.plain, bytes);
    const all = await makeTools(folder, bytes);
    const tools = all.filter(({ ours, tool }) => !isShort || ours !== undefined || tool === "age");
    try {
      return { bytes, rows: await compareTools(tools, paths, rounds, onTool) };
    } finally {
      for (const tool of all) tool.close?.();
    }
  };
  return inFolder(work, { room: 3.1 * bytes });
}

/** What the command line takes on a file of 1 KiB, beside a bare start of node. */
export function compareStart() {
  const work = async (folder) => {
    makeKeys(folder);
    const path = (name) => join(folder, name);
    writeRandom(path("plain"), 1024);
    const { encrypt, decrypt } = twinwrapCommands(folder);
    const field = [
      { name: "bare", argv: [process.execPath, "-e", "0"] },
      { name: "encrypt", ...encrypt(path("plain"), path("sealed")) },
      { name: "decrypt", ...decrypt(path("sealed"), path("opened")) },
    ];
    const slice = async ({ argv }) => [(await runProcess(argv)).seconds];
    for (const contender of field) await slice(contender); // the first start reads from disk
    const pools = await alternate(field, slice, (done) => done < START_ROUNDS);
    return Object.fromEntries([...pools].map(([name, times]) => [name, summarise(times)]));
  };
  return inFolder(work, { room: 1 << 20 });
}
