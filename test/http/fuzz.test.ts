import { readFileSync } from "node:fs";
import fc from "fast-check";
import { encodeRequest } from "twinwrap/escrow";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Office } from "../authority/office.js";
import { isQuick } from "../quick.js";
import {
  bodyOf,
  closeServices,
  hex,
  type Served,
  serveOffice,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// Calls made at random along the service's own description: none fails inside, and every refusal is a problem as the
// document has it.

type Schema = {
  type?: string;
  enum?: string[];
  format?: string;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
};
interface Operation {
  parameters?: { name: string; in: "query" | "path"; schema: Schema }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
const { paths } = JSON.parse(
  readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"),
) as { paths: Record<string, Record<string, Operation>> };
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

const office = useOpenOffices();
afterAll(closeServices);
let one: Office;
let served: Served;
let tokens: string[];
let known: { hash: string; id: string; bodies: Buffer[] };
beforeAll(async () => {
  one = await office();
  served = await serveOffice(one, { limits: { calls: 1e9, submissions: 1e9 }, times: { slow: 0 } });
  const all = ["submit", "recover", "read", "officer", "admin"] as const;
  tokens = [
    await tokenFor(one, [...all]),
    await tokenFor(one, [...all], { owner: "olivia" }),
    await tokenFor(one, "read", { owner: "mallory" }),
    "twinwrap_x",
  ];
  const [file] = await one.files(1);
  const { request, id } = await one.asked([file!]);
  const texts = [await one.word("ann", request), (await one.service.policies())[0]!.row.note];
  const bodies = [
    bodyOf(file!),
    Buffer.from(encodeRequest(request)),
    ...texts.map((text) => Buffer.from(text)),
  ];
  known = { hash: hex(file!.record), id, bodies };
});

/** Values that fit a schema, and values that don't. */
function someOf(name: string, { enum: words, format, type, minimum, maximum }: Schema) {
  const fitting: fc.Arbitrary<string>[] = [fc.constant(name)];
  if (words !== undefined) fitting.push(fc.constantFrom(...words));
  if (format === "date-time") {
    fitting.push(
      fc
        .date({ min: new Date(0), max: new Date("9999-01-01"), noInvalidDate: true })
        .map((time) => `${time.toISOString().slice(0, 19)}Z`),
    );
  }
  if (type === "integer")
    fitting.push(fc.integer({ min: minimum ?? 0, max: maximum ?? 9 }).map(String));
  if (name === "hash" || name === "fingerprint") {
    fitting.push(fc.constantFrom("known"), hexOf(32));
  }
  if (name === "id") fitting.push(fc.constant("known"), fc.stringMatching(/^[a-z2-7]{26}$/));
  if (name === "serial") fitting.push(hexOf(16));
  if (name === "log") fitting.push(fc.nat(2000).map(String));
  if (name === "tile")
    fitting.push(fc.stringMatching(/^(entries|\d\d?)\/(x\d{3}\/)?\d{3}(\.p\/\d{1,3})?$/));
  if (name === "cursor")
    fitting.push(fc.nat().map(String), fc.stringMatching(/^-?\d{1,15} \d{1,16}$/));
  return fc.oneof(
    { weight: 3, arbitrary: fc.oneof(...fitting) },
    fc.string({ unit: "binary" }),
    fc.string(),
  );
}
const hexOf = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => hex(bytes));

/** A known body in which some bytes are others, some are gone, or some are more. */
const bodies = fc.oneof(
  fc.record({
    of: fc.nat(3),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(3),
    put: fc.uint8Array({ maxLength: 4 }),
  }),
  fc.json().map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

const calls = fc.constantFrom(...operations).chain(({ path, method, operation }) =>
  fc.record({
    path: fc.constant(path),
    method: fc.constant(method.toUpperCase()),
    operation: fc.constant(operation),
    values: fc.record(
      Object.fromEntries(
        (operation.parameters ?? []).map(({ name, in: where, schema }) => [
          name,
          where === "path"
            ? someOf(name, schema)
            : fc.option(someOf(name, schema), { nil: undefined }),
        ]),
      ),
    ),
    extra: fc.option(fc.tuple(fc.string(), fc.string()), { nil: undefined, freq: 9 }),
    token: fc.nat(4),
    body: bodies,
    type: fc.constantFrom(
      "application/json",
      "text/plain",
      "application/octet-stream",
      "text/html",
    ),
  }),
);

test("no call fails inside, and every refusal is a problem", async () => {
  const problem =
    operations[0]!.operation.responses.default!.content!["application/problem+json"]!.schema;
  await fc.assert(
    fc.asyncProperty(
      calls,
      async ({ path, method, operation, values, extra, token, body, type }) => {
        const given = values as Record<string, string | undefined>;
        const query = new URLSearchParams(extra === undefined ? [] : [extra]);
        let url = path;
        for (const { name, in: where } of operation.parameters ?? []) {
          const value =
            given[name] === "known" ? (name === "id" ? known.id : known.hash) : given[name];
          if (value === undefined) continue;
          if (where === "path")
            url = url.replace(
              `{${name}}`,
              name === "tile" ? encodeURI(value) : encodeURIComponent(value),
            );
          else query.append(name, value);
        }
        const bytes = () => {
          if (body instanceof Uint8Array) return body;
          const whole = known.bodies[body.of]!;
          const at = Math.floor(body.at * whole.length);
          return Buffer.concat([whole.subarray(0, at), body.put, whole.subarray(at + body.cut)]);
        };
        const got = await served.app.inject({
          method: method as "GET",
          url: `${url}${query.size === 0 ? "" : `?${query}`}`,
          headers: {
            ...(tokens[token] === undefined ? {} : { authorization: `Bearer ${tokens[token]}` }),
            ...(method === "POST" ? { "content-type": type } : {}),
          },
          ...(method === "POST" ? { payload: bytes() } : {}),
        });
        const where = `${method} ${url} ${got.statusCode}`;
        // The one thing that can't be done now: the key is open, the store is there.
        expect(got.statusCode, where).toBeLessThan(500);
        if (got.statusCode < 400) {
          expect(Object.keys(operation.responses), where).toContain(String(got.statusCode));
          return;
        }
        expect(got.headers["content-type"], where).toBe("application/problem+json");
        const told = got.json() as Record<string, unknown>;
        expect(Object.keys(told).sort()).toEqual([...problem.required!].sort());
        for (const [name, { type: kind }] of Object.entries(problem.properties!)) {
          expect(typeof told[name]).toBe(kind === "integer" ? "number" : "string");
        }
        expect(told.status).toBe(got.statusCode);
        expect(told.code).toMatch(/^[A-Z_]+$/);
      },
    ),
    { numRuns: isQuick ? 300 : 5_000 },
  );
  expect((await served.ask("/readyz")).text).toBe("ready\n");
  expect(served.log.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  await one.service.verifyLog();
});
