export { Output, type RandomAccess, type Source } from "../source.js";
export { ENGINES, type EngineName, type EngineOptions, type WorkOptions } from "./engine.js";
export type { Escrow, FixedHeader, Header, MutableHeader, Padding, Patch, Wrap } from "./header.js";
export { formatSerial, PADDINGS } from "./header.js";
export { type Head, inspect, inspectHead, Opened, type OpenOptions, open } from "./open.js";
export { type PoolOptions, WorkerPool } from "./pool.js";
export { MAX_JOBS, type StartWorker, type WorkerEvents, type WorkerHandle } from "./pools.js";
export { type Amendment, amend, type Rewrapped, rewrap, type WrapChange } from "./rewrap.js";
export {
  type BodyHeader,
  type EscrowAuthority,
  type EscrowFacts,
  type MakeEscrows,
  Sealed,
  type SealOptions,
  seal,
} from "./seal.js";
export type { Recipient, WrapOptions } from "./wraps.js";
