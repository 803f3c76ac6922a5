import { expect, test } from "vitest";
import { alternate, crossover, summarise, timeSlice } from "#build/bench/timing.js";

/** A clock that only work moves. */
function fakeClock() {
  let time = 0;
  return {
    now: () => time,
    work: (seconds: number) => {
      time += seconds;
    },
  };
}

test("a slice counts calls until a sample is long enough, and gives seconds a call", async () => {
  const { now, work } = fakeClock();
  let calls = 0;
  const run = () => {
    calls++;
    work(0.001);
  };
  const samples = await timeSlice({ name: "a", run }, { seconds: 0.1, atLeast: 0.02, now });
  expect(samples.length).toBeGreaterThan(1);
  for (const sample of samples) expect(sample).toBeCloseTo(0.001, 12);
  // No sample is shorter than asked for, and the slice ends with the first one past its end.
  expect(0.1 / samples.length).toBeGreaterThanOrEqual(0.02);
  expect(now()).toBeGreaterThanOrEqual(0.1);
  expect(now()).toBeLessThan(0.15);
  expect(calls).toBe(Math.round(now() / 0.001));
});

test("a call longer than the slice is timed once", async () => {
  const { now, work } = fakeClock();
  const samples = await timeSlice({ name: "a", run: () => work(3) }, { seconds: 0.1, now });
  expect(samples).toEqual([3]);
});

test("promises are awaited, and calls in flight together share the time", async () => {
  const { now, work } = fakeClock();
  let running = 0;
  const run = async () => {
    expect(++running).toBe(1);
    await undefined;
    work(0.08);
    running--;
  };
  const samples = await timeSlice({ name: "a", run, calls: 8 }, { seconds: 0.1, now });
  expect(samples).toEqual([0.01, 0.01].map((time) => expect.closeTo(time, 12)));
});

test("a clock too coarse for a call still ends", async () => {
  let calls = 0;
  const now = () => Math.floor(calls / 1000) * 0.1;
  const samples = await timeSlice({ name: "a", run: () => calls++ }, { seconds: 0.05, now });
  expect(samples.length).toBeGreaterThan(0);
});

test("what a contender throws is not swallowed", async () => {
  const run = () => Promise.reject(new Error("broken"));
  await expect(timeSlice({ name: "a", run }, { seconds: 1 })).rejects.toThrow("broken");
});

test("contenders take turns, another one first each round, and pool their samples", async () => {
  const turns: string[] = [];
  const contenders = ["a", "b", "c"].map((name) => ({ name }));
  const slice = async ({ name }: { name: string }) => {
    turns.push(name);
    return [turns.length];
  };
  const pools = await alternate(contenders, slice, (rounds) => rounds < 3);
  expect(turns.join("")).toBe("abcbcacab");
  expect(Object.fromEntries(pools)).toEqual({ a: [1, 6, 8], b: [2, 4, 9], c: [3, 5, 7] });
});

test("the first round is always run", async () => {
  const pools = await alternate(
    [{ name: "a" }],
    async () => [1, 2],
    () => false,
  );
  expect(pools.get("a")).toEqual([1, 2]);
});

test("best and median", () => {
  const samples = [5, 1, 9];
  expect(summarise(samples)).toEqual({ best: 1, median: 5, samples: 3 });
  expect(samples).toEqual([5, 1, 9]);
  expect(summarise([4, 1, 10, 2])).toEqual({ best: 1, median: 3, samples: 4 });
  expect(summarise([10, 9])).toEqual({ best: 9, median: 9.5, samples: 2 });
});

test("from which place on the other is faster", () => {
  expect(crossover([1, 1, 1, 1], [2, 2, 0.5, 0.4])).toBe(2);
  // Once ahead and behind again is not "from there on"; as fast is not faster.
  expect(crossover([1, 1, 1, 1], [0.5, 2, 0.5, 0.4])).toBe(2);
  expect(crossover([1, 1], [0.5, 0.5])).toBe(0);
  expect(crossover([1, 1], [0.5, 1])).toBeUndefined();
  expect(crossover([], [])).toBeUndefined();
});
