import { RECORD_STATUSES, REQUEST_STATUSES } from "../escrow/index.js";

// JSON schemas of parameters and answers. Bodies are messages: each has a strict reader of its own.

/** A JSON schema. */
export type Schema = { readonly [member: string]: unknown };

/** One answer of a route. */
export interface Answered {
  description: string;
  type?: string;
  schema?: Schema;
}

export const json = (description: string, schema: Schema = { type: "object" }): Answered => ({
  description,
  type: "application/json",
  schema,
});
export const text = (description: string): Answered => ({
  description,
  type: "text/plain",
  schema: { type: "string" },
});
export const bytes = (description: string): Answered => ({
  description,
  type: "application/octet-stream",
  schema: { type: "string", format: "binary" },
});
export const nothing = (description: string): Answered => ({ description });

const object = (properties: Schema, ...optional: string[]): Schema => ({
  type: "object",
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});
const list = (items: Schema): Schema => ({ type: "array", items });
const TEXT: Schema = { type: "string" };
const TIME: Schema = { type: "string", format: "date-time" };
const HASH: Schema = { type: "string", description: "base64url of 32 bytes" };
const WHOLE: Schema = { type: "integer", minimum: 0 };
const words = (values: readonly string[]): Schema => ({ type: "string", enum: values });

const query = (properties: Schema): Schema => ({
  type: "object",
  additionalProperties: false,
  properties,
});
const LIMIT: Schema = { type: "integer", minimum: 1, maximum: 1000 };

export const RECORD_QUERY = query({
  serial: { type: "string", description: "32 hexadecimal digits" },
  label: TEXT,
  owner: TEXT,
  fingerprint: { type: "string", description: "of a key: 64 hexadecimal digits" },
  status: words(RECORD_STATUSES),
  from: TIME,
  before: TIME,
  text: TEXT,
  limit: LIMIT,
  cursor: TEXT,
});
export const REQUEST_QUERY = query({
  status: words(REQUEST_STATUSES),
  after: TIME,
  until: TIME,
  limit: LIMIT,
  cursor: TEXT,
});
export const ENROL_QUERY = query({ owner: TEXT });

export const PROBLEM = object({
  code: TEXT,
  detail: TEXT,
  status: { type: "integer" },
  title: TEXT,
});
export const RECORD = object(
  {
    record: { type: "object", description: "as it was handed in" },
    status: words(RECORD_STATUSES),
    wraps: list(object({ alg: TEXT, fingerprint: HASH })),
    escrow: WHOLE,
    verified: WHOLE,
  },
  "escrow",
  "verified",
);
const page = (items: Schema) => object({ rows: list(items), next: TEXT }, "next");
export const RECORD_PAGE = page(RECORD);
export const REQUEST_PAGE = page(
  object({
    id: TEXT,
    status: words(REQUEST_STATUSES),
    received: TIME,
    expires: TIME,
    requester: TEXT,
    records: WHOLE,
  }),
);
export const STANDING = object({
  request: { type: "object", description: "as it was handed in" },
  status: words(REQUEST_STATUSES),
  requested: object({ leaf: TEXT, proof: TEXT }),
  approvals: list(TEXT),
  vetoes: list(object({ note: TEXT, control: HASH })),
  enrolled: list(TEXT),
  records: list(RECORD),
});
export const SUBMITTED_ONE = object(
  { record: HASH, status: { type: "integer" }, receipt: { type: "object" }, error: PROBLEM },
  "receipt",
  "error",
);
export const SUBMITTED: Schema = { oneOf: [SUBMITTED_ONE, list(SUBMITTED_ONE)] };
export const WAITING = object(
  { for: words(["approvals", "notbefore", "key"]), detail: TEXT, notbefore: TIME },
  "notbefore",
);
export const TOKEN = object({ scopes: list(TEXT), owner: TEXT, expires: TIME }, "owner", "expires");
export const POLICIES = object({ policies: list(TEXT) });
