// biome-ignore-all assist/source/organizeImports: this leads to the embedded texts (core/need.ts)
import { coreOption } from "../core/need.js";
import {
  bytesOf,
  isBytes,
  isList,
  isObject,
  type Kind,
  listOf,
  memberOf,
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
import { TwinwrapError } from "../errors.js";
import {
  type AnyPrivateKey,
  type AnyPublicKey,
  needAnyPrivateKey,
  needAnyPublicKey,
  publicKeyFrom,
} from "../keys/any.js";
import { isPool } from "../known.js";
import { ENGINES, type WorkOptions } from "./engine.js";
import { type Escrow, PADDINGS, type Wrap } from "./header.js";
import type { WorkerPool } from "./pool.js";
import { MAX_JOBS, needUrl, type StartWorker } from "./pools.js";
import type { Recipient, WrapOptions } from "./wraps.js";

// What seal, open and rewrap take, checked.

const needPool: Kind<WorkerPool> = (value, what) => {
  if (isPool(value)) return value as WorkerPool;
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
const recipient = optionsOf<Recipient<AnyPublicKey>>(
  { key: needAnyPublicKey, padding: needPadding },
  ["key"],
);

/** A public key, or one with a padding. */
export const needRecipient: Kind<Recipient<AnyPublicKey>> = (value, what) =>
  isObject(value) && !isBytes(value) && memberOf(value, "key", what) !== undefined
    ? recipient(value, what)
    : { key: needAnyPublicKey(value, what) };

/**
 * The same with the keys' numbers.
 * @param what the list, as errors name it
 * @throws TwinwrapError as readPublicKey
 */
export async function withNumbers(
  recipients: readonly Recipient<AnyPublicKey>[],
  what: string,
): Promise<Recipient[]> {
  const read: Recipient[] = [];
  for (const [i, to] of recipients.entries()) {
    try {
      read.push({ ...to, key: await publicKeyFrom(to.key) });
    } catch (error) {
      if (!(error instanceof TwinwrapError) || recipients.length === 1) throw error;
      const message = `${what}[${i}]: ${error.message}`;
      throw new TwinwrapError(error.code, message, { cause: error });
    }
  }
  return read;
}

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

const keys = listOf(needAnyPrivateKey);
/** A private key, or several. */
export const needKeys: Kind<AnyPrivateKey[]> = (value, what) =>
  isList(value) ? keys(value, what) : [needAnyPrivateKey(value, what)];

export const needTo: Kind<Recipient<AnyPublicKey>[]> = listOf(needRecipient);
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
