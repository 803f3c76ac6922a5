import type { Padding, Wrap } from "../../envelope/index.js";
import type { RecordStatus, RequestStatus } from "../../escrow/authority-client.js";
import type { Scope } from "../scopes.js";
import { indexOf, logOf } from "./place.js";
import type { Row } from "./sql.js";
import type {
  ApprovalRow,
  Candidate,
  DeliveryRow,
  DeliveryState,
  EnrolmentRow,
  LogHead,
  Means,
  NoteRow,
  ReceiverRole,
  ReceiverRow,
  RecordRow,
  ReleaseRow,
  RequestRow,
  TokenRow,
  VetoRow,
} from "./store.js";

// What columns hold, and the rows that are made of them.

/** A text in the form used for searching: case and the composition of accents make no difference. */
export function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

export function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** The driver's Buffer as plain bytes. */
export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column] as Uint8Array;
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.length);
}

export function number(row: Row, column: string): number | undefined {
  return (row[column] as number | null) ?? undefined;
}

export function text(row: Row, column: string): string {
  return row[column] as string;
}

export function optionalText(row: Row, column: string): string | undefined {
  return (row[column] as string | null) ?? undefined;
}

export function time(row: Row, column: string): Date {
  return new Date((row[column] as number) * 1000);
}

export function wrapOf(row: Row): Wrap {
  return {
    fingerprint: bytes(row, "fingerprint"),
    padding: text(row, "padding") as Padding,
    simpleBlob: bytes(row, "simple_blob"),
  };
}

/** A wrap without a tag has an empty one there: it is a part of the key. */
export function candidateOf(row: Row): Candidate {
  const tag = bytes(row, "tag");
  return { tag: tag.length === 0 ? undefined : tag, wrap: wrapOf(row) };
}

export function tokenOf(row: Row): TokenRow {
  const optionalTime = (column: string) =>
    number(row, column) === undefined ? undefined : time(row, column);
  return {
    hash: bytes(row, "hash"),
    scopes: text(row, "scopes").split(" ") as Scope[],
    owner: optionalText(row, "owner"),
    created: time(row, "created"),
    expires: optionalTime("expires"),
    revoked: optionalTime("revoked"),
  };
}

export function headOf(row: Row): LogHead {
  const place = number(row, "place")!;
  return {
    log: logOf(place),
    size: indexOf(place),
    root: bytes(row, "root"),
    checkpoint: text(row, "note"),
  };
}

export function recordOf(row: Row): RecordRow {
  const first = number(row, "leaf")!;
  const verifiedLeaf = number(row, "verified_leaf");
  return {
    hash: bytes(row, "hash"),
    owner: text(row, "owner"),
    serial: bytes(row, "serial"),
    description: optionalText(row, "description"),
    label: optionalText(row, "label"),
    created: time(row, "created"),
    record: bytes(row, "content"),
    status: text(row, "status") as RecordStatus,
    escrowLeaf: first === verifiedLeaf ? undefined : first,
    verifiedLeaf,
  };
}

export function requestOf(row: Row): RequestRow {
  return {
    hash: bytes(row, "hash"),
    id: text(row, "id"),
    bytes: bytes(row, "bytes"),
    status: text(row, "status") as RequestStatus,
    expires: time(row, "expires"),
    leaf: number(row, "leaf")!,
  };
}

export function approvalOf(row: Row): ApprovalRow {
  return {
    hash: bytes(row, "hash"),
    request: bytes(row, "request"),
    note: text(row, "note"),
    denialLeaf: number(row, "denial_leaf"),
  };
}

export function vetoOf(row: Row): VetoRow {
  return {
    hash: bytes(row, "hash"),
    request: bytes(row, "request"),
    note: text(row, "note"),
    leaf: number(row, "leaf")!,
  };
}

export function enrolmentOf(row: Row): EnrolmentRow {
  return {
    owner: text(row, "owner"),
    control: bytes(row, "control"),
    leaf: number(row, "leaf")!,
  };
}

export function releaseOf(row: Row): ReleaseRow {
  return {
    request: bytes(row, "request"),
    record: bytes(row, "hash"),
    wrap: wrapOf(row),
    leaf: number(row, "leaf")!,
  };
}

export function noteOf(row: Row): NoteRow {
  return {
    number: number(row, "number")!,
    hash: bytes(row, "hash"),
    note: text(row, "note"),
    announceLeaf: number(row, "announce_leaf"),
    leaf: number(row, "leaf"),
  };
}

export function receiverOf(row: Row): ReceiverRow {
  return {
    id: text(row, "id"),
    role: text(row, "role") as ReceiverRole,
    name: optionalText(row, "name"),
    means: text(row, "means") as Means,
    address: text(row, "address"),
    secret: row.secret === null ? undefined : bytes(row, "secret"),
    created: time(row, "created"),
  };
}

/** Of a receiver's columns, a delivery's, and an event's, of which id is event_id. */
export function deliveryOf(row: Row): DeliveryRow {
  return {
    receiver: receiverOf(row),
    event: {
      number: number(row, "event")!,
      id: text(row, "event_id"),
      kind: text(row, "kind"),
      time: time(row, "time"),
      content: text(row, "content"),
    },
    state: text(row, "state") as DeliveryState,
    attempts: number(row, "attempts")!,
    due: new Date(number(row, "due")!),
    reason: optionalText(row, "reason"),
  };
}
