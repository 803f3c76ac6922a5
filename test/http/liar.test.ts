import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { handIn, standingOf, takeRelease } from "twinwrap/client";
import {
  encodeAuthority,
  encodeReceipt,
  formatPolicy,
  parseCheckpoint,
  signNote,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuthorityService } from "#build/authority/service.js";
import { connectAuthority } from "#build/client/connect.js";
import { checkUrl, HttpClient, type HttpOptions } from "#build/client/http.js";
import { backend } from "../authority/backend.js";
import { core, failing, NOT_VERIFIED, type Office, openAuthority } from "../authority/office.js";
import {
  call,
  closeServices,
  type Got,
  idOf,
  JSON_BODY,
  type Served,
  serveOffice,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// A service that lies, a proxy that answers in its place, and a network that fails: what the client makes of them.

const office = useOpenOffices();
const servers: ReturnType<typeof createServer>[] = [];
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await fork?.close();
  await closeServices();
});

let one: Office;
let other: Office;
let served: Served;
let fork: AuthorityService;
let token: string;
beforeAll(async () => {
  one = await office();
  other = await office();
  // The same authority, which goes on in two ways.
  const copy = join(one.folder, "..", "fork");
  await one.files(3);
  await backend.copy(one.folder, copy);
  fork = await openAuthority(copy);
  await fork.unfence([], { nothingNewer: true });
  served = await serveOffice(one);
  token = await tokenFor(one, ["submit", "recover", "read", "officer", "admin"]);
});

type Answer = Partial<Pick<Got, "status" | "headers">> & { body?: string | Uint8Array };
type Seen = { url: string; method: string; headers: IncomingMessage["headers"] };

/**
 * Stands between a client and the service.
 * @param lie what is answered in place of the truth; undefined: the truth; "cut": nothing
 */
async function between(
  lie: (seen: Seen, truth: () => Promise<Got>, response: ServerResponse) => unknown,
  options: Partial<HttpOptions> = {},
) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { url = "", method = "", headers } = request;
    seen.push({ url, method, headers });
    const { host: _, connection: __, ...rest } = headers as Record<string, string>;
    const truth = () =>
      call(`${served.url}${url}`, { method, headers: rest, body: Buffer.concat(parts) });
    const answer = (await lie(seen.at(-1)!, truth, response)) as Answer | "cut" | "own" | undefined;
    if (answer === "own") return;
    if (answer === "cut") return void request.socket.destroy();
    const { status = 200, headers: more, body = "" } = answer ?? (await truth());
    const told = { "content-type": more?.["content-type"] ?? "application/json" };
    response.writeHead(status, { ...told, ...(answer === undefined ? {} : more) }).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const given = { patience: 20_000, ...options };
  return {
    seen,
    url,
    client: new HttpClient(core, { url, token, ...given }),
    connect: async (known = one.service.file()) =>
      connectAuthority(core, { url, authority: await known, token }, given),
  };
}
/** An item of an answer, as it came. */
// biome-ignore lint/suspicious/noExplicitAny: whatever it is
type Sent = any;
const json = (value: unknown): Answer => ({ body: JSON.stringify(value) });

describe("about who it is", () => {
  const saying = (file: Parameters<typeof encodeAuthority>[0]) =>
    between(({ url }) =>
      url === "/v1/authority" ? { body: Buffer.from(encodeAuthority(file)) } : undefined,
    );

  test("another authority is refused", async () => {
    const there = await saying(await other.service.file());
    await expect(there.connect()).rejects.toEqual(NOT_VERIFIED);
  });

  test("less than is known of it is refused, more is not", async () => {
    const old = await one.service.file();
    const policy = await one.policy();
    const next = { ...policy, number: 2, previous: await one.newest(), waiting: 1 };
    const [ann, bob, cyd] = ["ann", "bob", "cyd"].map((name) => one.officers.get(name)!);
    const mine = await signNote(core, formatPolicy(next), ann!, bob!);
    expect((await one.service.takePolicy(mine)).complete).toBe(true);
    const behind = await saying(old);
    await expect(behind.connect()).rejects.toThrow(/is behind: it knows of 1 policies/);
    await expect(behind.connect()).rejects.toEqual(NOT_VERIFIED);
    const fresh = await behind.connect(Promise.resolve(old));
    expect([fresh.isNewer, fresh.authority.policies.length]).toEqual([false, 1]);
    const honest = await between(() => undefined);
    const now = await honest.connect(Promise.resolve(old));
    expect([now.isNewer, now.authority.policies.length]).toEqual([true, 2]);
    // Two policies with one number, both signed by officers.
    const theirs = await signNote(core, formatPolicy({ ...next, waiting: 2 }), bob!, cyd!);
    expect((await fork.takePolicy(theirs)).complete).toBe(true);
    const forked = await saying(await fork.file());
    await expect(forked.connect()).rejects.toThrow(/forked/);
    await expect(forked.connect()).rejects.toEqual(NOT_VERIFIED);
  });

  test("what is no identity, or altered, is refused", async () => {
    const file = await one.service.file();
    const altered = { ...file, policies: [file.policies[0]!.replace("release 2", "release 1")] };
    await expect((await saying(altered)).connect()).rejects.toEqual(NOT_VERIFIED);
    for (const body of ["", "{}", "[]", "null", '{"identities":[]}', "{", "\0"]) {
      const there = await between(() => ({ body }));
      await expect(there.connect()).rejects.toEqual(failing("BAD_FORMAT"));
    }
  });
});

describe("about what it took in", () => {
  const receiptAs = (change: (json: Sent[]) => Promise<unknown>) =>
    between(async ({ url, method }, truth) =>
      url === "/v1/records" && method === "POST"
        ? json(await change((await truth()).json))
        : undefined,
    );
  const asJson = (receipt: Parameters<typeof encodeReceipt>[0]) =>
    JSON.parse(Buffer.from(encodeReceipt(receipt)).toString());

  test("receipts of other authorities, other records, other bytes are refused", async () => {
    const [theirs] = await other.files(1);
    const [before] = await one.files(1);
    const file = await one.file();
    const lies: ((answers: Sent[]) => Promise<unknown>)[] = [
      async ([a]) => [{ ...a, receipt: asJson((await other.service.receipt(theirs!.record))!) }],
      async ([a]) => [{ ...a, receipt: asJson((await one.service.receipt(before!.record))!) }],
      async ([a]) => [{ ...a, record: Buffer.from(before!.record).toString("base64url") }],
      async ([a]) => [
        { ...a, receipt: { ...a.receipt, leaf: a.receipt.leaf.replace("time 2", "time 1") } },
      ],
      async ([a]) => [a, a],
      async () => [],
    ];
    for (const lie of lies) {
      const party = await (await receiptAs(lie)).connect();
      await expect(handIn(party, file.submission)).rejects.toEqual(NOT_VERIFIED);
    }
    for (const lie of [
      async () => ({}),
      async ([a]) => a,
      async ([a]) => [{ ...a, receipt: null }],
      async ([a]) => [{ ...a, status: "201" }],
      async ([a]) => [{ ...a, more: 1 }],
      async ([a]) => [{ ...a, error: { code: "FENCED", detail: "x", status: 1, title: "x" } }],
    ] as typeof lies) {
      const party = await (await receiptAs(lie)).connect();
      await expect(handIn(party, file.submission)).rejects.toEqual(failing("BAD_FORMAT"));
    }
  });

  test("a log that goes on in another way is refused", async () => {
    const there = await serveOffice({ service: fork });
    const own = await tokenFor({ service: fork }, ["submit", "read"]);
    for (let i = 0; i < 4; i++) await fork.intake((await one.file()).submission);
    let isForked = false;
    const liar = await between(async ({ url, method, headers }) => {
      if (!isForked || !url.startsWith("/log/")) return undefined;
      const { "x-nothing": _, ...rest } = headers as Record<string, string>;
      return call(`${there.url}${url}`, { method, headers: rest, token: own });
    });
    const party = await liar.connect();
    const first = await one.file();
    await handIn(party, first.submission);
    isForked = true;
    const second = await one.file();
    await expect(handIn(party, second.submission)).rejects.toEqual(NOT_VERIFIED);
    expect(party.view.contradiction).toMatch(/forked|rolled back/);
  });

  test("tiles that are wrong, short, long, or of something else are refused", async () => {
    const { size } = parseCheckpoint((await one.service.checkpoint())!);
    for (const change of [
      (bytes: Buffer) => bytes.subarray(32),
      (bytes: Buffer) => bytes.subarray(0, -1),
      (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(0, 32)]),
      () => Buffer.alloc(0),
      (bytes: Buffer) => Buffer.alloc(bytes.length),
      (bytes: Buffer) => Buffer.from(bytes).reverse(),
    ]) {
      const liar = await between(async ({ url }, truth) =>
        url.includes("/tile/") ? { body: change((await truth()).body) } : undefined,
      );
      const party = await liar.connect();
      await handIn(party, (await one.file()).submission);
      const later = handIn(party, (await one.file()).submission);
      await expect(later).rejects.toEqual(NOT_VERIFIED);
    }
    expect(size).toBeGreaterThan(0);
  });
});

describe("about a request", () => {
  test("another request, and a release for another key or request, are refused", async () => {
    const files = await one.files(2);
    const [a, b] = [await one.asked([files[0]!]), await one.asked([files[1]!])];
    const liar = await between(async ({ url, method, headers }) =>
      url.includes(a.id)
        ? call(`${served.url}${url.replace(a.id, b.id)}`, {
            method,
            headers: { authorization: String(headers.authorization) },
            body: method === "POST" ? "" : undefined,
          })
        : undefined,
    );
    const party = await liar.connect();
    await expect(standingOf(party, a.id)).rejects.toEqual(NOT_VERIFIED);
    // The policy has a waiting period of a second by now.
    await expect.poll(async () => (await one.service.standing(b.id)).decision.reason).toBeDefined();
    await one.approve(b.request, "ann", "bob");
    await expect
      .poll(() =>
        one.service.release(b.id).then(
          ({ releases }) => releases.length,
          () => 0,
        ),
      )
      .toBe(1);
    const release = (await party.client.released(a.id))!;
    await expect(takeRelease(party, release, { id: a.id })).rejects.toEqual(NOT_VERIFIED);
    await expect(takeRelease(party, release, { request: a.request })).rejects.toEqual(NOT_VERIFIED);
    expect(idOf(b.request)).toBe(b.id);
    await takeRelease(party, release, { id: b.id });
  });
});

describe("by what is no answer at all", () => {
  const HTML = { "content-type": "text/html; charset=utf-8" };

  test("a page of a proxy, of whatever status, is not the authority's word", async () => {
    const page = "<!doctype html><title>Welcome</title>";
    for (const status of [200, 201, 400, 403, 404, 500, 502]) {
      const liar = await between(() => ({ status, headers: HTML, body: page }), { patience: 0 });
      for (const asked of [
        () => liar.client.policies(),
        () => liar.client.record(new Uint8Array(32)),
        () => liar.client.takePolicy("x"),
        () => liar.client.checkpoint(),
        () => liar.client.enrol(new Uint8Array(1)),
      ]) {
        const error = await asked().then(
          () => undefined,
          (thrown) => thrown,
        );
        expect([status, error?.code]).toEqual([status, "UNAVAILABLE"]);
        expect(error.message).toMatch(new RegExp(`answers with status ${status}`));
      }
    }
  });

  test("something else of another status is none either", async () => {
    for (const [status, body] of [
      [202, "{}"],
      [204, undefined],
      [404, "{}"],
      [404, '{"code":"FORBIDDEN","detail":"x","status":404,"title":"x"}'],
      [418, ""],
      [200, ""],
    ] as const) {
      const answer: Answer = body === undefined ? { status } : { status, body };
      const liar = await between(() => answer, { patience: 0 });
      const error = await liar.client.record(new Uint8Array(32)).catch((thrown) => thrown);
      expect([status, ["UNAVAILABLE", "FORBIDDEN", "BAD_FORMAT"].includes(error?.code)]).toEqual([
        status,
        true,
      ]);
    }
  });

  test("another place is not gone to, and the token does not go there", async () => {
    const elsewhere = await between(() => json({ policies: [] }));
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `${elsewhere.url}/v1/policy`;
      const liar = await between(() => ({ status, headers: { location } }));
      await expect(liar.client.policies()).rejects.toThrow(/elsewhere: that is not followed/);
      await expect(liar.client.takePolicy("x")).rejects.toEqual(NOT_VERIFIED);
      expect(liar.seen).toHaveLength(2);
    }
    expect(elsewhere.seen).toEqual([]);
  });

  test("an answer without an end, or a longer one than any, is given up", async () => {
    const endless = (_: unknown, __: unknown, response: ServerResponse) => {
      response.writeHead(200, JSON_BODY);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, "[")));
        if (!response.destroyed) response.once("drain", pour);
      };
      pour();
      return "own";
    };
    const liar = await between(endless, { maxAnswer: 1 << 20 });
    await expect(liar.client.policies()).rejects.toThrow(/does not end/);
    await expect(liar.client.policies()).rejects.toEqual(NOT_VERIFIED);
    expect(liar.seen).toHaveLength(2);
    // One that is right, but longer than the caller wants any to be.
    const right = await between(() => undefined, { maxAnswer: 100 });
    await expect(right.client.policies()).rejects.toThrow(/does not end/);
  });

  test("an answer that does not come, or comes too slowly, is given up in time", async () => {
    for (const start of [false, true]) {
      const liar = await between(
        (_, __, response) => {
          if (start) response.writeHead(200, JSON_BODY).write("[");
          return "own";
        },
        { patience: 0, tryFor: 50 },
      );
      const error = await liar.client.policies().catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(error.message).toMatch(/did not answer in time/);
    }
  });

  test("JSON that is none, or of another form, is no answer", async () => {
    for (const body of [
      "{",
      "[[[[[[[[[[",
      '{"policies":1}',
      '{"policies":[],"x":1}',
      "nul",
      "\ud800",
    ]) {
      const liar = await between(() => ({ body }));
      await expect(liar.client.policies()).rejects.toEqual(failing("BAD_FORMAT"));
    }
  });

  test("what a problem says can't paint on a terminal, nor pretend that the caller stopped", async () => {
    const detail = "\u001b[2J\u0007gone\u202e\nsecond line";
    for (const [code, expected] of [
      ["REFUSED", "REFUSED"],
      ["ABORTED", "REFUSED"],
      ["<b>", "REFUSED"],
    ] as const) {
      const body = JSON.stringify({ code, detail, status: 422, title: "x" });
      const liar = await between(() => ({ status: 422, body }));
      const error = await liar.client.policies().catch((thrown) => thrown);
      expect(error.code).toBe(expected);
      expect(error.message).not.toMatch(/\p{C}/u);
      expect(error.message).toContain("gone");
    }
    const file = await one.file();
    const record = Buffer.from(file.record).toString("base64url");
    const error = { code: "REFUSED", detail, status: 422, title: "x" };
    const liar = await between(() => json([{ error, record, status: 422 }]));
    const [result] = await liar.client.submit([file.submission]);
    expect((result as unknown as { error: Error }).error.message).not.toMatch(/\p{C}/u);
  });
});

describe("a call that fails on its way", () => {
  const busy = (retry?: string): Answer => ({
    status: 503,
    body: JSON.stringify({ code: "UNAVAILABLE", detail: "later", status: 503, title: "x" }),
    headers: { "content-type": "application/problem+json", ...(retry && { "retry-after": retry }) },
  });

  test("is made again while it may do better: the caller sees nothing of it", async () => {
    const fails: (Answer | "cut")[] = [
      busy(),
      busy("1"),
      "cut",
      { status: 502, headers: { "content-type": "text/html" }, body: "<p>" },
      { status: 429, body: '{"code":"BUSY","detail":"x","status":429,"title":"x"}' },
      { status: 409, body: '{"code":"CONFLICT","detail":"x","status":409,"title":"x"}' },
    ];
    const expected = fails.length + 1;
    const liar = await between(() => fails.shift(), { patience: 120_000 });
    expect(await liar.client.policies()).toEqual(
      (await one.service.policies()).map(({ row }) => row.note),
    );
    expect(liar.seen).toHaveLength(expected);
  });

  test("whose answer was lost is not done twice", async () => {
    for (const cutAt of [1, 2]) {
      let calls = 0;
      const liar = await between(async ({ url }, truth) => {
        if (url !== "/v1/records" || ++calls > cutAt) return undefined;
        await truth();
        return "cut";
      });
      const party = await liar.connect();
      const file = await one.file();
      const { size } = parseCheckpoint((await one.service.checkpoint())!);
      const receipt = await handIn(party, file.submission);
      expect(receipt).toEqual(await one.service.receipt(file.record));
      expect(parseCheckpoint((await one.service.checkpoint())!).size).toBe(size + 1);
      expect(calls).toBe(cutAt + 1);
    }
  });

  test("is not made again for ever, nor when it could not do better", async () => {
    const patient = await between(() => busy(), { patience: 700 });
    await expect(patient.client.policies()).rejects.toThrow("later");
    expect(patient.seen.length).toBeGreaterThan(1);
    expect(patient.seen.length).toBeLessThan(8);
    const far = await between(() => busy("3600"));
    await expect(far.client.policies()).rejects.toEqual(failing("UNAVAILABLE"));
    expect(far.seen).toHaveLength(1);
    for (const [status, code] of [
      [503, "FENCED"],
      [503, "PASSPHRASE_NEEDED"],
      [500, "FAULT"],
      [429, "BACKLOG"],
      [400, "BAD_ARGUMENT"],
      [401, "UNAUTHENTICATED"],
      [403, "FORBIDDEN"],
    ] as const) {
      const body = JSON.stringify({ code, detail: "no", status, title: "x" });
      const liar = await between(() => ({ status, body }));
      await expect(liar.client.policies()).rejects.toEqual(failing(code));
      expect(liar.seen).toHaveLength(1);
    }
  });

  test("ends at once when its caller stops, whatever it waits for", async () => {
    const answers: Parameters<typeof between>[0][] = [() => "own", () => busy("30")];
    for (const answer of answers) {
      const stop = new AbortController();
      const liar = await between(answer, {
        signal: stop.signal,
        patience: 3_600_000,
        tryFor: 3_600_000,
      });
      const asked = liar.client.policies();
      await expect.poll(() => liar.seen.length).toBe(1);
      stop.abort();
      await expect(asked).rejects.toEqual(failing("ABORTED"));
      await expect(liar.client.policies()).rejects.toEqual(failing("ABORTED"));
      expect(liar.seen).toHaveLength(1);
    }
  });

  test("to a place that is not there says so", async () => {
    const { url } = await between(() => undefined);
    servers.at(-1)!.close();
    const client = new HttpClient(core, { url, patience: 0 });
    await expect(client.policies()).rejects.toThrow(
      /127\.0\.0\.1:\d+ can't be reached: ECONNREFUSED/,
    );
  });
});

test("the address of a service is https, or here; and a token is one word", () => {
  for (const good of [
    "https://x.example",
    "https://x.example/keys/",
    "http://localhost:1",
    "http://[::1]:1",
  ]) {
    expect(checkUrl(good).href.endsWith("/")).toBe(true);
  }
  for (const bad of [
    "",
    "x.example",
    "http://x.example",
    "http://localhost.example",
    "http://127.0.0.1.example",
    "ftp://x.example",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://user@x.example",
    "https://user:secret@x.example",
    "https://x.example/?a",
    "https://x.example/#a",
  ]) {
    expect(() => checkUrl(bad), bad).toThrow(failing("BAD_ARGUMENT"));
  }
  for (const wrong of ["", "a b", "a\r\nX: y", "ü"]) {
    const make = () => new HttpClient(core, { url: "https://x.example", token: wrong });
    expect(make, wrong).toThrow(failing("BAD_ARGUMENT"));
  }
});
