// One slice of one contender, timed by the `benchmark` package.
import Benchmark from "benchmark";

/** Seconds of one sample at least: long against what starting and ending it costs. */
const SAMPLE = 0.002;

/**
 * Seconds a call, one number for each sample.
 * @param contender as in src/timing.ts; how many calls fill a sample is kept with it
 */
export function benchmarkSlice(contender, seconds) {
  const { run, calls = 1 } = contender;
  contender.defer ??= run() instanceof Promise;
  // An error in a call would end the process: the package throws it from a timer.
  let failed = false;
  let failure;
  const fail = (error) => {
    failed = true;
    failure = error;
  };
  const attempt = () => {
    try {
      return run();
    } catch (error) {
      fail(error);
    }
  };
  const attemptAsync = (deferred) => {
    const end = () => deferred.resolve();
    run().then(end, (error) => {
      fail(error);
      end();
    });
  };
  return new Promise((resolve, reject) => {
    new Benchmark("slice", {
      fn: contender.defer ? attemptAsync : attempt,
      defer: contender.defer,
      delay: 0,
      minTime: SAMPLE,
      maxTime: seconds,
      minSamples: 1,
      initCount: contender.count ?? 1,
      onComplete: ({ target }) => {
        if (failed) reject(failure);
        contender.count = target.count;
        resolve(target.stats.sample.map((sample) => sample / calls));
      },
    }).run({ async: true });
  });
}
