import { AesUnit } from "../core/aes.js";
import { GcmKey } from "../core/gcm-key.js";
import { Instance } from "../core/instance.js";
import { TwinwrapError } from "../errors.js";
import { buildId } from "./build-id.js";
import { CoreCipher } from "./cobblestone.js";
import { platformEngine } from "./platform.js";
import type { Answer, Order } from "./protocol.js";
import { type Engine, LocalEngine } from "./segments.js";

// Runs in a worker: its own instance of the core, and the engines of the messages that it
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
const messages = new Map<number, Engine>();

function forget(message: number): void {
  messages.get(message)?.dispose();
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

async function engineOf({
  keys,
  by,
  direction,
}: Extract<Order, { keys: unknown }>): Promise<Engine> {
  if (by !== "wasm") return platformEngine(by, keys, direction);
  const { key, baseNonce } = keys;
  const cipher = new CoreCipher(new GcmKey(unit, key), baseNonce);
  key.fill(0);
  return new LocalEngine(cipher, direction, { owned: true });
}

/** @throws anything: an unexpected error ends the worker, which the pool notices */
async function obey(order: Order): Promise<void> {
  if ("module" in order) {
    unit = new AesUnit(await Instance.create(order.module));
    if (order.lock !== undefined) await holdForever(order.lock);
    port.postMessage({ ready: buildId }, []);
  } else if ("keys" in order) {
    messages.set(order.message, await engineOf(order));
  } else if ("segment" in order) {
    const { error, ...worked } = await messages.get(order.message)!.work(order.segment);
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

/** Ends with the last order. */
let obeyed = Promise.resolve();

// One order after the other: WebCrypto takes its time.
port.onmessage = ({ data }) => {
  obeyed = obeyed
    .then(() => obey(data))
    .catch((error) => {
      // Thrown outside the promise it is an error of the worker itself, in Node and in browsers.
      setTimeout(() => {
        throw error;
      });
    });
};
