import { toBase64Url, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { encodeNotes, encodeTokenInfo } from "../escrow/answers.js";
import { encodeAuthority } from "../escrow/identity.js";
import { encodeOwnerFile, readControlPublicKey } from "../escrow/owner-file.js";
import { parseTilePath } from "../escrow/tiles.js";
import { notTheirs } from "./admission.js";
import { type Answer, type Call, messageIn, TEXT_TYPE } from "./answer.js";
import { HttpProblem } from "./problems.js";

// What an authority says of itself: its identity, its policies, its log; and who is enrolled with it.

/** authority.json, as everybody has it. */
export async function authority({ service, request }: Call): Promise<Answer> {
  const body = encodeAuthority(await service.file());
  const etag = `"${toBase64Url(service.core.sha256(body))}"`;
  const headers = { etag, "cache-control": "no-cache" };
  if (request.headers["if-none-match"] === etag) return { status: 304, headers, body: "" };
  return { headers, body };
}

export async function policies({ client }: Call): Promise<Answer> {
  return { body: encodeNotes(await client.policies()) };
}

export async function takePolicy(call: Call): Promise<Answer> {
  const { note } = messageIn(call, "policy");
  return { type: TEXT_TYPE, body: await call.client.takePolicy(note) };
}

/**
 * Enrols the owner that the token is bound to, with the control key in the body (PEM): once. An administrator enrols
 * anybody, and replaces keys.
 */
export async function enrol(call: Call): Promise<Answer> {
  const { service, token, query, body } = call;
  const isAdmin = token!.scopes.includes("admin");
  const owner = query.owner === undefined ? token!.owner : String(query.owner);
  if (owner === undefined) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "whom? The token is bound to no owner, and ?owner= is not given",
    );
  }
  if (token!.owner !== undefined && token!.owner !== owner) throw notTheirs();
  if (token!.owner === undefined && !isAdmin) {
    throw new HttpProblem(
      "FORBIDDEN",
      "enrolling takes a token that is bound to the owner, or one of scope admin",
    );
  }
  const control = readControlPublicKey(body);
  const enrolled = await service.enrolOwner(owner, control, { mayReplace: isAdmin });
  const { origin, fingerprint } = service.authority;
  const file = encodeOwnerFile({ authority: origin, fingerprint, owner, secret: enrolled.secret });
  wipe(enrolled.secret);
  return { status: enrolled.result === "present" ? 200 : 201, body: file, headers: NOT_KEPT };
}

/** What the caller's token is for. */
export async function tokenInfo({ token }: Call): Promise<Answer> {
  const { scopes, owner, expires } = token!;
  return { body: encodeTokenInfo({ scopes: [...scopes], owner, expires }) };
}

const NOT_KEPT = { "cache-control": "no-store" };
/** A tile never changes. */
const FOR_EVER = { "cache-control": "public, max-age=31536000, immutable" };
/** Seconds for which a checkpoint may be shown again. */
const CHECKPOINT_AGE = 1;

function noSuchLog(): TwinwrapError {
  return new TwinwrapError("NOT_FOUND", "there is no such log, or it is not as long");
}

/** The number of a log in a path. */
function logIn({ params }: Call): number {
  if (!/^(0|[1-9]\d{0,3})$/.test(params.log!)) throw noSuchLog();
  return Number(params.log);
}

export async function checkpoint(call: Call): Promise<Answer> {
  const note = await call.service.checkpointOf(logIn(call));
  if (note === undefined) throw noSuchLog();
  const headers = { "cache-control": `public, max-age=${CHECKPOINT_AGE}` };
  return { type: TEXT_TYPE, headers, body: note };
}

export async function tile(call: Call): Promise<Answer> {
  const name = parseTilePath(call.params["*"]!);
  if (name === undefined) throw noSuchLog();
  const bytes = await call.service.tile({ log: logIn(call), ...name });
  if (bytes === undefined) throw noSuchLog();
  return { type: "application/octet-stream", headers: FOR_EVER, body: bytes };
}
