import { parentPort } from "node:worker_threads";
import { Core } from "../core/index.js";
import { Instance } from "../core/instance.js";
import { TwinwrapError } from "../errors.js";
import { wipePrivateKey } from "../keys/index.js";
import { Opener, type Rewrapped, type Tried } from "./opener.js";
import type { Answer, Order, Task } from "./opener-protocol.js";

// Runs in an opener: its own instance of the core, and an authority's RSA keys. The build makes one script of it.

const port = parentPort!;
let opener: Opener;

async function work(task: Task): Promise<Tried | Rewrapped | undefined> {
  if ("check" in task) return opener.check(task.check.record, task.check.candidates);
  if ("release" in task) {
    const { record, candidates, to } = task.release;
    return opener.release(record, candidates, to);
  }
  const { fingerprint, key } = task.add;
  try {
    opener.add(fingerprint, key);
    return undefined;
  } finally {
    wipePrivateKey(key);
  }
}

/** A task that fails is answered; anything else that fails ends the thread, which its owner notices. */
async function obey(order: Order): Promise<void> {
  if ("module" in order) {
    opener = new Opener(new Core(await Instance.create(order.module)), order.rsa);
    post({ ready: true });
  } else if ("end" in order) {
    opener.dispose();
    port.close();
  } else {
    post(await answer(order.id, order.task));
  }
}

async function answer(id: number, task: Task): Promise<Answer> {
  try {
    return { id, result: await work(task) };
  } catch (error) {
    const { message } = error as Error;
    return {
      id,
      error: error instanceof TwinwrapError ? { code: error.code, message } : { message },
    };
  }
}

function post(message: Answer): void {
  port.postMessage(message);
}

/** What was told before is done by then. */
let last = Promise.resolve();
port.on("message", (order: Order) => {
  last = last.then(() => obey(order));
});
