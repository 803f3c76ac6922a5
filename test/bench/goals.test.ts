import { expect, test } from "vitest";
import { benchModule, madeUpResults } from "./modules.js";

const { evaluateGoals, goalSizes, GOALS } = await benchModule("goals.mjs");
const { OPERATIONS } = await benchModule("operations.mjs");

const goal = (wanted: object, results: object = madeUpResults()) =>
  evaluateGoals(results, [{ what: "it", ...wanted }])[0];
const gcm = { operation: "gcm256", size: 1 << 20 };

test("a speed against a peer's, by best and by median", () => {
  // 4 ms against 1 ms is a quarter of the speed; by median 8 ms against 16 ms twice.
  const against = { peer: "node:crypto" };
  expect(goal({ ...gcm, against, atLeast: 0.25 })).toMatchObject({ value: 0.25, reached: true });
  expect(goal({ ...gcm, against, atLeast: 0.26 })).toMatchObject({ value: 0.25, reached: false });
  expect(goal({ ...gcm, against, atLeast: 2, by: "median" })).toMatchObject({
    value: 2,
    by: "median",
  });
});

test("the fastest other WebAssembly is not Twinwrap and no other cipher", () => {
  expect(goal({ ...gcm, against: { runs: "wasm" }, atLeast: 5 })).toMatchObject({
    ...{ against: "quick wasm", value: 5, reached: true },
  });
});

test("against another operation of the peer", () => {
  const against = { peer: "node:crypto", operation: "once" };
  expect(goal({ operation: "gcm256", size: 64, against, atLeast: 2 })).toMatchObject({ value: 2 });
});

test("what was not measured is neither reached nor missed", () => {
  for (const wanted of [
    { ...gcm, against: { peer: "nobody" }, atLeast: 1 },
    { ...gcm, against: { peer: '<script>alert("peer")</script>' }, atLeast: 1 },
    { ...gcm, against: { runs: "asm.js" }, atLeast: 1 },
    { operation: "ctr256", size: 64, against: { peer: "node:crypto" }, atLeast: 1 },
    { bundle: "aes", atMost: 14, unit: "kB" },
    { file: "encrypt", bytes: 1, against: { tool: "age" }, atMost: 1 },
    { file: "memory", bytes: 2 ** 32, atMost: 150 },
  ]) {
    const measured = goal(wanted);
    expect(measured).not.toHaveProperty("value");
    expect(measured).not.toHaveProperty("reached");
  }
  const { operations, peers } = madeUpResults();
  for (const measured of evaluateGoals({ operations, peers }).slice(-6))
    expect(measured).not.toHaveProperty("reached");
});

test("files, memory, start and size", () => {
  const bytes = 2 ** 29;
  const file = { bytes, against: { tool: "age" }, atMost: 1.25, by: "median" };
  expect(goal({ ...file, file: "encrypt", ours: "one" })).toMatchObject({
    value: 1,
    reached: true,
  });
  expect(goal({ ...file, file: "decrypt", ours: "one" })).toMatchObject({
    value: 2,
    reached: false,
  });
  expect(goal({ ...file, file: "decrypt", ours: "two" })).toMatchObject({ value: 3 });
  expect(goal({ bytes, file: "memory", atMost: 150, unit: "MiB" })).toMatchObject({
    ...{ value: 170, reached: false, unit: "MiB" },
  });
  expect(goal({ start: "encrypt", by: "median", atMost: 60 }).value).toBeCloseTo(40, 9);
  expect(goal({ start: "decrypt", by: "median", atMost: 60 })).toMatchObject({ reached: false });
  expect(goal({ bundle: "core", atMost: 22 })).toMatchObject({ value: 21, reached: true });
});

test("what only a browser has: other goals, of its own contenders", () => {
  const machine = { browser: "Chromium 143" };
  const sealed = {
    ...{ id: "sealed", title: "Sealed files", unit: "MB/s", sizes: [64] },
    cells: {
      "Twinwrap, pool of 2": { 64: { best: 1, median: 2 } },
      "Twinwrap by WebCrypto": { 64: { best: 3, median: 5 } },
    },
  };
  const page = {
    firstSeal: {
      embedded: { best: 0.02, median: 0.03 },
      byUrl: { best: 0.01, median: 0.01 },
      relaxedByUrl: { best: 0.01, median: 0.01 },
    },
    memory: { sealedMiB: 1024, heapMiB: 120, growthMiB: 170 },
  };
  const results = { ...madeUpResults(), machine, operations: [sealed], page };
  const goals = [
    { what: "in Node", start: "encrypt", by: "median", atMost: 60 },
    { bundle: "core", atMost: 22 },
    ...[
      { operation: "sealed", size: 64, ours: "Twinwrap, pool of 2", by: "median", atLeast: 1 },
    ].map((goal) => ({ ...goal, in: "browser", against: { peer: "Twinwrap by WebCrypto" } })),
    { in: "browser", page: "firstSeal", by: "median", atMost: 50 },
    { in: "browser", page: "memory", sealedMiB: 1024, atMost: 100 },
    { in: "browser", page: "memory", sealedMiB: 1, atMost: 100 },
  ];
  const values = evaluateGoals(results, goals);
  expect(values.map(({ value }: { value: number }) => value)).toEqual([
    21,
    2.5,
    30,
    120,
    undefined,
  ]);
  expect(values.map(({ reached }: { reached: boolean }) => reached)).toEqual([
    true,
    true,
    true,
    false,
    undefined,
  ]);
  const inNode = evaluateGoals(madeUpResults(), goals);
  expect(inNode.map(({ what }: { what?: string }) => what)).toEqual(["in Node", undefined]);
});

test("the goals name operations that exist, and sizes that are timed", () => {
  const sizes = goalSizes();
  for (const { in: where, operation, size, against, atLeast, atMost } of GOALS) {
    expect([atLeast, atMost].filter((bound) => bound !== undefined)).toHaveLength(1);
    if (operation === undefined || where === "browser") continue;
    for (const id of [operation, against.operation ?? operation])
      expect(OPERATIONS.find((it: { id: string }) => it.id === id).sizes).toContain(size);
    expect(sizes[operation]).toContain(size);
  }
});
