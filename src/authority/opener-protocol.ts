import type { Recipient } from "../envelope/wraps.js";
import type { TwinwrapError } from "../errors.js";
import type { RsaPrivateKey } from "../keys/index.js";
import type { RsaEngine } from "../keys/native-rsa.js";
import type { Rewrapped, Tried } from "./opener.js";
import type { Candidate } from "./store/store.js";

// What passes between an authority's process (opener-threads.ts) and its openers (opener-worker.ts). No message holds a
// session key.

/** Something to do. */
export type Task =
  /** One more RSA key: its numbers are transferred. */
  | { add: { fingerprint: string; key: RsaPrivateKey } }
  | { check: { record: Uint8Array; candidates: Candidate[] } }
  | { release: { record: Uint8Array; candidates: Candidate[]; to: Recipient } };

/**
 * What a thread is told, in this order: the compiled core, and what does RSA; tasks, keys before what they open; the
 * end.
 */
export type Order =
  | { module: WebAssembly.Module; rsa: RsaEngine | undefined }
  | { id: number; task: Task }
  /** Wipe the keys and end. */
  | { end: true };

/** What it answers: that it is ready; then once for each task, in any order. */
export type Answer =
  | { ready: true }
  | { id: number; result: Tried | Rewrapped | undefined }
  /** Without a code it is a defect. */
  | { id: number; error: { code?: TwinwrapError["code"]; message: string } };
