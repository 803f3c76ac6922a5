import { AesUnit } from "../core/aes.js";
import { GcmKey } from "../core/gcm-key.js";
import { Instance } from "../core/instance.js";
import { TwinwrapError } from "../errors.js";
import { buildId } from "./build-id.js";
import { type ChunkCipher, CoreCipher } from "./cobblestone.js";
import { NativeCipher } from "./native.js";
import type { Answer, Order } from "./protocol.js";
import { type Direction, workOn } from "./segments.js";

// Runs in a worker: its own instance of the core, and the ciphers of the messages that it
// is told to work on. The build makes one script of it.

/** A worker's side of the channel: itself in browsers, `parentPort` in Node, which startWorker puts here. */
interface Port {
  onmessage: ((event: { data: Order }) => void) | null;
  postMessage(answer: Answer, transfer: Transferable[]): void;
  /** Not in Deno, where the port of a worker thread has none. */
  close?(): void;
}
declare const twinwrapPort: Port | undefined;
const port = typeof twinwrapPort === "undefined" ? (globalThis as unknown as Port) : twinwrapPort;

/** The instance, once it is there. */
let unit: AesUnit;
const messages = new Map<number, { cipher: ChunkCipher; direction: Direction }>();

function forget(message: number): void {
  messages.get(message)?.cipher.dispose();
  messages.delete(message);
}

/** Settles once this worker has the lock, which ends with it. */
function holdForever(lock: string): Promise<void> {
  return new Promise((granted, reject) => {
    const held = () => {
      granted();
      return new Promise<never>(() => {});
    };
    navigator.locks.request(lock, held).catch(reject);
  });
}

function cipherOf({ keys, native }: Extract<Order, { keys: unknown }>): ChunkCipher {
  if (native) return new NativeCipher(keys);
  const { key, baseNonce } = keys;
  const cipher = new CoreCipher(new GcmKey(unit, key), baseNonce);
  key.fill(0);
  return cipher;
}

/** @throws anything: an unexpected error ends the worker, which the pool notices */
async function obey(order: Order): Promise<void> {
  if ("module" in order) {
    unit = new AesUnit(await Instance.create(order.module));
    if (order.lock !== undefined) await holdForever(order.lock);
    port.postMessage({ ready: buildId }, []);
  } else if ("keys" in order) {
    messages.set(order.message, { cipher: cipherOf(order), direction: order.direction });
  } else if ("segment" in order) {
    const { cipher, direction } = messages.get(order.message)!;
    const { error, ...worked } = workOn(cipher, direction, order.segment);
    const answer: Answer = worked;
    if (error !== undefined) {
      if (!(error instanceof TwinwrapError)) throw error;
      answer.error = { code: error.code, message: error.message };
    }
    port.postMessage(answer, [worked.buffer]);
  } else if ("forget" in order) {
    forget(order.forget);
  } else {
    for (const message of messages.keys()) forget(message);
    if (port.close !== undefined) port.close();
    else globalThis.close();
  }
}

port.onmessage = ({ data }) => {
  obey(data).catch((error) => {
    // Thrown outside the promise it is an error of the worker itself, in Node and in browsers.
    setTimeout(() => {
      throw error;
    });
  });
};
