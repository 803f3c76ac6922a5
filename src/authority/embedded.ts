import {
  bytesOf,
  listOf,
  needDate,
  needFlag,
  needText,
  oneOf,
  optional,
  optionsOf,
  takingAsync,
  whole,
  wrongKind,
} from "../arguments.js";
import * as k from "../escrow/arguments.js";
import {
  type PageOptions,
  RECORD_STATUSES,
  REQUEST_STATUSES,
  type RecordQuery,
  type RequestQuery,
} from "../escrow/authority-client.js";
import type { Authority, AuthorityClient, AuthorityFile, Release } from "../escrow/index.js";
import { needPassphrase, type Passphrase } from "../keys/passphrase.js";
import { LocalClient } from "./client.js";
import type { Enrolled } from "./owners.js";
import { AuthorityService } from "./service.js";

// What a program does that has an authority in it. Others reach the same authority as before: by its service over
// HTTP, which is another process on the same folder, or by files.

const RECORDS = optionsOf<RecordQuery>({
  serial: bytesOf(16),
  label: needText,
  owner: needText,
  fingerprint: bytesOf(32),
  status: oneOf(...RECORD_STATUSES),
  from: needDate,
  before: needDate,
  text: needText,
});
const REQUESTS = optionsOf<RequestQuery>({
  status: oneOf(...REQUEST_STATUSES),
  after: needDate,
  until: needDate,
});
const PAGE = optionsOf<PageOptions>({ limit: whole(1, 1000), cursor: needText });
const ENROLLING = optionsOf<{ mayReplace?: boolean | undefined }>({ mayReplace: needFlag });

/** The port, with its arguments checked. */
function checkedClient(client: LocalClient): AuthorityClient {
  const paged = optional(PAGE);
  const id = { id: needText };
  const note = { note: needText };
  const record = { record: k.hash };
  const sizes = { from: whole(0), to: whole(0) };
  const { submit, ask }: Pick<AuthorityClient, "submit" | "ask"> = client;
  return {
    file: () => client.file(),
    submit: takingAsync(submit.bind(client), { submissions: listOf(k.submission) }),
    receipt: takingAsync(client.receipt.bind(client), record),
    record: takingAsync(client.record.bind(client), record),
    records: takingAsync(client.records.bind(client), { query: RECORDS, page: paged }),
    requests: takingAsync(client.requests.bind(client), { query: REQUESTS, page: paged }),
    ask: takingAsync(ask.bind(client), { request: k.request }),
    standing: takingAsync(client.standing.bind(client), id),
    decide: takingAsync(client.decide.bind(client), note),
    policies: () => client.policies(),
    takePolicy: takingAsync(client.takePolicy.bind(client), note),
    released: takingAsync(client.released.bind(client), id),
    checkpoint: () => client.checkpoint(),
    consistency: takingAsync(client.consistency.bind(client), sizes),
  };
}

/** An authority that a program has opened. Close it at the end. */
export class EmbeddedAuthority {
  readonly #service: AuthorityService;
  /** The port to it: for `connect` of twinwrap/client, and whatever carries messages to it. */
  readonly client: AuthorityClient;

  /** Use `openAuthority(folder)`. */
  constructor(service: AuthorityService) {
    if (!(service instanceof AuthorityService)) {
      throw wrongKind(service, "the service", "what openAuthority() opens");
    }
    this.#service = service;
    this.client = checkedClient(new LocalClient(service));
  }

  /** Who it is, verified. */
  get authority(): Authority {
    return this.#service.authority;
  }

  /** What everybody may know of it: `encodeAuthority` of twinwrap/escrow makes an authority.json of it. */
  file(): Promise<AuthorityFile> {
    return this.#service.file();
  }

  /** Whether its RSA key is open: without it, keys are taken in unverified, and nothing is released. */
  get isUnlocked(): boolean {
    return this.#service.isUnlocked;
  }

  /**
   * Opens its RSA keys: those that are not locked, and all that the passphrase opens.
   * @returns whether one is open
   * @throws TwinwrapError BAD_ARGUMENT, WRONG_PASSPHRASE, BAD_KEY
   */
  async unlock(passphrase?: Passphrase): Promise<boolean> {
    return this.#service.unlock(optional(needPassphrase)(passphrase, "the passphrase"));
  }

  /**
   * Opens the wraps that were taken in while the key was locked.
   * @returns how many were opened, and the records (hashes, 32 bytes each) that did not open
   * @throws TwinwrapError PASSPHRASE_NEEDED if the key is locked
   */
  verifyWaiting(): ReturnType<AuthorityService["verifyWaiting"]> {
    return this.#service.verifyWaiting();
  }

  /**
   * Enrols an owner, who has a veto from then on.
   * @param owner their ID
   * @param control their public control key, Ed25519, 32 bytes
   * @param options.mayReplace whether it may take the place of another one: by default it may
   * @returns the secret is the owner's: it tells which leaves of the log are about them
   * @throws TwinwrapError BAD_ARGUMENT, BAD_FORMAT, NOT_ENTITLED, NO_POLICY, FENCED
   */
  async enrolOwner(
    owner: string,
    control: Uint8Array,
    options: { mayReplace?: boolean | undefined } = {},
  ): Promise<Enrolled> {
    const id = needText(owner, "the owner ID");
    const key = bytesOf(32)(control, "the control key");
    return this.#service.enrolOwner(id, key, ENROLLING(options, "options"));
  }

  /**
   * Releases what is approved, once its waiting period is over; again it gives the same bytes. The last approval does
   * that by itself where there is nothing to wait for.
   * @param id the request's, 26 characters
   * @throws TwinwrapError NOT_APPROVED, CLOSED, NOT_FOUND, PASSPHRASE_NEEDED if the key is locked, FENCED
   */
  async release(id: string): Promise<Release> {
    return this.#service.release(needText(id, "the id"));
  }

  /** Ends the work under way, and wipes its keys. */
  close(): Promise<void> {
    return this.#service.close();
  }
}
