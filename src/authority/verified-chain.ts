import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { verifyAuthority } from "../escrow/chain.js";
import type { Authority, AuthorityFile } from "../escrow/index.js";
import type { NoteRow, StoreReads } from "./store/store.js";

/** The notes of an authority as a store has them, and what they say. */
export interface Known {
  authority: Authority;
  /** Those in force. */
  file: AuthorityFile;
  /** By number, the first one first; drafts are last. */
  policies: NoteRow[];
  identities: NoteRow[];
}

/**
 * Verifies an authority's notes whenever they are read from the store. Notes are read again when the store says that
 * they have changed, and the same notes are verified once.
 */
export class VerifiedChain {
  readonly #core: Core;
  /** Of the first identity, 32 bytes. */
  readonly #fingerprint: Uint8Array;
  #last: { of: string; authority: Authority };
  /** What was read last, and the version that the store's notes had then. */
  #read: { version: number; known: Known } | undefined;

  /** @param file the notes that `authority` was verified from */
  constructor(core: Core, authority: Authority, file: AuthorityFile) {
    this.#core = core;
    this.#fingerprint = authority.fingerprint;
    this.#last = { of: this.#name(file), authority };
  }

  /** @throws TwinwrapError NOT_VERIFIED if a note was altered; FAULT if they are another authority's */
  async read(reads: StoreReads): Promise<Known> {
    return this.readOf(await reads.notesVersion(), reads);
  }

  /**
   * The same, where it was looked up already whether there is anything new.
   * @param version of the notes. It is read before them: if they change meanwhile, they are read again the next time
   */
  async readOf(version: number, reads: StoreReads): Promise<Known> {
    if (this.#read?.version === version) return this.#read.known;
    const [identities, policies] = [await reads.identities(), await reads.policies()];
    const file = fileOf(identities, policies);
    const of = this.#name(file);
    if (of !== this.#last.of) {
      const authority = await verifyAuthority(this.#core, file);
      if (!equalBytes(authority.fingerprint, this.#fingerprint)) {
        throw new TwinwrapError("FAULT", "the store is another authority's by now");
      }
      this.#last = { of, authority };
    }
    const known = { authority: this.#last.authority, file, policies, identities };
    this.#read = { version, known };
    return known;
  }

  /** The notes are read anew: an audit believes nothing that was read before. */
  forget(): void {
    this.#read = undefined;
  }

  #name({ identities, policies }: AuthorityFile): string {
    const notes = [...identities, "", ...policies].join("\0");
    return toHex(this.#core.sha256(toUtf8(notes)));
  }
}

/** The notes in force. */
function fileOf(identities: readonly NoteRow[], policies: readonly NoteRow[]): AuthorityFile {
  const inForce = (rows: readonly NoteRow[]) =>
    rows.filter(({ leaf }) => leaf !== undefined).map(({ note }) => note);
  return { identities: inForce(identities), policies: inForce(policies) };
}

/** What everybody may know, from the store: the identities and policies in force so far. */
export async function publicFile(reads: StoreReads): Promise<AuthorityFile> {
  return fileOf(await reads.identities(), await reads.policies());
}
