import { constants, type KeyObject, privateDecrypt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ErrorCode, seal } from "twinwrap";
import { loadCore } from "twinwrap/core";
import {
  type Addressee,
  addSignature,
  type FileRecord,
  makeRequest,
  makeSubmission,
  type Policy,
  type RecoveryRequest,
  recordHash,
  type Signer,
  type Submission,
  signApproval,
  submissionToJson,
  verifyAuthority,
} from "twinwrap/escrow";
import { afterAll, expect, vi } from "vitest";
import { type InitOptions, initDirectory, openDirectory } from "#build/authority/directory.js";
import { openFolderStore } from "#build/authority/folder-store.js";
import type { Intake, IntakeResult } from "#build/authority/intake.js";
import type { OperatorSettings } from "#build/authority/office.js";
import type { AuthorityService } from "#build/authority/service.js";
import type { Store } from "#build/authority/store/store.js";
import { chainBefore } from "#build/escrow/chain.js";
import { makePair, OFFICES, type Pair } from "../envelope/keys.js";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { preparedKeys, usePreparedKeys } from "../prepared-keys.cjs";
import { backend } from "./backend.js";

// Wrap keys, in turn.
const wrapKeys = preparedKeys(2048).slice(0, OFFICES);
let offices = 0;
usePreparedKeys((bits) => (bits === 2048 ? wrapKeys[offices++ % wrapKeys.length] : undefined));

// What the tests of an authority at work share: an authority with three officers, files whose session
// keys are known, and approvals.

export const core = await loadCore();
export const owner: Pair = await makePair();
export const newOwner: Pair = await makePair();
export const PASSPHRASE = "nine planets, then eight";

/** A TwinwrapError with this code. */
export const failing = (code: ErrorCode) => expect.objectContaining({ code });
export const REFUSED = failing("REFUSED");
export const NOT_VERIFIED = failing("NOT_VERIFIED");

export interface OfficeOptions extends Partial<InitOptions> {
  names?: string[];
  /** Owner ids that are officers, by the officer's name. */
  self?: { [name: string]: string[] };
  /** Whether all officers sign the first policy: true by default. */
  sign?: boolean;
  settings?: OpenSettings;
}

/** How an authority's folder is opened. */
export type OpenSettings = OperatorSettings & { openers?: number };

/**
 * Opens an authority's folder with the store that the tests run on.
 * @param within what the store is put into
 */
export async function openAuthority(
  folder: string,
  settings: OpenSettings = {},
  within: (store: Store) => Store = (store) => store,
): Promise<AuthorityService> {
  let store: Store | undefined;
  const openStore: typeof openFolderStore = async (...about) => {
    store = within(await openFolderStore(...about));
    return store;
  };
  const service = await openDirectory(folder, { openStore, ...settings });
  return withStore(service, store!);
}

const stores = new WeakMap<AuthorityService, Store>();

/** Keeps in mind which store a service works with. */
export function withStore(service: AuthorityService, store: Store): AuthorityService {
  stores.set(service, store);
  return service;
}

/** What an authority keeps: the very store that it works with. */
export function storeOf(service: AuthorityService): Store {
  return stores.get(service)!;
}

/** An authority in a folder of its own. */
export class Office {
  readonly folder: string;
  readonly #parent: string;
  readonly officers: Map<string, Signer>;
  service!: AuthorityService;

  private constructor(parent: string, officers: Map<string, Signer>) {
    this.#parent = parent;
    this.folder = join(parent, "authority");
    this.officers = officers;
  }

  static async make(options: OfficeOptions = {}): Promise<Office> {
    const { names = ["ann", "bob", "cyd"], sign = true, self = {}, settings, ...init } = options;
    const officers = new Map(names.map((name) => [name, newSigner(name)]));
    const office = new Office(mkdtempSync(join(tmpdir(), "twinwrap-office-")), officers);
    await initDirectory(office.folder, {
      bits: 2048,
      iterations: 1000,
      passphrase: PASSPHRASE,
      ...(await backend.place()),
      officers: names.map((name, i) => ({
        name,
        publicKey: officers.get(name)!.publicKey,
        shareKey: spareKey(i),
        self: self[name],
      })),
      ...init,
    });
    await office.open(settings);
    if (sign) for (const name of names) await office.signPolicy(name);
    return office;
  }

  async open(settings?: OpenSettings): Promise<AuthorityService> {
    this.service = await openAuthority(this.folder, settings);
    return this.service;
  }

  /** Does something as another process of the operator's would, with the RSA key open. */
  async elsewhere<T>(
    settings: OpenSettings,
    work: (service: AuthorityService) => Promise<T>,
  ): Promise<T> {
    const service = await openAuthority(this.folder, settings);
    try {
      await service.unlock(PASSPHRASE);
      return await work(service);
    } finally {
      await service.close();
    }
  }

  async unlock(): Promise<void> {
    expect(await this.service.unlock(PASSPHRASE)).toBe(true);
  }

  async signPolicy(name: string) {
    const draft = (await this.service.policies()).at(-1)!.row.note;
    const text = draft.slice(0, draft.indexOf("\n\n") + 1);
    // As an officer elsewhere would: from the text that the authority signed.
    const log = `${text}\n${draft.slice(text.length + 1).split("\n")[0]}\n`;
    return this.service.takePolicy(await addSignature(core, log, this.officers.get(name)!));
  }

  /** The hash of the newest note, which the next policy names. */
  async newest(): Promise<Uint8Array> {
    const authority = await verifyAuthority(core, await this.service.file());
    return chainBefore(authority, new Uint8Array()).newest;
  }

  async policy(): Promise<Policy> {
    return (await this.service.policy())!;
  }

  /** A sealed file and what it sends here. */
  file(options: { owner?: string; description?: string } = {}): Promise<TestFile> {
    return sealFor(this.service.authority, options);
  }

  /** Takes several submissions in, which are all in order. */
  async take(...submissions: Submission[]): Promise<Intake[]> {
    return allTaken(await this.service.intake(submissions));
  }

  /** Files that are taken in. */
  async files(count: number, options: { owner?: string } = {}): Promise<TestFile[]> {
    const files: TestFile[] = [];
    for (let i = 0; i < count; i++) files.push(await this.file(options));
    await this.take(...files.map(({ submission }) => submission));
    return files;
  }

  request(
    files: readonly TestFile[],
    options: Partial<Parameters<typeof makeRequest>[0]> = {},
  ): RecoveryRequest {
    return makeRequest({
      authority: this.service.authority.origin,
      requester: "Olivia Owner",
      recipient: newOwner.publicKey,
      records: files.map(({ record }) => record),
      ...options,
    });
  }

  async asked(files: readonly TestFile[], options: Parameters<Office["request"]>[1] = {}) {
    const request = this.request(files, options);
    const { id, hash } = await this.service.takeRequest(request);
    return { request, id, hash };
  }

  async word(
    name: string,
    request: RecoveryRequest,
    options: { decision?: "approve" | "deny"; expires?: Date; signer?: Signer } = {},
  ): Promise<string> {
    const signer = options.signer ?? this.officers.get(name)!;
    return signApproval(core, signer, request, (await this.policy()).hash, {
      decision: options.decision ?? "approve",
      identity: "known for years, called back",
      expires: options.expires,
    });
  }

  async approve(request: RecoveryRequest, ...names: string[]) {
    let standing: Awaited<ReturnType<AuthorityService["takeApproval"]>> | undefined;
    for (const name of names) {
      standing = await this.service.takeApproval(await this.word(name, request));
    }
    return standing!;
  }

  async leaves(): Promise<string[]> {
    return storeOf(this.service).leaves(0, 100_000);
  }

  /** How many leaves of each type there are. */
  async count(): Promise<Record<string, number>> {
    const count: Record<string, number> = {};
    for (const leaf of await this.leaves()) {
      const type = /^type (.*)$/m.exec(leaf)![1]!;
      count[type] = (count[type] ?? 0) + 1;
    }
    return count;
  }

  async remove(): Promise<void> {
    await this.service?.close();
    rmSync(this.#parent, { recursive: true, force: true });
  }
}

/** What became of several submissions. @throws the first error */
export function allTaken(results: readonly IntakeResult[]): Intake[] {
  return results.map((result) => {
    if ("error" in result) throw result.error;
    return result;
  });
}

/** As many records of one file, each with a wrap of its own that opens to nothing. */
export function copiesOf({ submission }: TestFile, count: number): Submission<FileRecord>[] {
  return Array.from({ length: count }, (_, i) => {
    const blind = new Uint8Array(32);
    new DataView(blind.buffer).setUint32(0, i);
    const simpleBlob = submission.wrap.simpleBlob.slice();
    // The lowest bytes of its block: it stays below n.
    new DataView(simpleBlob.buffer).setUint32(12, i);
    return {
      ...submission,
      record: { ...submission.record, blind },
      wrap: { ...submission.wrap, simpleBlob },
    };
  });
}

/**
 * What a suite makes its authorities with; they are removed after it.
 * @param options.isOpen whether their RSA keys are open
 */
export function useOffices({ isOpen = false, after = afterAll } = {}) {
  const made: Office[] = [];
  after(async () => {
    for (const one of made.splice(0)) await one.remove();
  });
  return async (options: OfficeOptions = {}): Promise<Office> => {
    const one = await Office.make(options);
    made.push(one);
    if (isOpen) await one.unlock();
    return one;
  };
}

/** Does something at another time than now. */
export async function at<T>(time: Date, work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ["Date"], now: time });
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

/** A sealed file, its session key, and what it sends to an authority. */
export interface TestFile {
  bytes: Uint8Array;
  sessionKey: Buffer;
  submission: Submission<FileRecord>;
  record: Uint8Array;
}

export async function sealFor(
  authority: Addressee,
  options: { owner?: string; description?: string } = {},
): Promise<TestFile> {
  return (await sealForAll([authority], options))[0]!;
}

/** One file for several authorities: for each what it sends there. */
export async function sealForAll(
  authorities: readonly Addressee[],
  options: { owner?: string; description?: string } = {},
): Promise<TestFile[]> {
  let sessionKey = Buffer.alloc(0);
  const submissions: Submission<FileRecord>[] = [];
  const sealed = await seal(Buffer.from("some text"), {
    to: [owner.publicKey],
    description: options.description ?? "some file",
    escrow: authorities.map(({ origin }) => origin),
    escrows: async ({ sessionKey: lent, ...file }) => {
      sessionKey = Buffer.from(lent);
      const id = options.owner ?? "olivia";
      for (const authority of authorities) {
        const about = { sessionKey: lent, authority, owner: id, file };
        submissions.push(await makeSubmission(core, about));
      }
      return submissions.map((submission) => ({ submission: submissionToJson(submission) }));
    },
  });
  const bytes = await sealed.bytes();
  return submissions.map((submission) => ({
    bytes,
    sessionKey,
    submission,
    record: recordHash(core, submission.record),
  }));
}

/** Opens an OAEP wrap with node:crypto. */
export function unwrap({ simpleBlob }: { simpleBlob: Uint8Array }, key: KeyObject): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const block = Buffer.from(simpleBlob).subarray(12).reverse();
  return privateDecrypt({ key, padding, oaepHash: "sha1" }, block);
}
