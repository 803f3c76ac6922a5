// AES-256-GCM: the core beside node:crypto and WebCrypto, timed by the `benchmark` package in short
// slices that alternate, so that a busy machine slows all of them alike. Results are checked equal
// before anything is timed. `npm run bench` prints medians and ratios.
import { createCipheriv, randomBytes, webcrypto } from "node:crypto";
import Benchmark from "benchmark";
import { loadCore } from "../build/core/index.js";

const SIZES = [64, 1024, 16384, 1 << 20];
const ROUNDS = 5;

const core = await loadCore();
const key = randomBytes(32);
const iv = randomBytes(12);
const aes = core.aesGcm(key);
const cryptoKey = await webcrypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);

const rivals = {
  twinwrap: { run: (data) => aes.encrypt(iv, data) },
  "node:crypto": {
    run: (data) => {
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
    },
  },
  WebCrypto: {
    async: true,
    run: async (data) =>
      new Uint8Array(await webcrypto.subtle.encrypt({ name: "AES-GCM", iv }, cryptoKey, data)),
  },
};

/** Seconds of one call, from one short slice. */
function time(rival, data) {
  return new Promise((resolve, reject) => {
    const fn = rival.async
      ? (deferred) => rival.run(data).then(() => deferred.resolve(), reject)
      : () => rival.run(data);
    new Benchmark("slice", {
      fn,
      defer: rival.async === true,
      maxTime: 0.3,
      minSamples: 3,
      onComplete: ({ target }) => resolve(target.stats.sample),
      onError: ({ target }) => reject(target.error),
    }).run({ async: true });
  });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

console.log(
  "AES-256-GCM encrypt, one thread, MB/s, best / median (median relative to node:crypto)",
);
for (const size of SIZES) {
  const data = randomBytes(size);
  const expected = Buffer.from(await rivals["node:crypto"].run(data));
  for (const [name, rival] of Object.entries(rivals)) {
    if (!expected.equals(Buffer.from(await rival.run(data))))
      throw new Error(`${name} gives another result`);
  }
  const samples = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, rival] of Object.entries(rivals))
      samples[name].push(...(await time(rival, data)));
  }
  const speed = (seconds) => (size / seconds / 1e6).toFixed(1);
  const base = median(samples["node:crypto"]);
  const cells = Object.entries(samples).map(
    ([name, taken]) =>
      `${name} ${speed(Math.min(...taken))} / ${speed(median(taken))} (${(base / median(taken)).toFixed(2)})`,
  );
  console.log(`${String(size).padStart(8)} bytes  ${cells.join("   ")}`);
}
aes.dispose();
