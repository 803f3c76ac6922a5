// What every runtime and every browser is asked to do: one body for all. It is bundled for each, and knows
// nothing of Node: what it needs comes from material.ts, made by node:crypto, and what it makes goes back
// there to be checked.
import type * as Library from "twinwrap";
import type { loadAes } from "twinwrap/aes";
import type { connectAuthority } from "twinwrap/client";
import type { Core, LoadOptions } from "twinwrap/core";
import type * as Escrow from "twinwrap/escrow";
import type { Material, Product, RsaCase, SymmetricCase } from "./material.js";

export interface Surroundings {
  library: typeof Library;
  loadAes: typeof loadAes;
  escrow: typeof Escrow;
  connectAuthority: typeof connectAuthority;
  material: Material;
  /** The bytes of a file of the package's build/. */
  readWasm(name: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** What became of a case. */
export interface Outcome {
  name: string;
  error?: string;
  /** Why it could not be tried. */
  skipped?: string;
}

export interface Report {
  outcomes: Outcome[];
  products: Product[];
}

/** Thrown by a case that this engine cannot try. */
class Skip extends Error {}

const bytes = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
export function base64(data: Uint8Array): string {
  let text = "";
  for (let i = 0; i < data.length; i += 8192) {
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  }
  return btoa(text);
}

function equal(actual: Uint8Array, expected: Uint8Array, what: string): void {
  const at = expected.findIndex((byte, i) => byte !== actual[i]);
  if (actual.length !== expected.length || at >= 0) {
    throw new Error(`${what}: ${actual.length} bytes for ${expected.length}, first wrong: ${at}`);
  }
}

function same(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

/** The code of the error that `work` ends with. */
async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return String((error as { code?: string }).code ?? error);
  }
  return "no error";
}

/** A plaintext of any length that does not repeat itself soon, from a formula: it need not be carried. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    out[i] = state >>> 24;
  }
  return out;
}

/** The same, from a stream in pieces of uneven lengths. */
function patternStream(length: number, cancelled = (_: unknown) => {}): ReadableStream<Uint8Array> {
  const whole = pattern(length);
  let at = 0;
  let step = 1;
  return new ReadableStream({
    pull(controller) {
      step = Math.min(1 << 20, step * 3 + 1);
      if (at < length) controller.enqueue(whole.slice(at, at + step));
      at += step;
      if (at >= length) controller.close();
    },
    cancel: cancelled,
  });
}

type Work = (surroundings: Surroundings, give: (product: Product) => void) => Promise<void>;

const BUILDS: Record<string, (surroundings: Surroundings) => Promise<LoadOptions>> = {
  "as it comes": async () => ({}),
  SIMD: async ({ readWasm }) => ({ wasm: await readWasm("core.wasm") }),
  "SIMD, streamed": async ({ readWasm }) => ({
    wasm: new Response(await readWasm("core.wasm"), {
      headers: { "content-type": "application/wasm" },
    }),
  }),
  "relaxed SIMD": async ({ library, readWasm }) => {
    if (!library.hasRelaxedSimd()) throw new Skip("this engine has no relaxed SIMD");
    return { wasm: await readWasm("core-relaxed.wasm") };
  },
};

const symmetric: Record<
  SymmetricCase["kind"],
  (core: Pick<Core, "aesGcm" | "aesCtr" | "aesKw" | "aesKwp">, one: SymmetricCase) => void
> = {
  gcm(core, { key, iv, aad, plaintext, ciphertext }) {
    const aes = core.aesGcm(bytes(key));
    equal(aes.encrypt(bytes(iv), bytes(plaintext), bytes(aad)), bytes(ciphertext), "encrypt");
    equal(aes.decrypt(bytes(iv), bytes(ciphertext), bytes(aad)), bytes(plaintext), "decrypt");
    const broken = bytes(ciphertext);
    broken[broken.length >> 1]! ^= 1;
    let opened = false;
    try {
      aes.decrypt(bytes(iv), broken, bytes(aad));
      opened = true;
    } catch {}
    same(opened, false, "an altered ciphertext opens");
    aes.dispose();
  },
  ctr(core, { key, iv, plaintext, ciphertext }) {
    const aes = core.aesCtr(bytes(key));
    equal(aes.xor(bytes(iv), bytes(plaintext)), bytes(ciphertext), "CTR");
    aes.dispose();
  },
  kw(core, { key, plaintext, ciphertext }) {
    const aes = core.aesKw(bytes(key));
    equal(aes.wrap(bytes(plaintext)), bytes(ciphertext), "wrap");
    equal(aes.unwrap(bytes(ciphertext)), bytes(plaintext), "unwrap");
    aes.dispose();
  },
  kwp(core, { key, plaintext, ciphertext }) {
    const aes = core.aesKwp(bytes(key));
    equal(aes.wrap(bytes(plaintext)), bytes(ciphertext), "wrap");
    equal(aes.unwrap(bytes(ciphertext)), bytes(plaintext), "unwrap");
    aes.dispose();
  },
};

function hashes(core: Core, { hashes: cases }: Material): void {
  for (const { name, data, digest, hmac, pbkdf2 } of cases) {
    const input = bytes(data);
    const hasher = core.hasher(name);
    hasher.update(input.subarray(0, input.length >> 1)).update(input.subarray(input.length >> 1));
    equal(hasher.digest(), bytes(digest), name);
    equal(core.hmac(name, input, input), bytes(hmac), `HMAC-${name}`);
    equal(core.pbkdf2(name, input, input, 3, 50), bytes(pbkdf2), `PBKDF2-${name}`);
  }
}

async function rsa(core: Core, library: typeof Library, one: RsaCase): Promise<Product> {
  const key = await library.readPrivateKey(bytes(one.key));
  const prepared = core.rsaPrivateKey(key);
  const options = { padding: one.padding };
  equal(prepared.decrypt(bytes(one.ciphertext), options), bytes(one.message), "decrypt");
  prepared.dispose();
  const publicKey = core.rsaPublicKey(key);
  const ciphertext = publicKey.encrypt(bytes(one.message), options);
  publicKey.dispose();
  return { kind: "rsa", key: one.key, padding: one.padding, data: base64(ciphertext) };
}

/** Seals a pattern and opens it again by other ways in and out. */
function roundTrip(length: number, options: (library: typeof Library) => object): Work {
  return async ({ library, material }, give) => {
    const { seal, open, readPrivateKey } = library;
    const file = material.files[0]!;
    const key = await readPrivateKey(bytes(file.key));
    const ways: (() => Uint8Array | Blob | ReadableStream<Uint8Array>)[] = [
      () => pattern(length),
      () => new Blob([pattern(length)]),
      () => patternStream(length),
    ];
    for (const [i, way] of ways.entries()) {
      const seen: number[] = [];
      const sealed = await seal(way(), {
        to: [key],
        onProgress: (done) => seen.push(done),
        ...options(library),
      });
      const blob = await sealed.blob();
      same(seen.at(-1), length, "progress at the end");
      const source = [blob, new Uint8Array(await blob.arrayBuffer()), blob.stream()][i]!;
      const opened = await open(source, { key, ...options(library) });
      equal(await opened.bytes(), pattern(length), `way ${i}`);
      if (i === 0 && length < 1 << 20) {
        const data = base64(new Uint8Array(await blob.arrayBuffer()));
        give({ kind: "file", key: file.key, length, data });
      }
    }
  };
}

function needSubtle(): void {
  if (globalThis.crypto?.subtle === undefined) throw new Skip("crypto.subtle is missing here");
}

/** Every case, by name. */
export function cases(material: Material): Map<string, Work> {
  const all = new Map<string, Work>();
  for (const [build, options] of Object.entries(BUILDS)) {
    const load = async (surroundings: Surroundings) =>
      surroundings.library.loadCore(await options(surroundings));
    for (const kind of ["gcm", "ctr", "kw", "kwp"] as const) {
      all.set(`core (${build}): AES-${kind.toUpperCase()}`, async (surroundings) => {
        const core = await load(surroundings);
        for (const one of material.symmetric) if (one.kind === kind) symmetric[kind](core, one);
      });
    }
    all.set(`core (${build}): hashes`, async (surroundings) =>
      hashes(await load(surroundings), material),
    );
    all.set(`core (${build}): RSA`, async (surroundings, give) => {
      const core = await load(surroundings);
      for (const one of material.rsa) give(await rsa(core, surroundings.library, one));
    });
  }
  all.set("AES alone", async ({ loadAes }) => {
    const core = await loadAes();
    for (const one of material.symmetric) symmetric[one.kind](core, one);
  });
  for (const { name, key, data, length } of material.files) {
    all.set(`opens ${name}`, async ({ library: { open, readPrivateKey } }) => {
      const privateKey = await readPrivateKey(bytes(key));
      const opened = await open(bytes(data), { key: privateKey });
      equal(await opened.bytes(), pattern(length), "plaintext");
      const cut = await codeOf(async () =>
        (await open(bytes(data).slice(0, -1), { key: privateKey })).bytes(),
      );
      // Some lengths no sealed file has, which anybody can see.
      same(["DECRYPTION_FAILED", "BAD_FORMAT"].includes(cut), true, `a cut file (${cut})`);
    });
  }
  for (const length of [0, 1, 16383, 16384, 300_000]) {
    all.set(
      `seals and opens ${length} bytes`,
      roundTrip(length, () => ({})),
    );
  }
  all.set("seals and opens with WebCrypto, in two workers, too", async (surroundings, give) => {
    needSubtle();
    await roundTrip(300_001, () => ({ engine: "webcrypto" }))(surroundings, give);
    const pool = surroundings.library.workerPool({ jobs: 2 });
    await pool.start();
    try {
      await roundTrip(5_000_001, () => ({ engine: "webcrypto", pool }))(surroundings, give);
    } finally {
      pool.close();
    }
  });
  all.set("seals and opens with node:crypto, where that is", async (surroundings, give) => {
    const { seal, workerPool, readPrivateKey } = surroundings.library;
    if ("process" in globalThis) {
      await roundTrip(300_001, () => ({ engine: "native" }))(surroundings, give);
      const pool = workerPool({ jobs: 2 });
      await pool.start();
      try {
        await roundTrip(5_000_001, () => ({ engine: "native", pool }))(surroundings, give);
      } finally {
        pool.close();
      }
    } else {
      const key = await readPrivateKey(bytes(material.files[0]!.key));
      const sealing = async () => seal(new Uint8Array(1), { to: [key], engine: "native" });
      same(await codeOf(sealing), "UNSUPPORTED", "without node:crypto");
    }
  });
  all.set("seals and opens in two workers", async (surroundings, give) => {
    const pool = surroundings.library.workerPool({ jobs: 2 });
    await pool.start();
    try {
      same(pool.ready, true, "workers are ready");
      await roundTrip(5_000_001, () => ({ pool }))(surroundings, give);
    } finally {
      pool.close();
    }
  });
  all.set("starts workers in the middle of a file", (...given) =>
    roundTrip(20_000_000, () => ({ jobs: 2 }))(...given),
  );
  all.set("an aborted stream: ABORTED, and the source is cancelled", async ({ library }) => {
    const key = await library.readPrivateKey(bytes(material.files[0]!.key));
    for (const options of [{}, { jobs: 2 }]) {
      const controller = new AbortController();
      let cancelled = false;
      const source = patternStream(30_000_000, () => {
        cancelled = true;
      });
      const code = await codeOf(async () => {
        const sealed = await library.seal(source, {
          to: [key],
          signal: controller.signal,
          ...options,
        });
        for await (const piece of sealed) if (piece.length > 60_000) controller.abort();
      });
      same(code, "ABORTED", "code");
      same(cancelled, true, "the source is cancelled");
    }
  });
  all.set(
    "errors have their codes",
    async ({ library: { seal, open, inspect, readPrivateKey } }) => {
      const [key, other] = await Promise.all(
        material.rsa.slice(0, 2).map(({ key }) => readPrivateKey(bytes(key))),
      );
      const sealed = await (await seal(pattern(40_000), { to: [key!] })).bytes();
      same(await codeOf(() => open(sealed, { key: other! })), "NOT_A_RECIPIENT", "another key");
      same(
        await codeOf(() => open(pattern(40_000), { key: key! })),
        "BAD_FORMAT",
        "no sealed file",
      );
      same(await codeOf(() => seal(sealed, { to: [] })), "BAD_ARGUMENT", "nobody to seal for");
      const altered = sealed.slice();
      altered[altered.length - 20]! ^= 1;
      same(
        await codeOf(async () => (await open(altered, { key: key! })).bytes()),
        "DECRYPTION_FAILED",
        "altered",
      );
      same((await inspect(sealed)).wraps.length, 1, "wraps");
    },
  );
  all.set("makes a key pair, and writes and reads it", async ({ library }) => {
    needSubtle();
    const { privateKey } = await library.generateKeyPair({ bits: 2048 });
    const passphrase = "correct horse";
    const file = await library.writePrivateKey(privateKey, "pem", { passphrase, iterations: 1000 });
    equal((await library.readPrivateKey(file, { passphrase })).n, privateKey.n, "n");
    same(
      await codeOf(() => library.readPrivateKey(file, { passphrase: "x" })),
      "WRONG_PASSPHRASE",
      "wrong",
    );
  });
  all.set("reads an officer's key, and signs with it", async ({ escrow }) => {
    const { pem, message, signature } = material.officer;
    let key: Escrow.SigningKey;
    try {
      key = await escrow.readOfficerKey(bytes(pem));
    } catch (error) {
      const isLacking = (error as { code?: string }).code === "UNSUPPORTED";
      throw isLacking ? new Skip("WebCrypto has no Ed25519") : error;
    }
    // Ed25519 is deterministic: whoever signs, it is the same signature.
    equal(await key.signer("ann").sign(bytes(message)), bytes(signature), "signature");
  });
  all.set("reaches an authority's service", async ({ library, escrow, connectAuthority }) => {
    const file = bytes(material.authority);
    const authority = escrow.decodeAuthority(file);
    const given = { url: "https://service.example/", authority, token: "t" };
    const asked: string[] = [];
    // The engine's own URL, Request, Response and streams, without a network.
    const fetch = async (url: URL, init: object) => {
      const request = new Request(url, init);
      asked.push(`${request.method} ${request.url} ${request.headers.get("authorization")}`);
      return new Response(file);
    };
    const core = await library.loadCore();
    const party = await connectAuthority(core, given, { fetch });
    same(party.isNewer, false, "newer");
    same(party.authority.policies.length, authority.policies.length, "policies");
    same(asked.join(), "GET https://service.example/v1/authority Bearer t", "what was asked");
    const away = async () => Promise.reject(new TypeError("no network"));
    const code = await codeOf(() => connectAuthority(core, given, { fetch: away, patience: 0 }));
    same(code, "UNAVAILABLE", "away");
  });
  all.set("reads a receipt", async ({ escrow }) => {
    const receipt = escrow.decodeReceipt(bytes(material.receipt));
    same(escrow.receiptLeaf(receipt).type, "verified", "leaf");
  });
  return all;
}

/** Does it all; a case that fails does not keep the others from being tried. */
export async function run(surroundings: Surroundings): Promise<Report> {
  const report: Report = { outcomes: [], products: [] };
  for (const [name, work] of cases(surroundings.material)) {
    try {
      await work(surroundings, (product) => report.products.push({ ...product, from: name }));
      report.outcomes.push({ name });
    } catch (error) {
      const { stack, message } = error as Error;
      if (error instanceof Skip) report.outcomes.push({ name, skipped: message });
      else report.outcomes.push({ name, error: `${message}\n${stack}` });
    }
  }
  return report;
}
