import { once } from "node:events";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { Agent, request as requestHttp } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { pino } from "pino";
import { encodeSubmission } from "twinwrap/escrow";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { end, followCertificate, isLoopback, listen, readCertificate } from "#build/http/listen.js";
import { build } from "#build/http/server.js";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import { failing, type Office, type TestFile } from "../authority/office.js";
import { Sandbox } from "../cli/run.js";
import { endProcesses, ServeProcess } from "./process.js";
import {
  bodyOf,
  call,
  closeServices,
  type Got,
  gotOf,
  hex,
  JSON_BODY,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// `authority serve` and `authority token`: where it listens, what it refuses, and how it ends.

const office = useOpenOffices();
const sandbox = new Sandbox();
afterEach(endProcesses);
afterAll(async () => {
  await closeServices();
  sandbox.remove();
});

let one: Office;
beforeAll(async () => {
  one = await office();
});
const HERE = ["--listen", "127.0.0.1:0"];

test("it listens, serves, shows figures on a place of their own, and ends when it is told to", async () => {
  const serve = new ServeProcess(one.folder, [...HERE, "--metrics", "127.0.0.1:0"]);
  const url = await serve.at();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const metrics = await serve.at("metrics");
  const token = await tokenFor(one, "submit", { owner: "olga" });
  const file = await one.file({ owner: "olga" });
  const got = await call(`${url}/v1/records`, { token, headers: JSON_BODY, body: bodyOf(file) });
  expect([got.status, (await one.service.receipt(file.record)) !== undefined]).toEqual([201, true]);
  expect((await call(`${url}/healthz`)).text).toBe("alive\n");
  expect((await call(`${url}/readyz`)).text).toBe("ready\n");
  const figures = await call(metrics);
  expect(figures.text).toMatch(/^twinwrap_records\{status="verified"\} 1$/m);
  expect(figures.text).toMatch(/^twinwrap_unlocked 1$/m);
  expect(figures.text).toMatch(
    /^twinwrap_call_seconds_count\{method="POST",route="\/v1\/records",status="201"\} 1$/m,
  );
  expect(figures.text).not.toMatch(/olga/);
  for (const [path, method] of [
    ["/", "GET"],
    ["/metrics", "POST"],
    ["/v1/authority", "GET"],
  ] as const) {
    expect((await call(metrics.replace("/metrics", path), { method })).status).toBe(404);
  }
  expect((await call(`${url}/metrics`)).status).toBe(404);
  await expect.poll(() => serve.log.some(({ route }) => route === "/v1/records")).toBe(true);
  expect(await serve.end()).toBe(0);
  expect(serve.stderr).not.toMatch(/olga/);
});

test("how much it logs is said", async () => {
  const quiet = new ServeProcess(one.folder, [...HERE, "--log-level", "silent"]);
  await call(`${await quiet.at()}/v1/records`);
  expect(await quiet.end("SIGINT")).toBe(0);
  expect(quiet.log).toEqual([]);
  const warns = new ServeProcess(one.folder, HERE, { TWINWRAP_LOG_LEVEL: "warn" });
  const url = await warns.at();
  await call(`${url}/healthz`);
  await call(`${url}/v1/records`);
  expect(await warns.end()).toBe(0);
  expect(warns.log.map(({ status }) => status)).toEqual([401]);
  expect((await sandbox.shell(`twinwrap authority serve x --log-level loud`)).code).toBe(2);
});

test("it refuses what can't be meant, in one line", async () => {
  const tls = await certificateForLocalhost();
  sandbox.write("cert.pem", tls.cert);
  sandbox.write("key.pem", tls.key);
  sandbox.write("other.pem", (await certificateForLocalhost()).key);
  sandbox.write("text", "hello");
  const serve = (options: string) =>
    sandbox.shell(`twinwrap authority serve "${one.folder}" ${options} < /dev/null`);
  for (const [options, code, words] of [
    ["--listen 0.0.0.0:0", 2, /seen from outside/],
    ["--listen [::]:0", 2, /seen from outside/],
    ["--listen 127.example.org:0", 2, /seen from outside/],
    ["--listen keys.example.org:0", 2, /seen from outside/],
    ["--listen 127.0.0.1", 2, /HOST:PORT/],
    ["--listen 127.0.0.1:70000", 2, /HOST:PORT/],
    ["--listen 127.0.0.1:0 --tls-cert cert.pem", 2, /belong together/],
    ["--socket s --tls-cert cert.pem --tls-key key.pem", 2, /takes no certificate/],
    ["--listen 127.0.0.1:0 --tls-cert none.pem --tls-key key.pem", 1, /none\.pem/],
    ["--listen 127.0.0.1:0 --tls-cert text --tls-key key.pem", 1, /no certificate and its key/],
    ["--listen 127.0.0.1:0 --tls-cert cert.pem --tls-key other.pem", 1, /no certificate and its/],
    ["--listen 127.0.0.1:0 --origin-allowed https://x.example/path", 2, /an origin/],
    ["--listen 127.0.0.1:0 --origin-allowed '*'", 2, /an origin/],
    ["--listen 127.0.0.1:0 --calls-per-minute 0", 2, /calls-per-minute/],
  ] as const) {
    const got = await serve(options);
    expect([options, got.code, got.stderr]).toEqual([options, code, expect.stringMatching(words)]);
    // And how to get help.
    expect(got.stderr.trim().split("\n")).not.toHaveLength(3);
  }
  const file = await sandbox.shell("twinwrap authority serve text");
  expect([file.code, file.stderr]).toEqual([2, expect.stringMatching(/is no folder/)]);
  for (const [host, isHere] of [
    ["localhost", true],
    ["127.0.0.1", true],
    ["127.1.2.3", true],
    ["::1", true],
    ["0.0.0.0", false],
    ["127.0.0.1.example", false],
    ["127.999.1.1", false],
    ["::", false],
    ["", false],
  ] as const) {
    expect([host, isLoopback(host)]).toEqual([host, isHere]);
  }
});

test("where somebody else listens it says so, and ends", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const place = `127.0.0.1:${port}`;
  for (const options of [
    ["--listen", place, "--metrics", "127.0.0.1:0"],
    [...HERE, "--metrics", place],
  ]) {
    const serve = new ServeProcess(one.folder, options);
    expect(await serve.ended).toBe(1);
    expect(serve.stderr).toContain(`can't listen on ${place}: somebody else listens there`);
  }
  taken.close();
});

test("on a socket: a dead one is replaced, a live one is not, and a file is not", async () => {
  const path = join(one.folder, "..", "s");
  const ask = () =>
    new Promise<Got>((resolve, reject) => {
      requestHttp({ socketPath: path, path: "/healthz" }, async (response) => {
        const parts: Buffer[] = [];
        for await (const part of response) parts.push(part);
        resolve(gotOf(response.statusCode!, response.headers, Buffer.concat(parts)));
      })
        .on("error", reject)
        .end();
    });
  const first = new ServeProcess(one.folder, ["--socket", path]);
  expect(await first.at()).toContain(path);
  expect((await ask()).text).toBe("alive\n");
  const second = new ServeProcess(one.folder, ["--socket", path]);
  expect(await second.ended).toBe(1);
  expect(second.stderr).toMatch(/somebody else listens there/);
  expect((await ask()).text).toBe("alive\n");
  expect(await first.end("SIGKILL")).toBe("SIGKILL");
  expect(existsSync(path)).toBe(true);
  const third = new ServeProcess(one.folder, ["--socket", path]);
  await third.at();
  expect((await ask()).text).toBe("alive\n");
  expect(await third.end()).toBe(0);
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, "a file");
  const fourth = new ServeProcess(one.folder, ["--socket", path]);
  expect(await fourth.ended).toBe(1);
});

describe("when it is told to end", () => {
  test("under load, what was answered is there, and what was accepted is answered", async () => {
    const own = await office();
    const serve = new ServeProcess(own.folder, HERE);
    const url = await serve.at();
    const token = await tokenFor(own, "submit");
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const taken: Uint8Array[] = [];
    let refused = 0;
    let isTold = false;
    const one = async () => {
      while (!isTold || refused === 0) {
        const file = await own.file();
        const body = Buffer.from(encodeSubmission(file.submission));
        const status = await new Promise<number>((resolve) => {
          const options = {
            method: "POST",
            agent,
            headers: { ...JSON_BODY, authorization: `Bearer ${token}` },
          };
          requestHttp(`${url}/v1/records`, options, (response) => {
            response
              .resume()
              .on("end", () => resolve(response.statusCode!))
              .on("error", () => resolve(0));
          })
            .on("error", () => resolve(0))
            .end(body);
        });
        if (status === 201) taken.push(file.record);
        else refused++;
        if (status !== 201 && isTold) return;
      }
    };
    const load = [one(), one(), one(), one()];
    await expect.poll(() => taken.length).toBeGreaterThan(20);
    isTold = true;
    expect(await serve.end()).toBe(0);
    await Promise.all(load);
    expect(serve.stderr).not.toMatch(/cut off/);
    const there = await own.service.recordsByHash(taken);
    expect(there).toHaveLength(taken.length);
    await own.service.verifyLog();
    // Nobody got an answer of another kind.
    const statuses = serve.log.filter(({ msg }) => msg === "call").map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([201]));
    agent.destroy();
  });

  test("a connection over which no call has come keeps nobody waiting", async () => {
    const app = await build({ service: one.service });
    const url = await listen(app, { host: "127.0.0.1", port: 0 });
    const connected = new Promise<void>((resolve) =>
      app.server.once("connection", () => resolve()),
    );
    const silent = connect(Number(new URL(url).port), "127.0.0.1");
    silent.on("error", () => {});
    await connected;
    expect(await end(app, 100_000)).toBe(true);
    silent.destroy();
  });

  test("a call that is at work is finished, on a connection that would be kept", async () => {
    let isIn = () => {};
    const entered = new Promise<void>((resolve) => (isIn = resolve));
    let go = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    const service = Object.create(one.service, {
      file: {
        value: async () => {
          isIn();
          await held;
          return one.service.file();
        },
      },
    });
    const app = await build({ service });
    const url = await listen(app, { host: "127.0.0.1", port: 0 });
    const agent = new Agent({ keepAlive: true });
    const got = new Promise<number>((resolve) => {
      requestHttp(`${url}/v1/authority`, { agent }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode!));
      }).end();
    });
    await entered;
    const ended = end(app, 60_000);
    go();
    expect([await got, await ended]).toEqual([200, true]);
    agent.destroy();
  });

  test("a call that never ends is cut off in time", async () => {
    const service = Object.create(one.service, { file: { value: () => new Promise(() => {}) } });
    const app = await build({ service });
    const url = await listen(app, { host: "127.0.0.1", port: 0 });
    const asked = call(`${url}/v1/authority`);
    asked.catch(() => {});
    await expect.poll(() => connections(app.server as never)).toBe(1);
    expect(await end(app, 50)).toBe(false);
    await expect(asked).rejects.toThrow();
  });
});

const connections = (server: { getConnections(done: (error: unknown, n: number) => void): void }) =>
  new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));

describe("over TLS", () => {
  const put = (name: string, text: string) => {
    sandbox.write(`${name}.new`, text);
    renameSync(sandbox.file(`${name}.new`), sandbox.file(name));
  };
  const shown = (port: number, options = {}) =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
      socket.on("error", reject).on("secureConnect", () => {
        resolve(`${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`);
        socket.destroy();
      });
    });

  test("a certificate that was replaced is shown from then on, and half of one is not", async () => {
    const [first, second] = [
      await certificateForLocalhost("first"),
      await certificateForLocalhost("second"),
    ];
    put("cert.pem", first.cert);
    put("key.pem", first.key);
    const files = { cert: sandbox.file("cert.pem"), key: sandbox.file("key.pem") };
    const app = await build({ service: one.service, tls: await readCertificate(files) });
    await listen(app, { host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const stop = followCertificate(app, files, logger, 20);
    try {
      expect(await shown(port)).toBe("first TLSv1.3");
      await expect(shown(port, { maxVersion: "TLSv1.1" })).rejects.toThrow();
      put("cert.pem", second.cert);
      await expect.poll(() => lines.length).toBeGreaterThan(0);
      expect(await shown(port)).toBe("first TLSv1.3");
      put("key.pem", second.key);
      await expect.poll(() => shown(port)).toBe("second TLSv1.3");
      expect(lines.at(-1)).toMatch(/was replaced/);
      await expect(shown(port, { maxVersion: "TLSv1.1" })).rejects.toThrow();
      expect(await shown(port, { maxVersion: "TLSv1.2" })).toBe("second TLSv1.2");
    } finally {
      stop();
      await app.close();
    }
    await expect(readCertificate({ ...files, key: sandbox.file("cert.pem") })).rejects.toEqual(
      failing("BAD_KEY"),
    );
  });

  test("it serves by the command too", async () => {
    const tls = await certificateForLocalhost();
    put("cert.pem", tls.cert);
    put("key.pem", tls.key);
    const files = ["--tls-cert", sandbox.file("cert.pem"), "--tls-key", sandbox.file("key.pem")];
    const serve = new ServeProcess(one.folder, [...HERE, ...files]);
    const url = await serve.at();
    expect(url).toMatch(/^https:/);
    const got = await call(`${url}/healthz`, { ca: tls.cert });
    expect([got.text, got.headers["strict-transport-security"]]).toEqual([
      "alive\n",
      expect.any(String),
    ]);
    await expect(call(url.replace("https", "http"))).rejects.toThrow();
    expect(await serve.end("SIGHUP")).toBe(0);
  });
});

describe("tokens, by the command", () => {
  const token = (line: string) => sandbox.shell(`twinwrap authority token ${line}`);
  const at = () => `--authority "${one.folder}"`;

  test("are made, listed and revoked; what lets in is shown once and kept nowhere", async () => {
    const made = await token(
      `add --scope submit,recover --owner oda --expires 2999-12-31 --json ${at()}`,
    );
    const facts = JSON.parse(made.stdout);
    expect(facts).toMatchObject({
      scopes: ["submit", "recover"],
      owner: "oda",
      expires: "2999-12-31T23:59:59Z",
    });
    expect(facts.token).toMatch(/^twinwrap_[\w-]{43}$/);
    expect((await one.service.token(facts.token))!.id).toBe(facts.id);
    const list = await token(`list --json ${at()}`);
    expect(JSON.parse(list.stdout)).toContainEqual(
      expect.objectContaining({ id: facts.id, owner: "oda" }),
    );
    const shown = await token(`list ${at()} --read-only`);
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringMatching(/oda.*good until 2999/)]);
    expect(list.stdout + shown.stdout).not.toContain(facts.token.slice(9));
    const kept = await sandbox.shell(`grep -rl "${facts.token.slice(9)}" "${one.folder}"`);
    expect([kept.code, kept.stdout]).toEqual([1, ""]);
    const revoked = await token(`revoke ${facts.id.slice(0, 8)} ${at()}`);
    expect([revoked.code, revoked.stdout]).toEqual([0, expect.stringContaining(facts.id)]);
    expect(await one.service.token(facts.token)).toBeUndefined();
    const again = await token(`revoke ${facts.id} ${at()}`);
    expect(again.code).toBe(0);
    expect((await token(`list ${at()}`)).stdout).toMatch(/oda.*revoked/);
  });

  test("are not made of what makes no sense", async () => {
    for (const [line, code] of [
      ["add", 2],
      ["add --scope ''", 2],
      ["add --scope root", 2],
      ["add --scope submit,root", 2],
      ["add --scope submit --expires 2000-01-01", 2],
      ["add --scope submit --expires 2999-02-30", 2],
      ["add --scope submit --expires soon", 2],
      ["add --scope submit --owner 'a b'", 2],
      ["add --scope submit --owner ''", 2],
      ["revoke zzz", 1],
      ["revoke ''", 1],
    ] as const) {
      const got = await token(`${line} ${at()}`);
      expect([line, got.code, got.stdout]).toEqual([line, code, ""]);
    }
    const before = await one.service.tokens();
    expect(before.every(({ scopes }) => scopes.length > 0)).toBe(true);
  });
});

test("on a disk that is full it takes nothing, says so, and loses nothing that it took", async () => {
  const full = await office();
  const token = await tokenFor(full, ["submit", "read"]);
  const files: TestFile[] = [];
  for (let i = 0; i < 40; i++) files.push(await full.file());
  await full.service.close();
  const place = [...HERE, "--log-level", "error"];
  // No file of the service's can grow beyond this, as on a disk without room.
  const cramped = new ServeProcess(full.folder, place, {}, 768);
  let url = await cramped.at();
  const submit = (file: TestFile) =>
    call(`${url}/v1/records`, { token, headers: JSON_BODY, body: bodyOf(file) });
  const receipt = (file: TestFile) =>
    call(`${url}/v1/records/${hex(file.record)}/receipt`, { token });
  const answers: Got[] = [];
  for (const file of files) {
    answers.push(await submit(file));
    if (answers.at(-1)!.status !== 201) break;
  }
  const refused = answers.pop()!;
  const [taken, first] = [files.slice(0, answers.length), files[answers.length]!];
  expect(taken.length).toBeGreaterThan(0);
  expect([refused.status, refused.json?.code]).toEqual([503, "UNAVAILABLE"]);
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  expect(refused.text).not.toMatch(/sqlite|disk|\//i);
  // It lives, and answers what takes no room.
  expect((await call(`${url}/v1/authority`)).status).toBe(200);
  for (const file of taken) expect((await receipt(file)).status).toBe(200);
  expect((await receipt(first)).status).toBe(404);
  expect((await submit(first)).status).toBe(503);
  expect(await cramped.end()).toBe(0);
  expect(cramped.log.some(({ reason }) => /disk|space/.test(String(reason)))).toBe(true);
  // With room again it goes on.
  const roomy = new ServeProcess(full.folder, place);
  url = await roomy.at();
  for (const file of taken) {
    const again = await submit(file);
    expect([again.status, again.json?.record]).toEqual([200, expect.any(String)]);
  }
  expect((await submit(first)).status).toBe(201);
  expect(await roomy.end()).toBe(0);
  await full.open();
  await full.service.verifyLog();
  expect(await full.service.countRecords()).toMatchObject({ verified: taken.length + 1 });
});
