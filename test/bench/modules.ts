/** A module of bench/, which is JavaScript and has no types. */
export function benchModule(name: string) {
  return import(new URL(`../../bench/${name}`, import.meta.url).href);
}

const MiB = 1 << 20;

/** A result such as a run gives, small and with made-up times; the names are meant to be escaped. */
export function madeUpResults() {
  const cell = (best: number, median = 2 * best) => ({ best, median, samples: 3 });
  return {
    date: "2026-11-25T00:00:00.000Z",
    version: "1.2.3",
    quick: false,
    machine: {
      ...{ cpu: "Imaginary <b>CPU</b>", cores: 2, memoryGiB: 4, system: "Linux", arch: "x64" },
      ...{ node: "20.0.0", v8: "11", openssl: "3" },
    },
    load: { before: 0, after: 1.5 },
    nodes: [{ title: "Node 24", skipped: "not installed: <img src=x>" }],
    peers: [
      { name: "Twinwrap", family: "twinwrap", runs: "wasm", constantTime: "yes" },
      { name: "node:crypto", family: "node", runs: "native", constantTime: "yes" },
      { name: "quick wasm", family: "virgil", runs: "wasm", constantTime: "no, tables" },
      { name: "slow wasm", family: "transcend", runs: "wasm", constantTime: "AES yes" },
      {
        name: "other cipher",
        family: "libsodium",
        runs: "wasm",
        constantTime: "yes",
        context: true,
      },
      {
        ...{ name: '<script>alert("peer")</script>', family: "forge", runs: "JS" },
        ...{ constantTime: "no", failure: "does not load: <img src=x>" },
      },
    ],
    operations: [
      {
        ...{ id: "gcm256", title: "AES-256-GCM encrypt", unit: "MB/s", sizes: [64, MiB] },
        cells: {
          Twinwrap: { 64: cell(1e-6), [MiB]: cell(0.004) },
          "node:crypto": { 64: cell(2e-6), [MiB]: cell(0.001, 0.016) },
          "quick wasm": { 64: cell(3e-6), [MiB]: cell(0.02) },
          "slow wasm": { 64: cell(3e-5), [MiB]: { tooSlow: true } },
          "other cipher": { 64: cell(1e-7), [MiB]: cell(0.0001) },
          '<script>alert("peer")</script>': {
            64: { failure: "does not load: <img src=x>" },
            [MiB]: { failure: "does not load: <img src=x>" },
          },
        },
      },
      {
        ...{ id: "once", title: "Key set-up", about: "a & b", unit: "µs", sizes: [64] },
        cells: { Twinwrap: { 64: cell(1e-6) }, "node:crypto": { 64: cell(2e-6) } },
      },
    ],
    bundles: { core: 21_000 },
    start: { place: "/dev/shm", bare: cell(0.04), encrypt: cell(0.06), decrypt: cell(0.08) },
    files: {
      ...{ bytes: 512 * MiB, place: "/dev/shm" },
      rows: [
        {
          ...{ tool: "twinwrap", ours: "one", about: "two recipients" },
          ...{ encrypt: { ...cell(1), peakMiB: 90 }, decrypt: { ...cell(2), peakMiB: 160 } },
        },
        {
          ...{ tool: "twinwrap, two", ours: "two" },
          ...{ encrypt: { ...cell(1), peakMiB: 170 }, decrypt: { ...cell(3), peakMiB: 100 } },
        },
        { tool: "age", encrypt: { ...cell(1), peakMiB: 5 }, decrypt: { ...cell(1), peakMiB: 13 } },
        { tool: "gpg", skipped: "not installed" },
        { tool: "openssl cms", failure: "ended with 1" },
      ],
    },
  };
}
