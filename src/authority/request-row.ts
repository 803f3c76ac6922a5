import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import type { RecoveryRequest } from "../escrow/index.js";
import { decodeRequest, requestHash, requestId } from "../escrow/request.js";
import type { RequestRow } from "./store/store.js";

/** A stored request, from the bytes that its hash names. @throws TwinwrapError FAULT if it was altered */
export function requestOfRow(core: Core, row: RequestRow): RecoveryRequest {
  let request: RecoveryRequest | undefined;
  try {
    request = decodeRequest(row.bytes);
  } catch (error) {
    if (!isAboutContent(error)) throw error;
  }
  const isRight =
    request !== undefined &&
    equalBytes(requestHash(core, request), row.hash) &&
    // Officers were told the ID. It is made from the hash, whatever the store says.
    requestId(row.hash) === row.id &&
    request.expires.getTime() === row.expires.getTime();
  if (isRight) return request!;
  throw new TwinwrapError("FAULT", `the stored request ${row.id} was altered`);
}
