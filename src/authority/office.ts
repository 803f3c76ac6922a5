import type { Core } from "../core/index.js";
import type { Authority } from "../escrow/index.js";
import type { Log } from "./log.js";
import type { OpenKeys } from "./opening.js";
import type { Store } from "./store/store.js";
import type { VerifiedNotes } from "./verified-notes.js";

/** What the operator of an authority decides, not the senders. */
export interface OperatorSettings {
  /** Takes unproven keys, too: anybody who has such a blob could have sent it. */
  acceptUnproven?: boolean | undefined;
  /**
   * Releases the records that open, even where others do not. That ends the request: the missing ones need
   * a new request.
   */
  partial?: boolean | undefined;
}

/** What all of an authority's work needs. */
export interface Office {
  core: Core;
  store: Store;
  log: Log;
  authority: Authority;
  notes: VerifiedNotes;
  settings: OperatorSettings;
  /** Those that are open. */
  keys: OpenKeys;
}
