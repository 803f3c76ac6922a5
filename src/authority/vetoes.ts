import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import type { Veto } from "../escrow/index.js";
import { verifyNote } from "../escrow/note.js";
import { parseVeto, vetoHash } from "../escrow/veto.js";
import { tell } from "./events.js";
import type { Office } from "./office.js";
import { recordOfRow } from "./opening.js";
import { requirePolicy } from "./policies.js";
import { requestOfRow } from "./request-row.js";
import type { EnrolmentRow, RequestRow, StoreReads, VetoRow } from "./store/store.js";

// An enrolled owner's veto. It is verified again, from the note alone, whenever a decision is made.

/** A veto that verified, and the control key that signed it. */
export interface CountedVeto extends VetoRow {
  owner: string;
  /** Ed25519, 32 bytes. */
  control: Uint8Array;
}

/** The control key of an owner when a leaf came into the log: the newest before it. */
function controlAt(enrolments: readonly EnrolmentRow[], leaf: number): Uint8Array | undefined {
  return enrolments.filter((one) => one.leaf < leaf).at(-1)?.control;
}

/** The vetoes against a request. @throws TwinwrapError FAULT if one was altered */
export async function vetoesOf(
  core: Core,
  reads: StoreReads,
  { hash, id }: Pick<RequestRow, "hash" | "id">,
): Promise<CountedVeto[]> {
  const rows = await reads.vetoes(hash);
  const parsed = rows.map((row) => ({ row, veto: parseVeto(row.note) }));
  const enrolments = await reads.enrolments(parsed.map(({ veto }) => veto.owner));
  return Promise.all(
    parsed.map(async ({ row, veto: { owner, request } }, i) => {
      const control = controlAt(enrolments[i]!, row.leaf);
      const isRight =
        control !== undefined &&
        equalBytes(request, hash) &&
        (await isSigned(core, row.note, owner, control));
      if (isRight) return { ...row, owner, control };
      throw new TwinwrapError("FAULT", `a veto against request ${id} was altered`);
    }),
  );
}

async function isSigned(
  core: Core,
  note: string,
  owner: string,
  control: Uint8Array,
): Promise<boolean> {
  try {
    await verifyNote(core, note, [{ name: owner, publicKey: control }]);
    return true;
  } catch (error) {
    if (isAboutContent(error)) return false;
    throw error;
  }
}

/** The owners whose vetoes against a request verified. */
export async function ownersWhoVeto(
  core: Core,
  reads: StoreReads,
  row: Pick<RequestRow, "hash" | "id">,
): Promise<string[]> {
  return (await vetoesOf(core, reads, row)).map(({ owner }) => owner);
}

/**
 * Takes an owner's veto; one that they have given already is left as it is.
 * @returns the request
 * @throws TwinwrapError WRONG_AUTHORITY; NOT_FOUND; CLOSED if the request is over; NOT_ENTITLED if the owner is not
 *   enrolled, or none of the records is theirs; NOT_VERIFIED; FENCED; BAD_FORMAT
 */
export async function takeVeto(office: Office, note: string): Promise<RequestRow> {
  const { core, store, log, authority } = office;
  const veto = parseVeto(note);
  if (veto.authority !== authority.origin) {
    throw new TwinwrapError("WRONG_AUTHORITY", `it is for another authority, ${veto.authority}`);
  }
  return store.write(async (writes) => {
    const row = await writes.request(veto.request);
    if (row === undefined) {
      throw new TwinwrapError("NOT_FOUND", "it is for a request that is not here");
    }
    const owners = await checkVeto(office, writes, { note, veto, row });
    const known = await vetoesOf(core, writes, row);
    if (known.some(({ owner }) => owner === veto.owner)) return row;
    const end = await log.end(writes);
    if (row.status !== "open" || row.expires <= end.time) {
      throw new TwinwrapError("CLOSED", "the request is over: a veto does nothing any more");
    }
    const hash = vetoHash(core, note);
    const policy = await requirePolicy(office, writes);
    await end.append([{ type: "veto", request: row.hash, veto: hash }]);
    await writes.insertVeto({ hash, request: row.hash, note, leaf: end.next });
    const about = { request: row.id, policy: policy.number, leaf: end.next };
    await tell(writes, { kind: "veto", time: end.time, ...about, owners, policies: [policy] });
    return row;
  });
}

/** @returns the owners of the request's records @throws TwinwrapError NOT_ENTITLED, NOT_VERIFIED */
async function checkVeto(
  { core }: Office,
  reads: StoreReads,
  { note, veto, row }: { note: string; veto: Veto; row: RequestRow },
): Promise<string[]> {
  const [enrolments] = await reads.enrolments([veto.owner]);
  const control = enrolments!.at(-1)?.control;
  if (control === undefined) {
    throw new TwinwrapError("NOT_ENTITLED", `${veto.owner} has no control key here`);
  }
  if (!(await isSigned(core, note, veto.owner, control))) {
    throw notVerified(`the control key of ${veto.owner} has not signed it`);
  }
  const { records } = requestOfRow(core, row);
  const rows = await reads.recordsByHash(records);
  const owners = rows.flatMap((record) =>
    record === undefined ? [] : [recordOfRow(core, record).owner],
  );
  if (owners.includes(veto.owner)) return owners;
  throw new TwinwrapError("NOT_ENTITLED", `no record of this request is one of ${veto.owner}`);
}
