// The goals (goals.json) against what was measured. One that a run did not measure is neither reached
// nor missed.
import { readFileSync } from "node:fs";

export const GOALS = JSON.parse(readFileSync(new URL("goals.json", import.meta.url), "utf8"));

/** The subject of the goals; its other calls are shown, but no goal counts them. */
const OURS = "Twinwrap";

function cell(results, operation, peer, size) {
  return results.operations.find(({ id }) => id === operation)?.cells[peer]?.[size];
}

/** The fastest of the peers that run in `runs`, other ciphers left out. */
function fastest(results, operation, size, by, runs) {
  return results.peers
    .filter((peer) => peer.runs === runs && peer.family !== "twinwrap" && !peer.context)
    .map(({ name }) => ({ name, seconds: cell(results, operation, name, size)?.[by] }))
    .filter(({ seconds }) => seconds !== undefined)
    .sort((a, b) => a.seconds - b.seconds)[0];
}

function measureOperation(goal, results) {
  const { operation, size, ours: name = OURS, against, by = "best" } = goal;
  const ours = cell(results, operation, name, size)?.[by];
  const theirOperation = against.operation ?? operation;
  const rival =
    against.runs === undefined
      ? { name: against.peer, seconds: cell(results, theirOperation, against.peer, size)?.[by] }
      : fastest(results, theirOperation, size, by, against.runs);
  // Speed against speed: the other's seconds over ours.
  return {
    against: rival?.name ?? `the fastest other ${against.runs}`,
    value: rival?.seconds / ours,
  };
}

function measureFile({ file, bytes, ours: way, against, by }, { files }) {
  const rows = files?.bytes === bytes ? (files.rows ?? []) : [];
  if (file === "memory") {
    const own = rows.filter(({ ours, encrypt }) => ours !== undefined && encrypt !== undefined);
    const peaks = own.flatMap(({ encrypt, decrypt }) => [encrypt.peakMiB, decrypt.peakMiB]);
    return { value: Math.max(...peaks) };
  }
  const ours = rows.find((row) => row.ours === way);
  const rival = rows.find(({ tool }) => tool === against.tool);
  return { against: against.tool, value: ours?.[file]?.[by] / rival?.[file]?.[by] };
}

function measurePage({ page, by, against, sealedMiB }, results) {
  if (page === "firstSeal") {
    const { embedded, empty } = results.page?.firstSeal ?? {};
    return against === undefined
      ? { value: embedded?.[by] * 1000 }
      : { against, value: embedded?.[by] / empty?.[by] };
  }
  const memory = results.page?.memory;
  return { value: memory?.sealedMiB === sealedMiB ? memory.heapMiB : undefined };
}

function measureGoal(goal, results) {
  if (goal.operation !== undefined) return measureOperation(goal, results);
  if (goal.file !== undefined) return measureFile(goal, results);
  if (goal.bundle !== undefined) return { value: results.bundles?.[goal.bundle] / 1000 };
  if (goal.page !== undefined) return measurePage(goal, results);
  const { start } = results;
  return { value: (start?.[goal.start]?.[goal.by] - start?.bare?.[goal.by]) * 1000 };
}

/** Sizes of bundles are the same wherever they run; other goals are for Node or for browsers. */
const isFor = (goal, { machine }) =>
  goal.bundle !== undefined || (goal.in === "browser") === (machine?.browser !== undefined);

/** The sizes of operations that the goals of Node name, by the operations' ids. */
export function goalSizes(goals = GOALS) {
  const sizes = {};
  for (const { operation, size, against, in: where } of goals) {
    if (operation === undefined || where === "browser") continue;
    for (const id of [operation, against.operation ?? operation]) {
      sizes[id] ??= [];
      if (!sizes[id].includes(size)) sizes[id].push(size);
    }
  }
  return sizes;
}

/** @returns for each goal what was wanted and measured, and `reached`, undefined if not measured */
export function evaluateGoals(results, goals = GOALS) {
  return goals
    .filter((goal) => isFor(goal, results))
    .map((goal) => {
      const { against, value } = measureGoal(goal, results);
      const { what, atLeast, atMost, unit = "×", by = "best" } = goal;
      const known = Number.isFinite(value);
      return {
        what,
        ...(against === undefined ? {} : { against }),
        ...(goal.against === undefined ? {} : { by }),
        ...(atLeast === undefined ? { atMost } : { atLeast }),
        unit,
        ...(known
          ? { value, reached: atLeast === undefined ? value <= atMost : value >= atLeast }
          : {}),
      };
    });
}
