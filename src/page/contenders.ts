import { gcm } from "@noble/ciphers/aes.js";
import { type EngineOptions, seal, type WorkerPool, workerPool } from "../browser.js";
import { type Core, loadCore } from "../core/index.js";
import type { RsaPublicKey } from "../keys/index.js";
import type { Contender } from "../timing.js";

// Who is compared in a browser: the core, WebCrypto and noble on messages; the pool and WebCrypto on sealed files.

/** What the report says of a contender; its form is that of bench/peers. */
export interface Peer {
  name: string;
  /** Its colour. */
  family: string;
  runs: "wasm" | "native" | "JS";
  constantTime: string;
  note?: string;
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
  { ...CORE, name: "Twinwrap, pool of 2" },
  { ...NATIVE, name: "Twinwrap by WebCrypto", note: "the same format, 64 to 128 calls in flight" },
];

/** Where the builds of the core are served, beside the page. */
const wasm = (name: string) => new URL(name, document.baseURI);

/** A contender whose result can be compared with the others'. */
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

  /** Loads the core, in both builds if the engine has them. */
  static async load(hasRelaxed: boolean): Promise<Messages> {
    const load = async (name: string, file: string): Promise<[string, Core]> => [
      name,
      await loadCore({ wasm: wasm(file) }),
    ];
    const cores = [await load("Twinwrap", "core.wasm")];
    if (hasRelaxed) cores.push(await load("Twinwrap, relaxed SIMD", "core-relaxed.wasm"));
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

/** Sealed files of `size` bytes, whose output is thrown away as a disk would take it. */
export class Files {
  readonly #to: RsaPublicKey;
  readonly #pool: WorkerPool;

  constructor(to: RsaPublicKey) {
    this.#to = to;
    this.#pool = workerPool({ jobs: 2, workerUrl: "worker.js" });
  }

  /** The workers are ready before they are timed, as those of a page's second file are. */
  async of(size: number): Promise<{ name: string; run(): Promise<number> }[]> {
    await this.#pool.start();
    const source = new Blob([pattern(size)]);
    const contender = (name: string, options: EngineOptions) => ({
      name,
      run: async () => {
        let length = 0;
        const sealed = await seal(source, { to: [this.#to], ...options });
        for await (const piece of sealed) length += piece.length;
        return length;
      },
    });
    const contenders = [
      contender("Twinwrap, one thread", {}),
      contender("Twinwrap, pool of 2", { pool: this.#pool }),
    ];
    if (globalThis.crypto.subtle !== undefined) {
      contenders.push(contender("Twinwrap by WebCrypto", { engine: "webcrypto" }));
    }
    return contenders;
  }

  close(): void {
    this.#pool.close();
  }
}

/** Bytes that look random, quickly. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const block = crypto.getRandomValues(new Uint8Array(Math.min(length, 65536)));
  for (let at = 0; at < length; at += block.length) {
    bytes.set(block.subarray(0, Math.min(block.length, length - at)), at);
  }
  return bytes;
}
