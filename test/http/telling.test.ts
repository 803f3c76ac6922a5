import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { MAX_ATTEMPTS } from "#build/authority/deliveries.js";
import { delivering, type TellingOptions } from "#build/http/telling.js";
import { at, type Office, useOffices } from "../authority/office.js";

// Webhooks, as their receivers see them. The library of Standard Webhooks says whether a call is signed.

const office = useOffices();

interface Call {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A receiver of webhooks. */
class Hook {
  readonly calls: Call[] = [];
  answer: (response: ServerResponse, call: Call) => void = (response) =>
    response.writeHead(204).end();
  url = "";

  static async open(): Promise<Hook> {
    const hook = new Hook();
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        const { method = "", url: path = "", headers } = request;
        const call = { method, path, headers, body: Buffer.concat(pieces).toString() };
        hook.calls.push(call);
        hook.answer(response, call);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    hook.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return hook;
  }

  types(): string[] {
    return this.calls.map(({ body }) => JSON.parse(body).type);
  }
}

/** What the service logs. */
class Lines {
  readonly lines: object[] = [];

  logger(): Parameters<typeof delivering>[2] {
    const log = (level: string) => (about: object, text: string) =>
      this.lines.push({ level, text, ...about });
    return { info: log("info"), warn: log("warn"), error: log("error") } as never;
  }
}

let one: Office;
let hook: Hook;
let lines: Lines;
let secret: string;
let address: string;
beforeEach(async () => {
  one = await office();
  hook = await Hook.open();
  lines = new Lines();
  address = `${hook.url}/in?key=zyxw`;
  secret = (await one.service.addReceiver({ means: "webhook", address })).secret!;
});

const looking = (options: TellingOptions = {}) =>
  delivering(one.service, options, lines.logger()).deliveries;

async function ask(): Promise<string> {
  return (await one.asked(await one.files(1))).id;
}

describe("a webhook", () => {
  test("gets every event in order, signed, with IDs and links alone", async () => {
    const ids = [await ask(), await ask()];
    await one.approve(one.request(await one.files(1)), "ann").catch(() => {});
    // The library refuses what is signed in the past or the future, and with another key.
    const verified: unknown[] = [];
    hook.answer = (response, { headers, body }) => {
      verified.push(new Webhook(secret).verify(body, headers as Record<string, string>));
      response.writeHead(200).end("thanks");
    };
    await looking({ url: new URL("https://backup.example.org/twinwrap/") }).look();
    expect(verified).toHaveLength(2);
    for (const [i, { method, path, headers, body }] of hook.calls.entries()) {
      expect([method, path]).toEqual(["POST", "/in?key=zyxw"]);
      expect(headers["content-type"]).toBe("application/json");
      const { type, timestamp, data } = JSON.parse(body);
      expect(type).toBe("request");
      expect(new Date(timestamp).getTime()).toBeLessThanOrEqual(Date.now());
      expect(data).toEqual({
        authority: one.service.authority.origin,
        request: ids[i],
        policy: 1,
        notBefore: expect.any(String),
        expires: expect.any(String),
        log: 0,
        leaf: expect.any(Number),
        links: {
          request: `https://backup.example.org/twinwrap/v1/requests/${ids[i]}`,
          checkpoint: "https://backup.example.org/twinwrap/log/0/checkpoint",
        },
      });
      const other = new Webhook(Buffer.alloc(32, 1).toString("base64"));
      expect(() => other.verify(body, headers as Record<string, string>)).toThrow();
      const changed = body.replace(ids[i]!, "A".repeat(26));
      expect(() => new Webhook(secret).verify(changed, headers as never)).toThrow();
    }
    const names = hook.calls.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(names).size).toBe(2);
  });

  test("that fails is called again with the same ID, freshly signed, and nothing overtakes it", async () => {
    const ids = [await ask(), await ask()];
    const begin = Date.now();
    const failures: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(500).end("no"),
      (response) => response.socket!.destroy(),
      () => {}, // never answers
      (response) => response.writeHead(400).end(),
    ];
    let wait = 0;
    const deliveries = looking({ timeout: 1000 });
    for (const failure of failures) {
      hook.answer = failure;
      await at(new Date(begin + wait), () => deliveries.look());
      wait += 3_600_000;
    }
    expect(hook.calls).toHaveLength(4);
    const [waits] = await one.service.deliveries("waiting");
    expect(waits).toMatchObject({ attempts: 4, reason: "answered with status 400" });
    hook.answer = (response) => response.writeHead(202).end();
    await at(new Date(begin + wait), async () => {
      const before = hook.calls.length;
      await deliveries.look();
      for (const { headers, body } of hook.calls.slice(before)) {
        new Webhook(secret).verify(body, headers as Record<string, string>);
      }
    });
    const asked = hook.calls.map(({ body }) => JSON.parse(body).data.request);
    expect(asked).toEqual([ids[0], ids[0], ids[0], ids[0], ...ids]);
    const names = hook.calls.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(names.slice(0, 5)).size).toBe(1);
    const reasons = lines.lines.map((line) => (line as { reason?: string }).reason);
    expect(reasons.slice(0, 4)).toEqual([
      "answered with status 500",
      expect.stringMatching(/^no answer: (UND_ERR_SOCKET|ECONNRESET)$/),
      "no answer: it took more than 1 s",
      "answered with status 400",
    ]);
  });

  test("is not followed elsewhere", async () => {
    const other = await Hook.open();
    for (const status of [301, 302, 307, 308]) {
      hook.answer = (response) => response.writeHead(status, { location: other.url }).end();
      await ask();
      await looking().look();
      for (const { id } of await one.service.deliveries("waiting"))
        await one.service.retryDelivery(id);
    }
    expect(other.calls).toEqual([]);
    expect(JSON.stringify(lines.lines)).toContain("status 308, which is not followed");
  });

  test("may answer what it likes, for ever", async () => {
    await ask();
    let isCut = false;
    hook.answer = (response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(1 << 16)));
      };
      response.on("drain", more);
      response.on("close", () => (isCut = true));
      more();
    };
    await looking().look();
    expect(await one.service.deliveries("waiting")).toEqual([]);
    await expect.poll(() => isCut, { timeout: 30_000 }).toBe(true);
  });

  test("is given up in the end, and called again when somebody says so", async () => {
    const id = await ask();
    hook.answer = (response) => response.writeHead(503).end();
    const deliveries = looking();
    let now = Date.now();
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      await at(new Date(now), () => deliveries.look());
      now += 7_200_000;
    }
    expect(hook.calls).toHaveLength(MAX_ATTEMPTS);
    const [dead] = await one.service.deliveries("dead");
    expect(dead).toMatchObject({ content: { request: id }, reason: "answered with status 503" });
    expect(lines.lines.at(-1)).toMatchObject({ level: "error", attempts: MAX_ATTEMPTS });
    hook.answer = (response) => response.writeHead(204).end();
    const later = await ask();
    await deliveries.look();
    await one.service.retryDelivery(dead!.id);
    await deliveries.look();
    const asked = hook.calls.slice(MAX_ATTEMPTS).map(({ body }) => JSON.parse(body).data.request);
    expect(asked).toEqual([later, id]);
  });

  test("stands in no log line: neither where it is, nor its secret, nor what it was told", async () => {
    const id = await ask();
    hook.answer = (response) => response.writeHead(500).end("some words of theirs");
    const deliveries = looking();
    const now = Date.now();
    await at(new Date(now), () => deliveries.look());
    hook.answer = (response) => response.writeHead(204).end();
    await at(new Date(now + 10_000), () => deliveries.look());
    const text = JSON.stringify(lines.lines);
    expect(lines.lines).toHaveLength(2);
    for (const hidden of ["whsec_", secret.slice(6), "zyxw", "127.0.0.1", "some words", id]) {
      expect(text).not.toContain(hidden);
    }
  });
});
