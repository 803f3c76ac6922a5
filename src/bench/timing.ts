// The loop of a comparison. Others use the machine too, so its speed changes: timing one contender after the other
// would compare that. Here contenders take turns in short slices, and each pools its samples.

/** One of several ways to do the same work. */
export interface Contender {
  name: string;
  /** Does the work once. What it returns is awaited only if it is a promise. */
  run: () => unknown;
  /** How many calls one `run` makes; 1 unless several are in flight at a time. */
  calls?: number;
}

/** A summary of one contender's pooled samples, in seconds a call. */
export interface Summary {
  best: number;
  median: number;
  samples: number;
}

export interface SliceOptions {
  /** How long the slice lasts, about. */
  seconds: number;
  /** The least length of one sample: long against the clock's resolution, which is coarse in browsers. */
  atLeast?: number;
  /** The clock, in seconds. */
  now?: () => number;
}

/** Times one slice: seconds a call, one number for each batch of calls. */
export async function timeSlice(contender: Contender, options: SliceOptions): Promise<number[]> {
  const { seconds, atLeast = 0.005, now = () => performance.now() / 1000 } = options;
  const { run, calls = 1 } = contender;
  const samples: number[] = [];
  const end = now() + seconds;
  let batch = 1;
  do {
    const begin = now();
    for (let i = 0; i < batch; i++) {
      const result = run();
      // Awaiting a plain value would charge synchronous contenders for a turn of the queue.
      if (result instanceof Promise) await result;
    }
    const took = now() - begin;
    if (took >= atLeast) samples.push(took / batch / calls);
    else batch = Math.ceil(batch * Math.min(10, Math.max(2, (1.2 * atLeast) / took)));
  } while (samples.length === 0 || now() < end);
  return samples;
}

/**
 * Lets the contenders take turns, a slice each, and pools their samples. Every round begins with another one, so
 * that none always comes right after the same other one, and collects its garbage.
 * @param slice times one slice of one contender
 * @param more whether another round is due, asked before each; the first is always run
 */
export async function alternate<C extends { name: string }, S = number>(
  contenders: readonly C[],
  slice: (contender: C) => Promise<readonly S[]>,
  more: (rounds: number) => boolean,
): Promise<Map<string, S[]>> {
  const pools = new Map<string, S[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round === 0 || more(round); round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length]!;
      pools.get(contender.name)!.push(...(await slice(contender)));
    }
  }
  return pools;
}

/** Best and median of pooled samples, of which there must be one. */
export function summarise(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle]!;
  return {
    best: sorted[0]!,
    median: sorted.length % 2 === 1 ? high : (sorted[middle - 1]! + high) / 2,
    samples: sorted.length,
  };
}

/**
 * The place from which on `theirs` takes less time than `ours`: there and at every later place. A place where they
 * lead and later fall back does not count.
 * @returns the index, or undefined if ours leads at the last place
 */
export function crossover(ours: readonly number[], theirs: readonly number[]): number | undefined {
  let from = ours.length;
  while (from > 0 && theirs[from - 1]! < ours[from - 1]!) from--;
  return from === ours.length ? undefined : from;
}
