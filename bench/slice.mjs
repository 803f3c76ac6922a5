// One slice of one contender, timed by the `benchmark` package.
import Benchmark from "benchmark";

/** Seconds of one sample at least: long against what starting and ending it costs. */
const SAMPLE = 0.005;

/**
 * Seconds a call, one number for each sample.
 * @param contender as in src/timing.ts; how many calls fill a sample is kept with it
 */
export function benchmarkSlice(contender, seconds) {
  const { run, calls = 1 } = contender;
  contender.defer ??= run() instanceof Promise;
  return new Promise((resolve, reject) => {
    const fn = contender.defer
      ? (deferred) => run().then(() => deferred.resolve(), reject)
      : () => run();
    new Benchmark("slice", {
      fn,
      defer: contender.defer,
      delay: 0,
      minTime: SAMPLE,
      maxTime: seconds,
      minSamples: 1,
      initCount: contender.count ?? 1,
      onComplete: ({ target }) => {
        contender.count = target.count;
        resolve(target.stats.sample.map((sample) => sample / calls));
      },
      onError: ({ target }) => reject(target.error),
    }).run({ async: true });
  });
}
