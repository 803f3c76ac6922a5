import { alternate, crossover, type Summary, summarise, timeSlice } from "../bench/timing.js";
import { equalBytes } from "../bytes.js";
import { FILE_PEERS, Files, MESSAGE_PEERS, Messages, type Pair, type Peer } from "./contenders.js";

const KiB = 1024;
const MiB = KiB * KiB;

/** One contender on one size: seconds a call, or that one call would last too long. */
export type Cell = Summary | { tooSlow: true };

/** One operation, in the form of `npm run bench`. */
export interface Operation {
  id: string;
  title: string;
  about: string;
  unit: string;
  sizes: number[];
  cells: Record<string, Record<number, Cell>>;
}

export interface Comparison {
  peers: Peer[];
  operations: Operation[];
}

export interface Settings {
  /** Bytes of messages. */
  messages: number[];
  /** Bytes of sealed files. */
  files: number[];
  /** Seconds of one slice. */
  seconds: number;
  /** Turns of every contender. */
  rounds: number;
}

export const SETTINGS: Settings = {
  messages: [64, 256, KiB, 4 * KiB, 16 * KiB, 64 * KiB, MiB, 16 * MiB, 64 * MiB],
  files: [64 * KiB, MiB, 16 * MiB, 64 * MiB],
  seconds: 0.1,
  rounds: 7,
};

/** Most seconds of one call, on a message or on a file. Slower contenders are not timed on that size, and marked. */
const LONGEST_CALL = { message: 1, file: 10 };

/** Seconds of a first slice that does not count: engines compile a few milliseconds after the first call. */
const WARM_UP = 0.05;

interface Ready {
  name: string;
  run(): unknown;
  calls?: number;
}

/** Times the contenders on one size, in turns. */
async function timeSize(
  field: readonly Ready[],
  size: number,
  cells: Operation["cells"],
  before: number | undefined,
  longest: number,
  settings: Settings,
  signal: AbortSignal,
): Promise<void> {
  const fit = field.filter(({ name }) => {
    const cell = before === undefined ? undefined : cells[name]?.[before];
    if (cell === undefined) return true;
    const slow = "tooSlow" in cell || (cell.best * size) / before! > longest;
    if (slow) cells[name]![size] = { tooSlow: true };
    return !slow;
  });
  for (const contender of fit) await timeSlice(contender, { seconds: WARM_UP });
  const pools = await alternate(
    fit,
    async (contender) => {
      // Between slices the page can draw, and can be stopped.
      await new Promise((resolve) => setTimeout(resolve));
      signal.throwIfAborted();
      return timeSlice(contender, { seconds: settings.seconds });
    },
    (rounds) => rounds < settings.rounds,
  );
  for (const [name, samples] of pools) {
    cells[name] ??= {};
    cells[name][size] = summarise(samples);
  }
}

/** @param options.onSize called with what is next, in words, and how much of all is done, 0 to 1 */
export async function compare(
  settings: Settings,
  options: {
    hasRelaxed: boolean;
    /** The key that the files are sealed for. */
    pair: Pair;
    signal: AbortSignal;
    onSize(title: string, size: number, done: number): void;
  },
): Promise<Comparison> {
  const { signal, onSize } = options;
  const messages: Operation = {
    id: "gcm256",
    title: "AES-256-GCM encrypt",
    about: "one message, prepared key",
    unit: "MB/s",
    sizes: settings.messages,
    cells: {},
  };
  const files: Operation = {
    id: "sealed",
    title: "Sealed files",
    about: "from a Blob, output thrown away",
    unit: "MB/s",
    sizes: settings.files,
    cells: {},
  };
  const all = settings.messages.length + settings.files.length;
  let done = 0;
  const makers = await Messages.load(options.hasRelaxed);
  for (const [i, size] of settings.messages.entries()) {
    onSize(messages.title, size, done++ / all);
    const field = await makers.of(size);
    const results = await Promise.all(field.map(({ run }) => run()));
    if (!results.every((result) => equalBytes(result, results[0]!))) {
      throw new Error(`the contenders give different results for ${size} bytes`);
    }
    await timeSize(
      field,
      size,
      messages.cells,
      settings.messages[i - 1],
      LONGEST_CALL.message,
      settings,
      signal,
    );
  }
  const sealing = await Files.load(options.pair, options.hasRelaxed);
  try {
    for (const [i, size] of settings.files.entries()) {
      onSize(files.title, size, done++ / all);
      const field = sealing.of(size);
      for (const { name, check } of field) {
        signal.throwIfAborted();
        if (!(await check())) throw new Error(`${name} does not seal ${size} bytes right`);
      }
      await timeSize(
        field,
        size,
        files.cells,
        settings.files[i - 1],
        LONGEST_CALL.file,
        settings,
        signal,
      );
    }
  } finally {
    sealing.close();
  }
  const operations = [messages, files].filter(({ sizes }) => sizes.length > 0);
  const named = new Set(operations.flatMap(({ cells }) => Object.keys(cells)));
  const peers = [...MESSAGE_PEERS, ...FILE_PEERS].filter(({ name }) => named.has(name));
  return { peers, operations };
}

/** From which size on the other is faster than ours, by the median; undefined if it is not at the largest. */
export function fasterFrom(
  { sizes, cells }: Operation,
  ours: string,
  other: string,
): number | undefined {
  const both = sizes.filter((size) => {
    const [a, b] = [cells[ours]?.[size], cells[other]?.[size]];
    return a !== undefined && b !== undefined && "median" in a && "median" in b;
  });
  const medians = (name: string) => both.map((size) => (cells[name]![size] as Summary).median);
  const at = crossover(medians(ours), medians(other));
  return at === undefined ? undefined : both[at];
}
