import { toUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type {
  AuthorityClient,
  AuthorityFile,
  Page,
  PageOptions,
  Receipt,
  RecordQuery,
  RecoveryRequest,
  Release,
  RequestQuery,
  RequestSummary,
  StandingMessage,
  StoredRecord,
  Submission,
  SubmitResult,
} from "../escrow/index.js";
import { decodeMessage } from "../escrow/message.js";
import { recordHash } from "../escrow/record.js";
import type { AuthorityService } from "./service.js";

export interface LocalClientOptions {
  /** Opens the authority's RSA key when it is needed, if it can be: see AuthorityService.unlock. */
  unlock?: (() => Promise<boolean>) | undefined;
}

/** The port to an authority whose store is here. */
export class LocalClient implements AuthorityClient {
  readonly #service: AuthorityService;
  readonly #unlock: () => Promise<boolean>;

  constructor(service: AuthorityService, options: LocalClientOptions = {}) {
    this.#service = service;
    this.#unlock = options.unlock ?? (async () => service.isUnlocked);
  }

  file(): Promise<AuthorityFile> {
    return this.#service.file();
  }

  async submit(submissions: readonly Submission[]): Promise<SubmitResult[]> {
    await this.#unlock();
    const results = await this.#service.intake(submissions);
    return results.map((result, i) => {
      if (!("error" in result)) {
        const { record, isNew, receipt } = result;
        return { record, isNew, receipt };
      }
      const { error } = result;
      if (!(error instanceof TwinwrapError)) throw error;
      return { record: recordHash(this.#service.core, submissions[i]!.record), error };
    });
  }

  receipt(record: Uint8Array): Promise<Receipt | undefined> {
    // A restored log's newest receipt may not be the newest there is.
    return this.#service.newestReceipt(record);
  }

  async record(record: Uint8Array): Promise<StoredRecord | undefined> {
    return (await this.#service.recordsByHash([record]))[0];
  }

  records(query: RecordQuery, page?: PageOptions): Promise<Page<StoredRecord>> {
    return this.#service.records(query, page);
  }

  async requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestSummary>> {
    return this.#service.requests(query, page);
  }

  async ask(request: RecoveryRequest): Promise<StandingMessage> {
    const { id } = await this.#service.takeRequest(request);
    return this.standing(id);
  }

  standing(id: string): Promise<StandingMessage> {
    return this.#service.standingMessage(id);
  }

  async decide(note: string): Promise<StandingMessage> {
    if (decodeMessage(this.#service.core, toUtf8(note)).kind === "veto") {
      const { id } = await this.#service.takeVeto(note);
      return this.standing(id);
    }
    const { row, decision } = await this.#service.takeApproval(note);
    if (row.status === "open" && decision.approved) {
      await afterApproval(async () => {
        if (await this.#unlock()) await this.#service.release(row.id);
      });
    }
    return this.standing(row.id);
  }

  async policies(): Promise<string[]> {
    return (await this.#service.policies()).map(({ row }) => row.note);
  }

  async takePolicy(note: string): Promise<string> {
    const { note: merged } = await this.#service.takePolicy(note);
    return merged;
  }

  released(id: string): Promise<Release | undefined> {
    return this.#service.released(id);
  }

  checkpoint(): Promise<string | undefined> {
    return this.#service.checkpoint();
  }

  consistency(from: number, to: number): Promise<Uint8Array[]> {
    return this.#service.consistency(from, to);
  }
}

/**
 * What follows the last approval needed.
 * @throws the error that prevented it, saying that the approval was taken all the same
 */
async function afterApproval(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) {
      error.message = `the approval was taken and was the last that is needed, but: ${error.message}`;
    }
    throw error;
  }
}
