import { makeZip } from "client-zip";
import { save } from "../browser.js";
import { outputOf } from "../envelope/save.browser.js";
import { TwinwrapError } from "../errors.js";
import { Output } from "../source.js";
import { safe } from "../text.js";
import type { Keeper } from "./keeper.js";
import { DOWNLOADS } from "./options.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";

// The two places that take many files: a zip (stored, written while it is made) and a folder.

/** Names of which each is given once: "a.txt", "a (2).txt". Upper and lower case count as the same, as on some disks. */
class Names {
  readonly #taken = new Set<string>();

  async free(given: string, isTaken: (name: string) => Promise<boolean>): Promise<string> {
    // A name is never a path, on no system that takes the zip apart.
    const name = given.replace(/[\\/:\p{Cc}]/gu, "_");
    const [, stem, end] = /^(.+?)((?:\.[^.]{1,8}){0,2})$/s.exec(name) ?? [name, name, ""];
    for (let i = 1; ; i++) {
      const one = i === 1 ? name : `${stem} (${i})${end}`;
      if (this.#taken.has(one.toLowerCase()) || (await isTaken(one))) continue;
      this.#taken.add(one.toLowerCase());
      return one;
    }
  }
}

/**
 * A file of so many bytes is held until all of it is there, and goes into the zip then. The browser holds it as a Blob,
 * outside of the page's memory, and may put it on the disk.
 */
const HELD = 256 << 20;

/** All of an output, as an output that does not fail. @throws what the output throws */
async function held(output: Output): Promise<Output> {
  const pieces: Blob[] = [];
  for await (const piece of output) pieces.push(new Blob([piece]));
  return outputOf(new Blob(pieces));
}

interface Entry {
  name: string;
  output: Output;
  resolve(): void;
  reject(error: unknown): void;
}

const stopped = () => new TwinwrapError("ABORTED", "the zip was not saved");

/** Entries that come one at a time, as a zip asks for them. */
class Entries {
  #give!: (entry: Entry | "end" | "stop") => void;
  #next = this.#make();

  #make(): Promise<Entry | "end" | "stop"> {
    return new Promise((resolve) => {
      this.#give = resolve;
    });
  }

  give(entry: Entry | "end" | "stop"): void {
    this.#give(entry);
  }

  async *read() {
    for (;;) {
      const entry = await this.#next;
      this.#next = this.#make();
      if (entry === "end") return;
      if (entry === "stop") throw stopped();
      yield { name: entry.name, lastModified: new Date(), input: read(entry) };
    }
  }
}

/** A zip that is saved while files are put into it. */
export function zipKeeper(zipName: string): Keeper {
  const names = new Names();
  const entries = new Entries();
  const zip = new Output(async function* () {
    for await (const piece of makeZip(entries.read())) yield piece as Uint8Array<ArrayBuffer>;
  });
  const saved = save(zip, { name: zipName, ...DOWNLOADS });
  // Whoever waits for a file is told if the zip can't be saved.
  const broken = saved.then(() => new Promise<never>(() => {}));
  broken.catch(() => {});
  let why: unknown;
  let last = "";
  return {
    readsAhead: (size) => size > HELD,
    async add(name, given, size) {
      if (why !== undefined) {
        // It wipes its keys.
        await given.stream().cancel();
        throw stopped();
      }
      const output = size > HELD ? given : await held(given);
      const free = await names.free(name, async () => false);
      last = name;
      const taken = new Promise<void>((resolve, reject) => {
        entries.give({ name: free, output, resolve, reject });
      });
      try {
        await Promise.race([taken, broken]);
        return free;
      } catch (error) {
        why = error;
        throw error;
      }
    },
    async finish(good, signal) {
      if (why === undefined && good > 0 && !signal.aborted) {
        entries.give("end");
        await saved;
        return TEXTS.bulk.taken(zipName);
      }
      // A zip without a file, or with less than was meant, is of use to nobody.
      entries.give("stop");
      await saved.catch(() => {});
      if (signal.aborted || isStop(why)) throw stopped();
      if (why === undefined) return undefined;
      throw new PageError(TEXTS.bulk.zipBroke(safe(last)));
    },
  };
}

const isStop = (error: unknown) => error instanceof TwinwrapError && error.code === "ABORTED";

/** A file's pieces; who gave it is told when they were read. */
async function* read({ output, resolve, reject }: Entry) {
  try {
    for await (const piece of output) yield piece;
    resolve();
  } catch (error) {
    reject(error);
    throw error;
  }
}

/** A folder that somebody chose. What is in it stays. */
export function folderKeeper(folder: FileSystemDirectoryHandle): Keeper {
  const names = new Names();
  const isThere = (name: string) =>
    folder.getFileHandle(name).then(
      () => true,
      (error) => (error as Error).name !== "NotFoundError",
    );
  return {
    readsAhead: () => false,
    async add(name, output) {
      const free = await names.free(name, isThere);
      const handle = await folder.getFileHandle(free, { create: true });
      const writable = await handle.createWritable();
      try {
        for await (const piece of output) await writable.write(piece);
        await writable.close();
      } catch (error) {
        await writable.abort().catch(() => {});
        await folder.removeEntry(free).catch(() => {});
        throw error;
      }
      return free;
    },
    finish: async () => TEXTS.bulk.folderOf(safe(folder.name)),
  };
}
