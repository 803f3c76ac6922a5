import { arch, cpus } from "node:os";
import type { Command } from "commander";
import { alternate, crossover, type Summary, summarise, timeSlice } from "../bench/timing.js";
import { equalBytes, randomBytes, wipe } from "../bytes.js";
import { loadCore } from "../core/index.js";
import { integerBetween, jsonOption, newCommand } from "./command.js";
import { tell } from "./io.js";
import { formatSize, table } from "./text.js";

/** Bytes of the messages: from a short record to more than a chunk of any file. */
const SIZES = [64, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/** Turns of each contender on each size. One more turn comes first, to warm up. */
const ROUNDS = 6;

interface BenchOptions {
  seconds: number;
  json?: boolean;
}

interface Row {
  bytes: number;
  core: Summary;
  webcrypto: Summary;
}

/** Checks on every size that both give the same result, then times them in turns. */
async function compare(seconds: number): Promise<Row[]> {
  const core = await loadCore();
  const [key, iv] = [randomBytes(32), randomBytes(12)];
  const aes = core.aesGcm(key);
  const cryptoKey = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  wipe(key);
  const slice = { seconds: seconds / SIZES.length / 2 / (ROUNDS + 1) };
  const rows: Row[] = [];
  try {
    for (const bytes of SIZES) {
      const data = randomBytes(bytes);
      const contenders = [
        { name: "core", run: () => aes.encrypt(iv, data) },
        {
          name: "webcrypto",
          run: async () =>
            new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, cryptoKey, data)),
        },
      ];
      const [ours, theirs] = await Promise.all(contenders.map(({ run }) => run()));
      if (!equalBytes(ours!, theirs!)) {
        throw new Error("the core and WebCrypto give different results");
      }
      for (const contender of contenders) await timeSlice(contender, slice);
      const pools = await alternate(
        contenders,
        (contender) => timeSlice(contender, slice),
        (rounds) => rounds < ROUNDS,
      );
      rows.push({
        bytes,
        core: summarise(pools.get("core")!),
        webcrypto: summarise(pools.get("webcrypto")!),
      });
    }
  } finally {
    aes.dispose();
    core.wipe();
  }
  return rows;
}

/** The size from which on WebCrypto is faster; null if there is none. */
function fasterFrom(rows: readonly Row[], by: "best" | "median"): number | null {
  const index = crossover(
    rows.map(({ core }) => core[by]),
    rows.map(({ webcrypto }) => webcrypto[by]),
  );
  return index === undefined ? null : rows[index]!.bytes;
}

function verdict(rows: readonly Row[]): string {
  const from = fasterFrom(rows, "median");
  if (from === null)
    return "On this machine WebCrypto is not faster, up to the largest size tried.";
  if (from === rows[0]!.bytes) return "On this machine WebCrypto is faster at every size.";
  const leads = rows.filter((row) => row.bytes < from && row.webcrypto.median < row.core.median);
  const below = leads.length === 0 ? "the core is" : "now one is and now the other";
  return `On this machine WebCrypto is faster from ${formatSize(from)} on; below, ${below}.`;
}

const megabytes = (bytes: number, seconds: number) => {
  const speed = bytes / seconds / 1e6;
  return speed.toFixed(speed < 10 ? 1 : 0);
};

async function bench(options: BenchOptions): Promise<void> {
  const rows = await compare(options.seconds);
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    arch: arch(),
    node: process.versions.node,
  };
  const facts = {
    operation: "AES-256-GCM encrypt, one call at a time, prepared key",
    unit: "seconds a call",
    machine,
    rows: rows.map((row) => ({ ...row, ratio: row.webcrypto.median / row.core.median })),
    webcryptoFasterFrom: { best: fasterFrom(rows, "best"), median: fasterFrom(rows, "median") },
  };
  const cells = rows.map(({ bytes, core, webcrypto }) => [
    formatSize(bytes),
    ...[core, webcrypto].map(
      ({ best, median }) => `${megabytes(bytes, best)} / ${megabytes(bytes, median)}`,
    ),
    (webcrypto.median / core.median).toFixed(2),
  ]);
  const text = [
    "AES-256-GCM, one call at a time, MB/s, best / median",
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}\n`,
    table([["message", "core", "WebCrypto", "core is × as fast"], ...cells]),
    `${verdict(rows)} (By medians.)\n`,
  ];
  tell(options, facts, text.join("\n"));
}

export function command(): Command {
  return newCommand(
    "bench",
    "Times the core beside WebCrypto on this machine and says from which size on WebCrypto is faster.",
    "twinwrap bench --seconds 10\n  a quick answer; the full minute is steadier",
  )
    .option("--seconds <n>", "how long it takes, about", integerBetween(1, 3600), 60)
    .addOption(jsonOption())
    .action(bench);
}
