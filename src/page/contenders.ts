import { gcm } from "@noble/ciphers/aes.js";
import type { Contender } from "../bench/timing.js";
import { open, seal, type WorkerPool, workerPool } from "../browser.js";
import { equalBytes } from "../bytes.js";
import { type Core, loadCore } from "../core/index.js";
import type { WorkOptions } from "../envelope/index.js";
import type { RsaPrivateKey, RsaPublicKey } from "../keys/index.js";
import { pieces, Reader } from "../source.js";

// The contenders in a browser: the core, WebCrypto and noble on messages; every engine, and WebCrypto alone, on sealed
// files.

/** What the report says about a contender, in the form of bench/peers. */
export interface Peer {
  name: string;
  /** Its colour. */
  family: string;
  runs: "wasm" | "native" | "JS";
  constantTime: string;
  note?: string;
  /** Of Twinwrap, or of the browser whose WebCrypto it is. */
  version?: string;
}

/** Calls of WebCrypto that are in flight at a time. */
const IN_FLIGHT = 8;

const CORE = { family: "twinwrap", runs: "wasm", constantTime: "yes" } as const;
const NATIVE = { family: "webcrypto", runs: "native", constantTime: "yes" } as const;

export const MESSAGE_PEERS: Peer[] = [
  { ...CORE, name: "Twinwrap", note: "WebAssembly SIMD, one thread" },
  { ...CORE, name: "Twinwrap, relaxed SIMD", note: "one thread" },
  { ...NATIVE, name: "WebCrypto", note: "one call at a time, prepared key" },
  { ...NATIVE, name: `WebCrypto, ${IN_FLIGHT} in flight` },
  { name: "@noble/ciphers", family: "noble", runs: "JS", constantTime: "no, tables" },
];

export const FILE_PEERS: Peer[] = [
  { ...CORE, name: "Twinwrap, one thread" },
  { ...CORE, name: "Twinwrap, pool of 2", note: "two workers, started before" },
  { ...CORE, name: "Twinwrap, pool of 2, relaxed SIMD", note: "two workers, started before" },
  { ...NATIVE, name: "Twinwrap by WebCrypto", note: "one thread, 64 to 128 calls in flight" },
  { ...CORE, name: "Twinwrap, auto", note: "the faster one here, one thread" },
  { ...CORE, name: "Twinwrap, auto, pool of 2", note: "two workers, started before" },
  {
    ...NATIVE,
    name: "WebCrypto alone",
    note: "its calls for chunks of 16 KiB, 64 in flight; no header, no key to wrap, no output",
  },
];

/** Bytes that WebCrypto's calls take when they seal a file: a chunk of our format. */
const CHUNK = 16384;
/** Calls in flight then. */
const ALONE = 64;

/** The builds of the core are served beside the page. */
const loadBuild = (name: string) => loadCore({ wasm: new URL(name, document.baseURI) });

/** A contender whose result is compared with the others'. */
export interface Checked extends Contender {
  run(): Promise<Uint8Array> | Uint8Array;
}

/** AES-256-GCM of one message of `size` bytes under a prepared key. */
export class Messages {
  readonly #cores: [name: string, core: Core][];
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  readonly #iv = crypto.getRandomValues(new Uint8Array(12));

  private constructor(cores: [string, Core][]) {
    this.#cores = cores;
  }

  /** Loads the core, in both builds if the engine takes both. */
  static async load(hasRelaxed: boolean): Promise<Messages> {
    const cores: [string, Core][] = [["Twinwrap", await loadBuild("core.wasm")]];
    if (hasRelaxed) cores.push(["Twinwrap, relaxed SIMD", await loadBuild("core-relaxed.wasm")]);
    return new Messages(cores);
  }

  async of(size: number): Promise<Checked[]> {
    const data = pattern(size);
    const iv = this.#iv;
    const contenders: Checked[] = this.#cores.map(([name, core]) => {
      const aes = core.aesGcm(this.#key);
      return { name, run: () => aes.encrypt(iv, data) };
    });
    const subtle = globalThis.crypto.subtle as SubtleCrypto | undefined;
    if (subtle !== undefined) {
      const key = await subtle.importKey("raw", this.#key, "AES-GCM", false, ["encrypt"]);
      const one = async () =>
        new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, data));
      contenders.push(
        { name: "WebCrypto", run: one },
        {
          name: `WebCrypto, ${IN_FLIGHT} in flight`,
          calls: IN_FLIGHT,
          run: async () => (await Promise.all(Array.from({ length: IN_FLIGHT }, one))).at(-1)!,
        },
      );
    }
    contenders.push({ name: "@noble/ciphers", run: () => gcm(this.#key, iv).encrypt(data) });
    return contenders;
  }
}

/** The key that files are sealed for, and the key that opens them again to check them. */
export interface Pair {
  publicKey: RsaPublicKey;
  /** Missing on pages without https: they cannot make one. */
  privateKey?: RsaPrivateKey;
}

/** A contender that seals a file and gives its length. */
export interface Sealing extends Contender {
  run(): Promise<number>;
  /** Whether another engine opens what it seals, and finds the same. */
  check(): Promise<boolean>;
}

/** A build of the core, with workers of its own. */
interface Build {
  name: string;
  core: Core;
  pool: WorkerPool;
}

/** Sealed files of `size` bytes. Their output is thrown away in pieces, as a disk would take it. */
export class Files {
  readonly #pair: Pair;
  readonly #builds: readonly Build[];

  private constructor(pair: Pair, builds: readonly Build[]) {
    this.#pair = pair;
    this.#builds = builds;
  }

  /** The workers are ready before they are timed, as those of a page's second file are. */
  static async load(pair: Pair, hasRelaxed: boolean): Promise<Files> {
    const build = async (name: string, file: string) => {
      const core = await loadBuild(file);
      const pool = workerPool({ jobs: 2, workerUrl: "worker.js" });
      await pool.start(core);
      return { name, core, pool };
    };
    const builds = [await build("Twinwrap, pool of 2", "core.wasm")];
    if (hasRelaxed) {
      builds.push(await build("Twinwrap, pool of 2, relaxed SIMD", "core-relaxed.wasm"));
    }
    return new Files(pair, builds);
  }

  of(size: number): Sealing[] {
    const { publicKey, privateKey: key } = this.#pair;
    const data = pattern(size);
    const source = new Blob([data]);
    const block = data.slice(0, BLOCK);
    const core = this.#builds[0]!.core;
    const hasWebCrypto = globalThis.crypto.subtle !== undefined;
    const contender = (name: string, options: WorkOptions): Sealing => {
      const sealed = () => seal(source, { core, to: [publicKey], ...options });
      return {
        name,
        async run() {
          const output = (await sealed())[Symbol.asyncIterator]();
          let length = 0;
          // Given back, as save() does.
          for (let spent: Uint8Array<ArrayBuffer> | undefined; ; ) {
            const { done, value } = await output.next(spent);
            if (done) return length;
            length += value.length;
            spent = value;
          }
        },
        async check() {
          if (key === undefined) return true;
          const engine = options.engine !== "webcrypto" && hasWebCrypto ? "webcrypto" : "wasm";
          const opened = await open((await sealed()).stream(), { core, key, engine });
          let at = 0;
          for await (const piece of opened) {
            for (let i = 0; i < piece.length; ) {
              const from = (at + i) % BLOCK;
              const part = piece.subarray(i, i + BLOCK - from);
              if (!equalBytes(part, block.subarray(from, from + part.length))) return false;
              i += part.length;
            }
            at += piece.length;
          }
          return at === size;
        },
      };
    };
    return [
      contender("Twinwrap, one thread", {}),
      ...this.#builds.map(({ name, core, pool }) => contender(name, { core, pool })),
      ...(hasWebCrypto
        ? [
            contender("Twinwrap by WebCrypto", { engine: "webcrypto" }),
            contender("Twinwrap, auto", { engine: "auto" }),
            contender("Twinwrap, auto, pool of 2", {
              engine: "auto",
              pool: this.#builds[0]!.pool,
            }),
            alone(source),
          ]
        : []),
    ];
  }

  close(): void {
    for (const { pool } of this.#builds) pool.close();
  }
}

/** A Blob's chunks, read as our engines read them, sealed by WebCrypto's calls and nothing else. */
function alone(source: Blob): Sealing {
  let key: CryptoKey | undefined;
  const piece = new Uint8Array(ALONE * CHUNK);
  async function run(): Promise<number> {
    key ??= await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
    const reader = new Reader(pieces(source));
    const calls: Promise<ArrayBuffer>[] = [];
    let chunks = 0;
    let length = 0;
    const take = async () => {
      length += (await calls.shift()!).byteLength;
    };
    // A call copies its chunk at once, so one array serves for all.
    for (let filled = piece.length; filled === piece.length; ) {
      filled = await reader.fill(piece);
      for (let at = 0; at < filled; at += CHUNK) {
        if (calls.length === ALONE) await take();
        const iv = new Uint8Array(12);
        new DataView(iv.buffer).setUint32(8, chunks++);
        const chunk = piece.subarray(at, Math.min(at + CHUNK, filled));
        calls.push(crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, chunk));
      }
    }
    while (calls.length > 0) await take();
    return length;
  }
  const expected = source.size + 16 * Math.ceil(source.size / CHUNK);
  return { name: "WebCrypto alone", run, check: async () => (await run()) === expected };
}

/** Bytes of a pattern until it begins again. */
const BLOCK = 65536;

/** Bytes that look random, quickly. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const block = crypto.getRandomValues(new Uint8Array(Math.min(length, BLOCK)));
  for (let at = 0; at < length; at += block.length) {
    bytes.set(block.subarray(0, Math.min(block.length, length - at)), at);
  }
  return bytes;
}
