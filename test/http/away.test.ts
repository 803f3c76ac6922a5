import { encodeSubmission } from "twinwrap/escrow";
import { afterAll, expect, test } from "vitest";
import { build } from "#build/http/server.js";
import { Office } from "../authority/office.js";
import { havePostgres, PostgresServer } from "../postgres.js";

// The database is away for a while: callers are told to come back, and then it goes on.

const made: Office[] = [];
let server: PostgresServer | undefined;
afterAll(async () => {
  for (const office of made) await office.remove();
  await server?.end();
  server?.remove();
});

test.skipIf(!havePostgres)(
  "while the database is away calls are 503 with Retry-After; then the same process goes on",
  async () => {
    server = await PostgresServer.start();
    const office = await Office.make({ store: { url: server.url, schema: "away" } });
    made.push(office);
    await office.unlock();
    const { text } = await office.service.addToken({ scopes: ["submit", "read"] });
    const app = await build({ service: office.service });
    const call = (method: "GET" | "POST", url: string, payload?: Uint8Array) =>
      app.inject({
        method,
        url,
        headers: {
          authorization: `Bearer ${text}`,
          ...(payload === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(payload === undefined ? {} : { payload: Buffer.from(payload) }),
      });
    const { submission, record } = await office.file();
    const receipt = `/v1/records/${Buffer.from(record).toString("hex")}/receipt`;
    await server.end("immediate");
    for (const ask of [
      () => call("POST", "/v1/records", encodeSubmission(submission)),
      () => call("GET", receipt),
      () => call("GET", "/v1/authority"),
      () => call("GET", "/readyz"),
    ]) {
      const answer = await ask();
      expect(answer.statusCode).toBe(503);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
      expect(answer.json()).toMatchObject({ code: "UNAVAILABLE", status: 503 });
      // Where the database is, is nobody's affair outside.
      expect(answer.body).not.toMatch(/127\.0\.0\.1|postgres|ECONN/i);
    }
    expect((await call("GET", "/healthz")).statusCode).toBe(200);
    await server.begin();
    const taken = await call("POST", "/v1/records", encodeSubmission(submission));
    expect(taken.statusCode).toBe(201);
    expect((await call("GET", receipt)).statusCode).toBe(200);
    expect((await call("GET", "/readyz")).statusCode).toBe(200);
    await app.close();
    await office.service.verifyLog();
  },
);
