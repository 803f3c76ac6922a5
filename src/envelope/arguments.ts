import {
  bytesOf,
  isList,
  type Kind,
  listOf,
  needFlag,
  needFunction,
  needSignal,
  needStableBytes,
  needText,
  objectOf,
  oneOf,
  optional,
  optionsOf,
  type Shape,
  unchecked,
  whole,
  wrongKind,
} from "../arguments.js";
import { coreOption } from "../core/need.js";
import type { RsaPrivateKey, RsaPublicKey } from "../keys/index.js";
import { needPrivateKey, needPublicKey } from "../keys/types.js";
import { ENGINES, type WorkOptions } from "./engine.js";
import { type Escrow, PADDINGS, type Wrap } from "./header.js";
import { MAX_JOBS, needUrl, type StartWorker, WorkerPool } from "./pool.js";
import type { Recipient, WrapOptions } from "./wraps.js";

// What seal, open and rewrap take, checked.

const needPool: Kind<WorkerPool> = (value, what) => {
  if (value instanceof WorkerPool) return value;
  throw wrongKind(value, what, "what workerPool() gives");
};

export const WORK: Shape<WorkOptions> = {
  core: coreOption,
  signal: needSignal,
  onProgress: needFunction,
  engine: oneOf(...ENGINES),
  jobs: whole(1, MAX_JOBS),
  pool: needPool,
  workerUrl: needUrl,
  startWorker: needFunction,
};
export const WRAPPING: Shape<WrapOptions> = { allowWeak: needFlag };

export const needPadding = oneOf(...PADDINGS);
const recipient = optionsOf<Recipient>({ key: needPublicKey, padding: needPadding }, ["key"]);

/** A public key, or one with a padding. */
export const needRecipient: Kind<Recipient> = (value, what) => {
  const isKey = typeof value !== "object" || value === null || !("key" in value);
  return isKey ? { key: needPublicKey(value, what) } : recipient(value, what);
};

export const needWrap = objectOf<Wrap>({
  fingerprint: bytesOf(32),
  padding: needPadding,
  simpleBlob: needStableBytes,
  rest: unchecked,
});

export const needEscrow = objectOf<Escrow>({
  submission: unchecked,
  receipt: unchecked,
  rest: unchecked,
});

const keys = listOf<RsaPrivateKey>(needPrivateKey);
/** A private key, or several. */
export const needKeys: Kind<RsaPrivateKey[]> = (value, what) =>
  isList(value) ? keys(value, what) : [needPrivateKey(value, what)];

export const needTo: Kind<(RsaPublicKey | Recipient)[]> = listOf(needRecipient);
export const needOrigins = listOf(needText);
export const needFingerprints = listOf(bytesOf(32));
export const CORE = optionsOf<{ core?: WorkOptions["core"] }>({ core: optional(coreOption) });

/**
 * The same options with this platform's way to start a worker, unless they have their own. Anything but an object
 * is refused where options are checked.
 */
export function withWorkers<T extends { startWorker?: StartWorker | undefined }>(
  options: T,
  startWorker: StartWorker,
): T {
  try {
    if (Object.prototype.toString.call(options) === "[object Object]") {
      return { startWorker, ...options };
    }
  } catch {
    // A getter that throws: likewise.
  }
  return options;
}
