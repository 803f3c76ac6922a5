import type { Core } from "../core/index.js";
import type { Authority } from "../escrow/index.js";
import type { Log } from "./log.js";
import type { Openers } from "./opener.js";
import type { Store } from "./store/store.js";
import type { VerifiedChain } from "./verified-chain.js";

/** What the operator of an authority decides, not the senders. */
export interface OperatorSettings {
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
  chain: VerifiedChain;
  settings: OperatorSettings;
  /** Where its RSA keys work, as far as they are open. */
  openers: Openers;
}
