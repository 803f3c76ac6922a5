import { createHash, randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { isFolderStats, isSystemError } from "./calls.node.js";

// Which process made a lock or a temporary file, so that others can tell whether it is still there; and
// what this one has to remove if it is told to end.

/** A file of the system in one line, or "" where there is none. */
function systemText(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}

/** A short name for a text; "0" for none. */
function tag(text: string): string {
  return text === "" ? "0" : createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** When a process began, in the kernel's ticks since the boot: "" if unknown, "ended" for a zombie. */
function startOf(pid: number): string {
  const stat = systemText(`/proc/${pid}/stat`);
  // The second field is the program's name, in brackets, and may hold anything.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? "ended" : (fields[18] ?? "");
}

/** A space of process numbers: a container may have the host's name, but other numbers. */
function numberSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** A process, by all that tells it from others. */
export interface ProcessIdentity {
  pid: number;
  /**
   * Machine, boot, space of process numbers, start. The machine is `m…` with the system's ID in it, and `h…`
   * if only the host's name is known, which two machines may share; 0 is what is not known.
   */
  place: string;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  if (own === undefined) {
    const id = systemText("/etc/machine-id");
    const machine = `${id === "" ? "h" : "m"}${tag(`${hostname()}\n${id}`)}`;
    const boot = tag(systemText("/proc/sys/kernel/random/boot_id"));
    const start = startOf(process.pid);
    const place = `${machine}-${boot}-${tag(numberSpace())}-${start === "" ? "0" : start}`;
    own = { pid: process.pid, place };
  }
  return own;
}

const PID = "\\d{1,10}";
const PLACE = "[mh][0-9a-f]+-[0-9a-f]+-[0-9a-f]+-\\d{1,20}";

/** What a lock says of this process: a line for people, and what tells it from others. */
export function lockText(): string {
  const { pid, place } = thisProcess();
  return `process ${pid} on ${hostname()}\n${place}\n`;
}

/** The process that a lock names. One that does not say which exactly can still name another machine. */
export function parseLock(text: string): { maker?: ProcessIdentity; isElsewhere: boolean } {
  const form = new RegExp(`^process (${PID}) on (.*)\\n(?:(${PLACE})\\n)?$`);
  const [, pid, host, place] = form.exec(text) ?? [];
  if (place !== undefined) return { maker: { pid: Number(pid), place }, isElsewhere: false };
  const here = `${hostname()} ${numberSpace()}`.trim();
  return { isElsewhere: host !== undefined && host !== here };
}

/** Whether a process is surely no more. Of another machine, or in another container, nobody can tell. */
export function isDead({ pid, place }: ProcessIdentity): boolean {
  const [machine, boot, space, start] = place.split("-");
  const [here, thisBoot, thisSpace] = thisProcess().place.split("-");
  const isThisBoot = boot === thisBoot && (boot !== "0" || machine === here);
  if (!isThisBoot) {
    // The same machine was started again.
    return boot !== "0" && thisBoot !== "0" && machine === here && here!.startsWith("m");
  }
  if (space !== thisSpace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // What is not ours to signal is there, too.
    return isSystemError(error, "ESRCH");
  }
  const now = startOf(pid);
  return start !== "0" && now !== "" && now !== start; // another process has its number by now
}

const TEMPORARY = new RegExp(`^\\.twinwrap-(${PID})-(${PLACE})-[0-9a-f]{16}\\.tmp$`);

/** A new name for something that this process makes beside its place: short, whatever that is called. */
export function temporaryName(): string {
  const { pid, place } = thisProcess();
  return `.twinwrap-${pid}-${place}-${randomBytes(8).toString("hex")}.tmp`;
}

const swept = new Set<string>();

/**
 * Whether others may rename what is this user's in a folder. Of a file they could as well make an end; a folder
 * with something in it they could not, but for a name under which this user removes it himself.
 */
function isShared(folder: string): boolean {
  const { mode } = statSync(folder);
  return process.platform !== "win32" && (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
}

/**
 * Removes from a folder what processes left there that were killed: it may hold keys or plaintext. Only
 * what is this user's, and of processes that are surely no more.
 * @param again looks also where this process has looked already
 */
export function removeLeftovers(folder: string, again = false): void {
  if (swept.has(folder) && !again) return;
  swept.add(folder);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // what is wrong with it is told by whoever works there
  }
  for (const name of names) {
    const [, pid, place] = TEMPORARY.exec(name) ?? [];
    if (place === undefined || !isDead({ pid: Number(pid), place })) continue;
    const path = join(folder, name);
    try {
      const stats = lstatSync(path);
      if (stats.uid !== (process.geteuid?.() ?? 0)) continue;
      if (isFolderStats(stats) && isShared(folder)) continue;
      rmSync(path, { recursive: true });
    } catch {
      // Somebody else was faster, or it is not ours to remove.
    }
  }
}

/** How to undo what was begun and is not finished. */
type Undo = () => void;

const unfinished = new Set<Undo>();

/** Undoes all that was begun: for a process that is told to end. */
export function undoUnfinished(): void {
  for (const undo of unfinished) {
    try {
      undo();
    } catch {
      // Gone already, or not ours to remove any more.
    }
  }
  unfinished.clear();
}

/** What tells a process to end, and its exit code then. */
const SIGNALS: [NodeJS.Signals, number][] = [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
];
if (process.platform !== "win32") {
  SIGNALS.push(["SIGQUIT", 131], ["SIGALRM", 142], ["SIGXCPU", 152]);
}
const listeners = SIGNALS.map(([signal, code]) => ({
  signal,
  listener: () => {
    undoUnfinished();
    process.exit(code);
  },
}));
let isCommand = false;
let isListening = false;

/** Makes signals undo what is unfinished, from now on: for the command line, whose process is its own. */
export function undoOnSignals(): void {
  isCommand = true;
}

// As long as nothing is unfinished nobody listens: then a signal ends the process at once, whatever it
// waits for or computes.
function listen(): void {
  if (!isCommand || isListening) return;
  isListening = true;
  for (const { signal, listener } of listeners) process.on(signal, listener);
}

function stopListening(): void {
  // A signal that came by now is heard in the next turn of the event loop.
  setImmediate(() =>
    setImmediate(() => {
      if (!isListening || unfinished.size > 0) return;
      isListening = false;
      for (const { signal, listener } of listeners) process.off(signal, listener);
    }),
  );
}

/**
 * Remembers how to undo what is begun now.
 * @returns is called when it is finished, or undone
 */
export function begin(undo: Undo): () => void {
  listen();
  unfinished.add(undo);
  return () => {
    unfinished.delete(undo);
    if (isListening && unfinished.size === 0) stopListening();
  };
}

/** {@link begin} for a file or folder that is made: undone by removing it. */
export function beginPath(path: string): () => void {
  return begin(() => rmSync(path, { recursive: true }));
}
