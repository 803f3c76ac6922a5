import { Writable } from "node:stream";
import { pino } from "pino";
import { encodeRequest } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { build } from "#build/http/server.js";
import { core, Office, owner, sealFor, type TestFile } from "../authority/office.js";
import {
  bodyOf,
  call,
  closeServices,
  JSON_BODY,
  listOf,
  raw,
  serveOffice,
  TEXT_BODY,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// What one caller may use, what answers tell of wraps, and what stands in the log.

const office = useOpenOffices();
afterAll(closeServices);
let one: Office;
beforeAll(async () => {
  one = await office();
});

describe("too many", () => {
  test("calls in a minute of one token, or of one address, are told to wait, and others are not", async () => {
    const served = await serveOffice(one, { limits: { calls: 3 } });
    const [a, b] = [await tokenFor(one, "read"), await tokenFor(one, "read")];
    for (let i = 0; i < 3; i++)
      expect((await served.ask("/v1/records", { token: a })).status).toBe(200);
    const got = await served.ask("/v1/records", { token: a });
    expect([got.status, got.json.code]).toEqual([429, "BUSY"]);
    const seconds = Number(got.headers["retry-after"]);
    expect([Number.isInteger(seconds), seconds > 0, seconds <= 60]).toEqual([true, true, true]);
    expect((await served.ask("/v1/records", { token: b })).status).toBe(200);
    for (let i = 0; i < 3; i++) expect((await served.ask("/v1/authority")).status).toBe(200);
    expect((await served.ask("/log/0/checkpoint")).status).toBe(429);
    expect((await served.ask("/nothing")).status).toBe(429);
    // Whoever asks whether it lives is answered.
    for (let i = 0; i < 5; i++) expect((await served.ask("/healthz")).status).toBe(200);
    expect((await served.ask("/readyz")).status).toBe(200);
  });

  test("submissions in a minute are told to wait, and none of them is taken in", async () => {
    const served = await serveOffice(one, { limits: { submissions: 5 } });
    const [a, b] = [await tokenFor(one, "submit"), await tokenFor(one, "submit")];
    const files: TestFile[] = [];
    for (let i = 0; i < 8; i++) files.push(await one.file());
    const submit = (token: string, ...some: TestFile[]) =>
      served.ask("/v1/records", { token, headers: JSON_BODY, body: listOf(...some) });
    expect((await submit(a, ...files.slice(0, 4))).status).toBe(200);
    const before = await one.leaves();
    const got = await submit(a, ...files.slice(4, 6));
    expect([got.status, got.json.code]).toEqual([429, "BUSY"]);
    expect(Number(got.headers["retry-after"])).toBeGreaterThan(0);
    expect(await one.leaves()).toEqual(before);
    expect(await one.service.recordsByHash(files.slice(4, 6).map(({ record }) => record))).toEqual(
      [],
    );
    // What there is room for is taken, of another token too; and a list is never too long for ever.
    expect((await submit(a, files[4]!)).status).toBe(200);
    expect((await submit(b, ...files)).status).toBe(200);
  });
});

test("records that nobody has opened yet take no more of the store than a token's share", async () => {
  const locked = await Office.make();
  const sealed = (count: number) => Promise.all(Array.from({ length: count }, () => locked.file()));
  const served = await serveOffice(locked, { limits: { unverified: 3 } });
  const [a, b] = [await tokenFor(locked, "submit"), await tokenFor(locked, "submit")];
  const submit = (token: string, ...some: TestFile[]) =>
    served.ask("/v1/records", { token, headers: JSON_BODY, body: listOf(...some) });
  const files = await sealed(9);
  expect((await submit(a, ...files.slice(0, 2))).status).toBe(200);
  // What is there already takes no room.
  for (let i = 0; i < 5; i++) expect((await submit(a, files[0]!)).status).toBe(200);
  const before = await locked.leaves();
  const got = await submit(a, ...files.slice(2, 4));
  expect([got.status, got.json.code]).toEqual([429, "BACKLOG"]);
  expect(Number(got.headers["retry-after"])).toBeGreaterThan(0);
  expect(await locked.leaves()).toEqual(before);
  expect((await submit(a, files[2]!)).status).toBe(200);
  expect((await submit(b, ...files.slice(3, 6))).status).toBe(200);
  expect((await submit(a, files[6]!)).status).toBe(429);
  // Once another process has opened them there is room again.
  await locked.elsewhere({}, (service) => service.verifyWaiting());
  expect((await submit(a, ...files.slice(6, 9))).status).toBe(200);
  expect((await submit(a, files[3]!, (await sealed(1))[0]!)).status).toBe(429);
  // While the key is open nothing waits.
  await locked.unlock();
  expect((await submit(a, ...(await sealed(5)))).status).toBe(200);
  await locked.remove();
});

describe("of wraps that do not open", () => {
  test("nothing tells why: the same answer, by the same work", async () => {
    const served = await serveOffice(one);
    const token = await tokenFor(one, "submit");
    const submit = (body: Buffer) => served.ask("/v1/records", { token, headers: JSON_BODY, body });
    const [mine, foreign] = [await one.file(), await one.file()];
    const blob = mine.submission.wrap.simpleBlob;
    const changed = (change: (blob: Uint8Array<ArrayBuffer>) => void) => {
      const simpleBlob = new Uint8Array(blob);
      change(simpleBlob);
      return {
        ...mine,
        submission: { ...mine.submission, wrap: { ...mine.submission.wrap, simpleBlob } },
      };
    };
    const { origin, wrapKey } = one.service.authority;
    // Of the right key with the other padding, and named as if it had the one that is taken.
    const other = one.service.authority.padding === "oaep" ? "pkcs1-v1_5" : "oaep";
    const padded = await sealFor({ origin, wrapKey, padding: other });
    const odd = { ...padded.submission.wrap, padding: one.service.authority.padding };
    const bad: Record<string, TestFile> = {
      "the wrap of another file": {
        ...mine,
        submission: { ...mine.submission, wrap: foreign.submission.wrap },
      },
      "another padding": { ...padded, submission: { ...padded.submission, wrap: odd } },
      "its first byte changed": changed((bytes) =>
        bytes.set([bytes[blob.length - 2]! ^ 1], blob.length - 2),
      ),
      "its last byte changed": changed((bytes) => bytes.set([bytes[12]! ^ 1], 12)),
      "another tag": { ...mine, submission: { ...mine.submission, tag: new Uint8Array(32) } },
      "another tag's": { ...mine, submission: { ...mine.submission, tag: foreign.submission.tag } },
    };
    const key = core.rsaPrivateKey(owner.privateKey);
    const spied = [Object.getPrototypeOf(core), Object.getPrototypeOf(key)] as Record<
      string,
      never
    >[];
    key.dispose();
    let work: string[] = [];
    for (const prototype of spied) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
        if (typeof value !== "function" || name === "constructor") continue;
        const spy = vi.spyOn(prototype as Record<string, () => void>, name);
        spy.mockImplementation(function (this: never, ...all: never[]) {
          work.push(name);
          return (value as (...all: never[]) => never).apply(this, all);
        } as never);
      }
    }
    try {
      // Whoever comes first after another authority's key was used here has this one's loaded.
      expect((await submit(bodyOf(await one.file()))).status).toBe(201);
      const seen = new Map<string, string[]>();
      for (const [name, file] of Object.entries(bad)) {
        work = [];
        const got = await submit(bodyOf(file));
        const { "content-length": length, "content-type": type } = got.headers;
        const shape = JSON.stringify([got.status, type, length, got.text, work]);
        seen.set(shape, [...(seen.get(shape) ?? []), name]);
        expect([name, got.status, got.json.code]).toEqual([name, 422, "DECRYPTION_FAILED"]);
        expect(work).toContain("unwrapKey");
      }
      // Were they told apart, there would be more than one.
      expect([...seen.values()]).toEqual([Object.keys(bad)]);
    } finally {
      vi.restoreAllMocks();
    }
    const good = await submit(bodyOf(mine));
    expect([good.status, Object.keys(good.json)]).toEqual([201, ["receipt", "record", "status"]]);
  });
});

describe("the log", () => {
  test("has nothing in it that is secret, or about a person", async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk, _, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const logger = pino({ level: "trace" }, stream);
    const app = await build({ service: one.service, logger, limits: { calls: 40 } });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    const MARK = "Zq7marker";
    const token = await tokenFor(one, ["submit", "recover", "read", "officer", "admin"]);
    const ask = (path: string, given: Parameters<typeof call>[1] = {}) =>
      call(`http://127.0.0.1:${port}${path}`, { token, ...given });
    const file = await one.file({ owner: `${MARK}.owner`, description: `${MARK} description` });
    const body = bodyOf(file);
    const cookie = { cookie: MARK, "user-agent": MARK, referer: MARK, "x-request-id": MARK };
    await ask("/v1/records", { headers: { ...JSON_BODY, ...cookie }, body });
    const wrong = { ...file.submission, tag: new Uint8Array(32) };
    await ask("/v1/records", { headers: JSON_BODY, body: bodyOf({ ...file, submission: wrong }) });
    await ask(`/v1/records?text=${MARK}&owner=${MARK}&label=${MARK}`);
    await ask(`/v1/records?${MARK}=1`);
    await ask(`/v1/${MARK}`);
    await ask(`/v1/records/${MARK}`);
    await ask(`/%${MARK}`);
    await ask(`/${MARK.repeat(50)}`);
    await ask("/v1/records", { headers: { authorization: `Bearer ${MARK}` }, token: undefined });
    await ask("/v1/records", { headers: { authorization: `Basic ${MARK}` }, token: undefined });
    await ask("/v1/records", { headers: { "content-type": MARK }, body: MARK });
    await ask("/v1/records", { headers: JSON_BODY, body: `{"${MARK}":1}` });
    const request = one.request([file], { requester: `${MARK} requester` });
    await ask("/v1/requests", { headers: JSON_BODY, body: Buffer.from(encodeRequest(request)) });
    const foreign = { ...request, authority: `${MARK}.example` };
    await ask("/v1/requests", { headers: JSON_BODY, body: Buffer.from(encodeRequest(foreign)) });
    const word = await one.word("ann", request);
    await ask(`/v1/requests/${"a".repeat(26)}/notes`, { headers: TEXT_BODY, body: word });
    await ask(`/v1/enrolments?owner=${MARK}`, { headers: TEXT_BODY, body: MARK });
    await raw(port, `GET /${MARK} HTTP/9.9\r\nX: ${MARK}\r\n\r\n`);
    await raw(
      port,
      `POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX: ${MARK}\r\nConnection: close\r\n\r\n${MARK}`,
    );
    // Also where something fails inside.
    const spy = vi.spyOn(one.service, "records");
    spy.mockRejectedValueOnce(Object.assign(new Error("kaput"), { detail: MARK, sql: MARK }));
    const failed = await ask(`/v1/records?owner=${MARK}`);
    expect([failed.status, failed.json.code]).toEqual([500, "FAULT"]);
    expect(failed.text).not.toContain("kaput");
    spy.mockRestore();
    for (let i = 0; i < 40; i++) await ask(`/v1/records?owner=${MARK}`);
    app.server.closeAllConnections();
    await app.close();
    const log = lines.join("");
    expect(log).toMatch(/"status":500/);
    expect(log).toMatch(/"status":429/);
    expect(log).toMatch(/kaput/);
    expect(log.toLowerCase()).not.toContain(MARK.toLowerCase());
    expect(log).not.toContain(token.slice(9));
    expect(log).not.toContain(Buffer.from(MARK).toString("base64url").slice(0, 10));
    // A call's line has these and no more.
    const known = [
      "address",
      "level",
      "method",
      "ms",
      "msg",
      "reqId",
      "route",
      "status",
      "time",
      "token",
    ];
    for (const line of log
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one))) {
      if (line.msg !== "call") continue;
      const names = Object.keys(line).filter((name) => !["hostname", "pid"].includes(name));
      expect(known).toEqual(expect.arrayContaining(names));
      if (![401, 403, 429].includes(line.status)) expect(line.address).toBeUndefined();
    }
  });
});
