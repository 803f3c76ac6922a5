import { equalBytes, toBase64Url, toHex } from "../bytes.js";
import { readWrap, type Wrap, wrapToJson } from "../envelope/header.js";
import { TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, type Json, Members } from "../jcs.js";
import {
  decodeLeaf,
  MAX_LEAF,
  MAX_RECORD_LEAF,
  type ReleaseLeaf,
  type RequestLeaf,
} from "./leaf.js";
import { MAX_PROOF } from "./receipt.js";
import {
  MAX_RECORDS,
  MAX_REQUEST_VALUES,
  type RecoveryRequest,
  requestFromJson,
  requestToJson,
} from "./request.js";

// The authority's answer to an approved request: session keys, wrapped for the recipient, each with
// the leaf that the release put into the log and the proof that it is there.

const TYPE = "twinwrap/release/v1";
/** Bytes of a release at most. */
export const MAX_RELEASE = 32 << 20;

/** Values in the JSON of a release: the request, and for every key an object with a wrap of three members. */
const MAX_VALUES = 2 * MAX_REQUEST_VALUES + 12 * MAX_RECORDS;

/** One session key, released. */
export interface ReleasedKey {
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** The session key for the request's recipient. */
  wrap: Wrap;
  /** As it stands in the log; {@link releaseLeaf} reads it. */
  leaf: string;
  /** C2SP tlog-proof. */
  proof: string;
}

/** A leaf, and the proof that it is in the log. */
export interface ProvenLeaf {
  /** As it stands in the log. */
  leaf: string;
  /** C2SP tlog-proof. */
  proof: string;
}

export interface Release {
  request: RecoveryRequest;
  /** That the request was taken in; {@link requestLeaf} reads it. Its proof leads where those of the releases do. */
  requested: ProvenLeaf;
  /** In the order of the request's records; what could not be released is missing. */
  releases: ReleasedKey[];
}

/** The bytes of a release file. @throws TwinwrapError LIMIT_EXCEEDED if they are over 32 MiB */
export function encodeRelease({ request, requested, releases }: Release): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs({
    releases: releases.map(({ record, wrap, leaf, proof }) => ({
      leaf,
      proof,
      record: toBase64Url(record),
      wrap: wrapToJson(wrap),
    })),
    request: requestToJson(request),
    requested: { leaf: requested.leaf, proof: requested.proof },
    type: TYPE,
  });
  if (bytes.length <= MAX_RELEASE) return bytes;
  throw new TwinwrapError("LIMIT_EXCEEDED", `a release of more than ${MAX_RELEASE} bytes`);
}

function readReleased(item: Json, where: string): ReleasedKey {
  const members = new Members(item, where);
  const wrapMembers = members.members("wrap");
  const released: ReleasedKey = {
    record: members.bytes("record", 32),
    wrap: readWrap(wrapMembers),
    leaf: members.text("leaf", MAX_RECORD_LEAF),
    proof: members.text("proof", MAX_PROOF),
  };
  wrapMembers.end();
  members.end();
  releaseLeaf(released);
  return released;
}

/**
 * @param check gets the JSON first
 * @throws TwinwrapError BAD_FORMAT; BAD_KEY or WEAK_KEY for the recipient; what `check` throws
 */
export function decodeRelease(bytes: Uint8Array, check?: (json: Json) => void): Release {
  const json = decodeJcs(bytes, MAX_RELEASE, MAX_VALUES);
  check?.(json);
  const members = new Members(json, "release");
  members.exactly("type", TYPE);
  const request = requestFromJson(members.json("request"));
  const requested = readRequested(members.members("requested"));
  const releases = members.list("releases", request.records.length, readReleased);
  members.end();
  let at = 0;
  for (const { record } of releases) {
    while (at < request.records.length && !equalBytes(request.records[at]!, record)) at++;
    if (at++ === request.records.length) {
      throw new TwinwrapError(
        "BAD_FORMAT",
        `release: ${toHex(record)} is not in its place among the request's records`,
      );
    }
  }
  return { request, requested, releases };
}

function readRequested(members: Members): ProvenLeaf {
  const requested = {
    leaf: members.text("leaf", MAX_LEAF),
    proof: members.text("proof", MAX_PROOF),
  };
  members.end();
  requestLeaf({ requested });
  return requested;
}

/** What the leaf of the request says. @throws TwinwrapError BAD_FORMAT */
export function requestLeaf({ requested }: Pick<Release, "requested">): RequestLeaf {
  const decoded = decodeLeaf(requested.leaf);
  if (decoded.type === "request") return decoded;
  throw new TwinwrapError("BAD_FORMAT", "release: a leaf that is not one of a request");
}

/** What the leaf of a released key says. @throws TwinwrapError BAD_FORMAT */
export function releaseLeaf({ leaf }: Pick<ReleasedKey, "leaf">): ReleaseLeaf {
  const decoded = decodeLeaf(leaf);
  if (decoded.type === "release") return decoded;
  throw new TwinwrapError("BAD_FORMAT", "release: a leaf that is not one of a release");
}
