import { connect as connectSocket, type Socket } from "node:net";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { encodeRequest } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROUTES } from "#build/http/routes.js";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import type { Office } from "../authority/office.js";
import {
  bodyOf,
  type Call,
  closeServices,
  type Got,
  hex,
  JSON_BODY,
  PROBLEM,
  raw,
  type Served,
  serveOffice,
  TEXT_BODY,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// Callers who mean harm, and proxies that read something else than the service does.

const office = useOpenOffices();
afterAll(closeServices);

let one: Office;
let served: Served;
let token: string;
beforeAll(async () => {
  one = await office();
  await one.files(1);
  served = await serveOffice(one, { origins: ["https://page.example", "https://two.example"] });
  token = await tokenFor(one, ["submit", "recover", "read", "officer", "admin"]);
});

/** An answer that is a problem as the document describes it. */
function problem({ status, headers, json }: Got, expected: number, code: string) {
  expect([status, headers["content-type"], json?.code]).toEqual([expected, PROBLEM, code]);
  expect(json.status).toBe(expected);
  expect(Object.keys(json)).toEqual(["code", "detail", "status", "title"]);
}
const ask = (path: string, given: Call = {}) => served.ask(path, { token, ...given });
/** That it lives, and does what it did. */
const serves = async () => expect((await ask("/v1/records")).json.rows).not.toEqual([]);
/** The status of the only answer in what came back over a socket, and its problem. */
function only(answer: string) {
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  expect(statuses).toHaveLength(1);
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  return [statuses[0], body.startsWith("{") ? JSON.parse(body).code : body];
}
const HEAD = "Host: x\r\nConnection: close\r\n";
const auth = () => `Authorization: Bearer ${token}\r\n`;

describe("a body", () => {
  test("that is longer than its route takes is refused, told or chunked, and one of its length is not", async () => {
    for (const { url, method, body } of ROUTES) {
      if (method !== "POST") continue;
      const path = url.replace(":id", "a".repeat(26));
      const most = body?.maxBytes ?? 1;
      const headers = TEXT_BODY;
      problem(
        await ask(path, { method, headers, body: Buffer.alloc(most + 1) }),
        413,
        "LIMIT_EXCEEDED",
      );
      const chunked = { ...headers, "transfer-encoding": "chunked" };
      problem(
        await ask(path, { method, headers: chunked, body: Buffer.alloc(most + 1) }),
        413,
        "LIMIT_EXCEEDED",
      );
      const whole = await ask(path, { method, headers, body: Buffer.alloc(most, 0x20) });
      expect([url, whole.status === 413 && body === undefined]).toEqual([url, false]);
    }
    await serves();
  });

  test("of another kind, or of none, is refused", async () => {
    const body = bodyOf(await one.file());
    for (const type of [
      undefined,
      "",
      "application/xml",
      "multipart/form-data; boundary=x",
      "application/x-www-form-urlencoded",
      "application/jsonx",
      "text/html",
      "application",
      "/",
      "*/*",
      "application/json, text/plain",
    ]) {
      const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
      const got = await ask("/v1/records", { headers, body });
      expect([type, got.status, got.json.code]).toEqual([type, 415, "BAD_FORMAT"]);
    }
    for (const type of ["application/json; charset=utf-8", "APPLICATION/JSON", "text/plain"]) {
      const got = await ask("/v1/records", { headers: { "content-type": type }, body });
      expect([type, Math.floor(got.status / 100)]).toEqual([type, 2]);
    }
  });

  test("that is packed is refused, whatever it would be", async () => {
    const packed = gzipSync(bodyOf(await one.file()));
    for (const encoding of ["gzip", "br", "deflate", "x", "identity, gzip", "gzip, identity"]) {
      const headers = { ...JSON_BODY, "content-encoding": encoding };
      problem(await ask("/v1/records", { headers, body: packed }), 415, "BAD_FORMAT");
    }
    const headers = { ...JSON_BODY, "content-encoding": "identity" };
    expect((await ask("/v1/records", { headers, body: bodyOf(await one.file()) })).status).toBe(
      201,
    );
  });

  test("that is nested deeply, has too many values, or is not canonical is refused", async () => {
    const body = bodyOf(await one.file()).toString();
    const huge = 4_000_000;
    for (const wrong of [
      "[".repeat(huge),
      '{"a":'.repeat(huge / 5),
      `[${"[],".repeat(huge / 3)}[]]`,
      `[${"0,".repeat(huge / 2)}0]`,
      `[{${'"":0,'.repeat(huge / 5)}"":0}]`,
      "[]",
      `[${body},]`,
      `[${body} ]`,
      ` ${body.replace('"record"', '"record" ')}x`,
      body.replace('"record"', '"__proto__":{"owner":"x"},"record"'),
      body.replace('"owner"', '"constructor":{"prototype":{"x":1}},"owner"'),
      body.replace(/"owner":"[^"]*"/, '"owner":"a","owner":"b"'),
      body.replace(/"owner":"[^"]*"/, '"owner":"\\ud800"'),
      body.replace(/"owner":"[^"]*"/, '"owner":"\\u0000"'),
      "null",
      '""',
      "\ufeff[]",
      "\0",
    ]) {
      const got = await ask("/v1/records", { headers: JSON_BODY, body: wrong });
      expect([wrong.slice(0, 30), got.headers["content-type"]]).toEqual([
        wrong.slice(0, 30),
        PROBLEM,
      ]);
      expect([400, 413]).toContain(got.status);
    }
    expect(({} as { owner?: string }).owner).toBeUndefined();
    const latin = Buffer.concat([Buffer.from("["), Buffer.of(0xff, 0xfe), Buffer.from("]")]);
    problem(await ask("/v1/records", { headers: JSON_BODY, body: latin }), 400, "BAD_FORMAT");
    await serves();
  });

  test("with more submissions than go at once is refused as a whole", async () => {
    const countRecords = () => one.service.countRecords();
    const before = await countRecords();
    const body = `[${Array(257)
      .fill(bodyOf(await one.file()))
      .join()}]`;
    problem(await ask("/v1/records", { headers: JSON_BODY, body }), 413, "LIMIT_EXCEEDED");
    const good = bodyOf(await one.file());
    const half = `[${good},{"record":{},"type":"x"}]`;
    problem(await ask("/v1/records", { headers: JSON_BODY, body: half }), 400, "BAD_FORMAT");
    expect(await countRecords()).toEqual(before);
  });

  test("of another message is refused on every route that takes one", async () => {
    const file = await one.file();
    const { request, id } = await one.asked(await one.files(1));
    const messages = {
      submission: bodyOf(file),
      request: Buffer.from(encodeRequest(request)),
      approval: Buffer.from(await one.word("ann", request)),
      policy: Buffer.from((await one.service.policies())[0]!.row.note),
      authority: (await served.ask("/v1/authority")).body,
      checkpoint: (await served.ask("/log/0/checkpoint")).body,
    };
    const takes = {
      "/v1/records": "submission",
      "/v1/requests": "request",
      [`/v1/requests/${id}/notes`]: "approval",
      "/v1/policy/notes": "policy",
    };
    for (const [path, kind] of Object.entries(takes)) {
      for (const [other, body] of Object.entries(messages)) {
        if (other === kind) continue;
        const got = await ask(path, { headers: JSON_BODY, body });
        expect([path, other, got.status, got.json.code]).toEqual([path, other, 400, "BAD_FORMAT"]);
      }
    }
  });
});

describe("what a proxy could read in another way is refused, and ends the connection", () => {
  const smuggled = "GET /v1/authority HTTP/1.1\r\nHost: x\r\n\r\n";
  const post = (headers: string, body: string) =>
    `POST /v1/records HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\n${headers}\r\n${body}`;
  // biome-ignore format: a table
  const attempts: Record<string, () => string> = {
    "a length and chunks": () => post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${smuggled}`),
    "chunks and a length": () => post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", `0\r\n\r\n${smuggled}`),
    "two lengths": () => post("Content-Length: 0\r\nContent-Length: 40\r\n", smuggled),
    "two lengths in one": () => post("Content-Length: 0, 40\r\n", smuggled),
    "a length with a sign": () => post("Content-Length: +0\r\n", smuggled),
    "a length in hexadecimal": () => post("Content-Length: 0x0\r\n", smuggled),
    "a negative length": () => post("Content-Length: -1\r\n", smuggled),
    "a folded header": () => post("Content-Length: 0\r\nX: a\r\n b\r\n Transfer-Encoding: chunked\r\n", smuggled),
    "a header with a space before its colon": () => post("Transfer-Encoding : chunked\r\n", smuggled),
    "another transfer encoding": () => post("Transfer-Encoding: gzip\r\n", smuggled),
    "chunked, but not last": () => post("Transfer-Encoding: chunked, identity\r\n", smuggled),
    "chunked twice": () => post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${smuggled}`),
    "a tab in front of chunked's name": () => post("\tTransfer-Encoding: chunked\r\n", smuggled),
    "a chunk's length with a sign": () => post("Transfer-Encoding: chunked\r\n", `+0\r\n\r\n${smuggled}`),
    "a bare CR in a header": () => post("X: a\rTransfer-Encoding: chunked\r\n", smuggled),
    "a NUL in a header": () => post("X: a\0b\r\n", smuggled),
    "another version": () => `GET / HTTP/1.2\r\nHost: x\r\n\r\n${smuggled}`,
    "HTTP/2": () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": () => `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${"x".repeat(200)}\r\n\r\n`,
    "no host": () => `GET /v1/authority HTTP/1.1\r\n\r\n${smuggled}`,
    "two hosts": () => `GET /v1/authority HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n`,
    "two tokens": () => `GET /v1/records HTTP/1.1\r\n${HEAD}${auth()}${auth()}\r\n`,
    "two kinds": () => `POST /v1/records HTTP/1.1\r\n${HEAD}${auth()}Content-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n`,
    "two conditions": () => `GET /v1/authority HTTP/1.1\r\n${HEAD}If-None-Match: "a"\r\nIf-None-Match: "b"\r\n\r\n`,
    "headers without an end": () => `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}`,
    "many headers": () => `GET / HTTP/1.1\r\nHost: x\r\n${"X: a\r\n".repeat(20_000)}\r\n`,
  };
  test.each(Object.keys(attempts))("%s", async (name) => {
    const [status] = only(await raw(served.port, attempts[name]!()));
    expect([400, 431, 505, 501]).toContain(status);
    await serves();
  });

  test("lines that end in LF alone are no second call", async () => {
    const got = await raw(
      served.port,
      `POST /v1/records HTTP/1.1\r\n${HEAD}${auth()}Content-Type: application/json\r\nContent-Length: 5\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    );
    expect([400, 415]).toContain(only(got)[0]);
  });

  test("what is no call is answered with a problem", async () => {
    expect(only(await raw(served.port, "nonsense\r\n\r\n"))).toEqual([400, "BAD_ARGUMENT"]);
    const long = `GET / HTTP/1.1\r\nX: ${"a".repeat(100_000)}\r\n\r\n`;
    expect(only(await raw(served.port, long))).toEqual([431, "BAD_ARGUMENT"]);
  });

  test("an upgrade is not made, and a tunnel is not opened", async () => {
    const upgrade = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n";
    const got = await raw(served.port, `GET /healthz HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`, {
      end: true,
    });
    expect(got).toMatch(/^HTTP\/1\.1 200 /);
    const tunnel = await raw(served.port, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(tunnel).not.toMatch(/ 200 /);
  });
});

describe.each(["http", "https"])("over %s, whoever is slow", (scheme) => {
  let there: Served;
  let forgetful: Served;
  beforeAll(async () => {
    const tls = scheme === "http" ? undefined : await certificateForLocalhost();
    // Each is cut off by a time of its own: the other is out of reach.
    const serveWith = (times: { idle: number; callIn: number; headersIn: number }) =>
      serveOffice(one, {
        times: { look: 50, ...times },
        limits: { calls: 1_000_000 },
        ...(tls && {
          tls: { cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) },
          ca: tls.cert,
        }),
      });
    there = await serveWith({ callIn: 400, headersIn: 200, idle: 3_600_000 });
    forgetful = await serveWith({ callIn: 400, headersIn: 300, idle: 600 });
  });
  /** Opens a connection, over TLS if it is to be, writes, and says what came until it was ended from there. */
  async function cutOff(text: string): Promise<string> {
    const { connect } = await import("node:tls");
    return new Promise((resolve) => {
      let answer = "";
      const options = { host: "127.0.0.1", port: there.port, rejectUnauthorized: false };
      const socket: Socket = scheme === "http" ? connectSocket(options) : connect(options);
      socket.on(scheme === "http" ? "connect" : "secureConnect", () => socket.write(text));
      socket.on("data", (data) => (answer += data)).on("error", () => {});
      socket.on("close", () => resolve(answer));
    });
  }

  test("with headers, with a body, or with saying anything is cut off", async () => {
    const start = "POST /v1/records HTTP/1.1\r\nHost: x\r\n";
    const body = `${start}${auth()}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n[`;
    for (const text of ["", "PO", start, body]) {
      const answer = await cutOff(text);
      if (answer !== "") expect(only(answer)).toEqual([408, "BAD_ARGUMENT"]);
    }
    expect((await there.ask("/healthz")).status).toBe(200);
  });

  test("with the handshake, or with reading, holds nothing for ever", async () => {
    // A plain connection that says nothing of TLS.
    await new Promise((resolve) => {
      connectSocket(there.port, "127.0.0.1")
        .on("error", () => {})
        .on("close", resolve)
        .resume();
    });
    const pipelined = `GET /v1/authority HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3000);
    await new Promise((resolve) => {
      const socket = connectSocket(forgetful.port, "127.0.0.1", () => socket.write(pipelined));
      // Nothing is read; only the end is noticed, by writing to what is closed.
      const timer = setInterval(() => socket.write("\r\n"), 100);
      socket.pause().on("error", () => {});
      socket.on("close", () => {
        clearInterval(timer);
        resolve(undefined);
      });
    });
    expect((await forgetful.ask("/healthz")).status).toBe(200);
  });
});

test("connections that are cut in the middle of a call do no harm", async () => {
  const before = await one.service.countRecords();
  const file = bodyOf(await one.file());
  const head = `POST /v1/records HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\nContent-Length: ${file.length}\r\n\r\n`;
  for (const length of [0, 1, file.length - 1]) {
    await new Promise<void>((resolve) => {
      const socket = connectSocket(served.port, "127.0.0.1", () => {
        socket.write(head + file.toString().slice(0, length), () => socket.resetAndDestroy());
      });
      socket.on("error", () => {}).on("close", () => resolve());
    });
  }
  await serves();
  expect(await one.service.countRecords()).toEqual(before);
  expect(served.log.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
});

describe("odd paths and queries", () => {
  const ODD = [
    "'",
    "' OR '1'='1",
    "'; DROP TABLE records; --",
    '" OR ""="',
    '"',
    '""',
    "%",
    "_",
    "*",
    "a*",
    "NEAR(a b)",
    "a AND b",
    "owner:x",
    "\\",
    "\0",
    "abc\0def",
    "a\u0000",
    "\ud800",
    "\u{1f600}",
    "\u202e",
    "../../etc/passwd",
    "..\\..\\x",
    "%2e%2e%2f",
    "__proto__",
    "constructor",
    "1e9",
    "-1",
    "0x10",
    "NaN",
    "Infinity",
    "null",
    "undefined",
    "[object Object]",
    "{}",
    "",
    " ",
    "\r\nX: y",
    "a".repeat(3000),
    "ß".repeat(1000),
    "9".repeat(400),
    "2026-02-30T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00+01:00",
  ];
  /** Half a surrogate pair has no bytes: it goes as what stands in for it. */
  const encoded = (text: string) => encodeURIComponent(Buffer.from(text).toString());
  const decent = async (path: string) => {
    const got = await ask(path);
    // Where the store is, is nobody's affair.
    expect(got.text).not.toContain(dirname(one.folder));
    if (got.status !== 200) {
      expect([path, got.headers["content-type"]]).toEqual([path, PROBLEM]);
      expect([path, [400, 404, 414].includes(got.status)]).toEqual([path, true]);
    }
    return got;
  };

  test("in every parameter of every query are answers like others", async () => {
    for (const { url, query, method } of ROUTES) {
      if (query === undefined || method !== "GET") continue;
      const names = Object.keys(query.properties as object);
      for (const name of names) {
        for (const odd of ODD) {
          await decent(`${url}?${name}=${encoded(odd)}`);
        }
        for (const form of ["", "=", `=a&${name}=b`, "[]=a", "[x]=a", "=%", "=%zz", "=%ff"]) {
          await decent(`${url}?${name}${form}`);
        }
      }
      for (const form of ["x=1", "__proto__=1", "__proto__[owner]=1", "constructor.prototype=1"]) {
        problem(await ask(`${url}?${form}`), 400, "BAD_ARGUMENT");
      }
      await decent(`${url}?${"&".repeat(5000)}`);
      expect((await ask(`${url}?text=${"a".repeat(20_000)}`)).status).toBe(431);
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
    await serves();
  });

  test("in every part of every path are not found, or no argument", async () => {
    for (const { url, method } of ROUTES) {
      if (method !== "GET" || !/[:*]/.test(url)) continue;
      for (const odd of ODD) {
        const part = encoded(odd);
        const path = url.replace(/:\w+|\*/g, () => part);
        const got = await decent(path);
        expect([path, got.status === 200]).toEqual([path, false]);
      }
    }
    for (const path of [
      "/../../etc/passwd",
      "/..%2f..%2fetc%2fpasswd",
      "/log/0/tile/../checkpoint",
      "/log/0/tile/%2e%2e/checkpoint",
      "/log/0/tile/0/..%2f..%2f000",
      "/v1//authority",
      "/v1/authority/",
      "/V1/authority",
      "/v1/authority%00",
      "/%",
      "/%zz",
      "//",
      "/v1",
      "/documentation",
      "/metrics",
    ]) {
      const got = await served.ask(path);
      expect([path, got.headers["content-type"]]).toEqual([path, PROBLEM]);
      expect([400, 404]).toContain(got.status);
      expect(got.text).not.toContain("passwd");
    }
    await serves();
  });

  test("by other methods are not found", async () => {
    for (const { url } of ROUTES) {
      const path = url.replace(/:\w+|\*/g, "0");
      for (const method of ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY"]) {
        const got = await served.ask(path, { method, token });
        expect([method, [400, 404].includes(got.status), got.headers["content-type"]]).toEqual([
          method,
          true,
          PROBLEM,
        ]);
      }
      const head = await served.ask(path, { method: "HEAD" });
      expect([url, head.body.length]).toEqual([url, 0]);
    }
    const head = await served.ask(`/v1/records`, { method: "HEAD" });
    expect(head.status).toBe(401);
  });
});

describe("pages elsewhere", () => {
  const OPEN = ["/v1/authority", "/log/0/checkpoint", "/log/0/tile/0/000", "/healthz", "/readyz"];
  const GUARDED = [
    "/v1/records",
    `/v1/records/${hex(new Uint8Array(32))}`,
    "/v1/policy",
    "/nothing",
  ];
  const allowOf = ({ headers }: Got) => headers["access-control-allow-origin"];

  test("may read what is open to everybody, and the rest if their origin is allowed", async () => {
    for (const origin of ["https://page.example", "https://evil.example", "null"]) {
      for (const path of OPEN) {
        expect(allowOf(await served.ask(path, { headers: { origin } }))).toBe("*");
      }
      for (const path of GUARDED) {
        for (const bearer of [undefined, token]) {
          const got = await served.ask(path, { token: bearer, headers: { origin } });
          const isAllowed = origin === "https://page.example";
          expect([path, allowOf(got)]).toEqual([path, isAllowed ? origin : undefined]);
          expect(String(got.headers.vary)).toMatch(/\bOrigin\b/);
          expect(got.headers["access-control-allow-credentials"]).toBeUndefined();
        }
      }
    }
    const got = await served.ask("/v1/authority", { headers: { origin: "https://x.example" } });
    expect(got.headers["access-control-expose-headers"]).toBe("Retry-After, ETag");
    expect(got.headers["access-control-allow-credentials"]).toBeUndefined();
    for (const origin of [
      "https://page.example.evil.example",
      "http://page.example",
      "page.example",
    ]) {
      expect(allowOf(await served.ask("/v1/records", { headers: { origin } }))).toBeUndefined();
    }
  });

  test("ask first, and need no token for that", async () => {
    const preflight = (path: string, origin: string) =>
      served.ask(path, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type",
        },
      });
    const got = await preflight("/v1/records", "https://two.example");
    expect([got.status, allowOf(got)]).toEqual([204, "https://two.example"]);
    expect(got.headers["access-control-allow-methods"]).toBe("GET, POST");
    expect(got.headers["access-control-allow-headers"]).toBe(
      "Authorization, Content-Type, If-None-Match",
    );
    expect(got.headers["access-control-allow-credentials"]).toBeUndefined();
    expect(allowOf(await preflight("/v1/records", "https://evil.example"))).toBeUndefined();
    expect(allowOf(await preflight("/v1/authority", "https://evil.example"))).toBe("*");
    const bare = await served.ask("/v1/records", { method: "OPTIONS" });
    expect([bare.status, bare.body.length]).toEqual([204, 0]);
  });

  test("without any allowed origin, none but the open routes", async () => {
    const closed = await serveOffice(one);
    const origin = "https://page.example";
    expect(allowOf(await closed.ask("/v1/records", { headers: { origin } }))).toBeUndefined();
    expect(allowOf(await closed.ask("/v1/authority", { headers: { origin } }))).toBe("*");
  });
});

describe("a caller's address", () => {
  const addressAt = async (there: Served, forwarded: string) => {
    const headers = { "x-forwarded-for": forwarded };
    await there.ask("/v1/records", { headers });
    await expect.poll(() => there.log.length).toBeGreaterThan(0);
    return JSON.parse(there.log.splice(0).find((line) => line.includes('"status":401'))!).address;
  };

  test("is that of the connection, unless a proxy is trusted", async () => {
    const there = await serveOffice(one, { level: "info" });
    there.log.length = 0;
    expect(await addressAt(there, "198.51.100.7")).toBe("127.0.0.1");
  });

  test("is what the proxy adds, not what the caller wrote before it", async () => {
    const there = await serveOffice(one, { level: "info", trustProxy: true });
    there.log.length = 0;
    expect(await addressAt(there, "198.51.100.7")).toBe("198.51.100.7");
    expect(await addressAt(there, "203.0.113.1, 10.0.0.1, 198.51.100.8")).toBe("198.51.100.8");
  });
});

test("every answer forbids to guess, frame or keep it", async () => {
  for (const path of ["/v1/records", "/nothing", "/v1/authority"]) {
    const { headers } = await ask(path);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none';frame-ancestors 'none'",
    });
    expect(headers["x-powered-by"]).toBeUndefined();
    expect(headers["cache-control"]).toMatch(/no-(store|cache)/);
  }
});
