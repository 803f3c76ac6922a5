import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { isFolderStats, isSystemError } from "./calls.node.js";

// Records which process made a lock or a temporary file, so that others can tell whether it still runs; and
// what this process has to remove when told to end.

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

/** A lock's text about this process: a line for people, and its identity. */
export function lockText(): string {
  const { pid, place } = thisProcess();
  return `process ${pid} on ${hostname()}\n${place}\n`;
}

/** The process that a lock names. Even a lock that does not identify it fully can name another machine. */
export function parseLock(text: string): { maker?: ProcessIdentity; isElsewhere: boolean } {
  const form = new RegExp(`^process (${PID}) on (.*)\\n(?:(${PLACE})\\n)?$`);
  const [, pid, host, place] = form.exec(text) ?? [];
  if (place !== undefined) return { maker: { pid: Number(pid), place }, isElsewhere: false };
  const here = `${hostname()} ${numberSpace()}`.trim();
  return { isElsewhere: host !== undefined && host !== here };
}

/** Whether a process has surely ended. On another machine, or in another container, nobody can tell. */
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
    // A process that this one may not signal exists, too.
    return isSystemError(error, "ESRCH");
  }
  const now = startOf(pid);
  return start !== "0" && now !== "" && now !== start; // another process has its number by now
}

const TEMPORARY = new RegExp(`^\\.twinwrap-(${PID})-(${PLACE})-[0-9a-f]{16}\\.tmp$`);

/** A new name for something that this process makes beside its place: short, however long the final name is. */
export function temporaryName(): string {
  const { pid, place } = thisProcess();
  return `.twinwrap-${pid}-${place}-${randomBytes(8).toString("hex")}.tmp`;
}

/**
 * The file that marks an unfinished folder as one that a process made under this name. Only its user can put it in.
 * So whatever others rename to look like such a folder lacks it.
 */
export function markOf(folder: string): string {
  return join(folder, basename(folder));
}

const swept = new Set<string>();

/**
 * Whether others may rename this user's entries of a folder. They could delete a file anyway. They could not
 * delete a folder with something in it, but could give it a name that this user then removes themselves.
 */
function isShared(folder: string): boolean {
  const { mode } = statSync(folder);
  return process.platform !== "win32" && (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
}

/** Whether a file is one of our temporaries: somebody is writing it, or has been killed while they did. */
export function isTemporary(path: string): boolean {
  return TEMPORARY.test(basename(path));
}

/**
 * Removes the leftovers of killed processes from a folder: they may hold keys or plaintext. Only this
 * user's, and only those of processes that have surely ended.
 * @param again looks also where this process has looked already
 */
export function removeLeftovers(folder: string, again = false): void {
  if (swept.has(folder) && !again) return;
  swept.add(folder);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // the code that works there reports what is wrong
  }
  for (const name of names) {
    const [, pid, place] = TEMPORARY.exec(name) ?? [];
    if (place === undefined || !isDead({ pid: Number(pid), place })) continue;
    const path = join(folder, name);
    try {
      const stats = lstatSync(path);
      if (stats.uid !== (process.geteuid?.() ?? 0)) continue;
      if (isFolderStats(stats) && isShared(folder)) removeMarked(path);
      else rmSync(path, { recursive: true });
    } catch {
      // Somebody else was faster, or it is not ours to remove.
    }
  }
}

/**
 * Removes an unfinished folder from where others may rename it, also while this looks. So it is emptied through a
 * descriptor, which stays with the folder that was looked at. Where there is no /proc, it is left alone.
 */
function removeMarked(path: string): void {
  const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
  const descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const { uid, mode } = fstatSync(descriptor);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0) return;
    const inside = `/proc/self/fd/${descriptor}`;
    const mark = basename(path);
    const names = readdirSync(inside);
    if (!names.includes(mark)) return;
    // The mark goes last: if this is stopped, the next run goes on.
    for (const name of names.filter((one) => one !== mark)) {
      rmSync(join(inside, name), { recursive: true });
    }
    rmSync(join(inside, mark));
  } finally {
    closeSync(descriptor);
  }
  rmdirSync(path); // which removes nothing that has something in it
}

/** How to undo unfinished work. */
type Undo = () => void;

const unfinished = new Set<Undo>();

/** Undoes all unfinished work: for a process that is told to end. */
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

/** The signals that tell a process to end, with its exit codes. */
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

/** Makes signals undo unfinished work, from now on: for the command line, which owns its process. */
export function undoOnSignals(): void {
  isCommand = true;
}

/** From now on signals are somebody else's: of a service, which finishes what it has begun. */
export function leaveSignals(): void {
  isCommand = false;
  if (!isListening) return;
  isListening = false;
  for (const { signal, listener } of listeners) process.off(signal, listener);
}

// While nothing is unfinished there are no handlers: a signal then ends the process at once, whatever it
// waits for or computes.
function listen(): void {
  if (!isCommand || isListening) return;
  isListening = true;
  for (const { signal, listener } of listeners) process.on(signal, listener);
}

function stopListening(): void {
  // A signal that came by now is handled in the next turn of the event loop.
  setImmediate(() =>
    setImmediate(() => {
      if (!isListening || unfinished.size > 0) return;
      isListening = false;
      for (const { signal, listener } of listeners) process.off(signal, listener);
    }),
  );
}

/**
 * Remembers how to undo work that begins now.
 * @returns to be called when the work is finished, or undone
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
