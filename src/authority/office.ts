import type { Core } from "../core/index.js";
import type { Authority } from "../escrow/index.js";
import type { Log } from "./log.js";
import type { OpenKey } from "./opening.js";
import type { Store } from "./store/store.js";
import type { VerifiedNotes } from "./verified-notes.js";

/** What the operator of an authority decides, and nobody who sends something. */
export interface OperatorSettings {
  /** Takes keys that nobody proves, too: whoever has such a blob could have sent it. */
  acceptUnproven?: boolean | undefined;
  /**
   * Releases the records that open, where others do not. That ends the request: what is missing has to
   * be asked for again.
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
  /** While it is open. */
  key: OpenKey | undefined;
}
