// What an authority's service takes: `npm run bench:authority [-- RECORDS [postgres://…]]`, HTTPS on loopback, 32
// connections; with --json goals and figures as JSON instead of text. RECORDS is how many are there when receipts are fetched, 10,000 by default. The load comes from this
// process, the service is another one. Each figure stands beside its yardstick of the same run:
//
// verified intakes a second beside the bare rate of RSA in one thread; the time of the slowest hundredth at half that
// load beside one call while nothing else is done; receipts a second beside a bare Fastify route that sends the same
// bytes over TLS. Memory of the service is told after each part.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { certificateForLocalhost } from "../.tools/certificate.mjs";
import { initDirectory, openDirectory } from "../build/authority/directory.js";
import { sharedCore } from "../build/core/index.js";
import {
  addSignature,
  encodeSubmission,
  makeSubmission,
  SigningKey,
} from "../build/escrow/index.js";
import { commitmentOf, recordHash } from "../build/escrow/record.js";
import { generateKeyPair, readPrivateKey } from "../build/keys/index.js";

const isJson = process.argv.includes("--json");
const [count = "10000", url] = process.argv.slice(2).filter((word) => word !== "--json");
const RECORDS = Number(count);
const CONNECTIONS = 32;
const ROUNDS = 3;
const WARM_UP = 2;
const folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "twinwrap-bench-"));
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
const core = await sharedCore();
const { cert, key } = await certificateForLocalhost();
writeFileSync(join(folder, "cert.pem"), cert);
writeFileSync(join(folder, "key.pem"), key);
const agent = new Agent({ ca: cert, keepAlive: true, maxSockets: CONNECTIONS });

const sorted = (values) => values.slice().sort((a, b) => a - b);
const median = (values) => sorted(values)[values.length >> 1];
const share = (values, part) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * part))];
const rate = (done, time) => (1000 * done) / time;
/** What was found, as `npm run bench` puts it beside its goals. */
const found = [];
const show = (what, text) => {
  if (!isJson) console.log(`${what.padEnd(52)} ${text}`);
};

/** Tells a figure that has a goal. @param bound `atLeast` or `atMost` */
function tell(what, against, value, bound, text) {
  const [[kind, wanted]] = Object.entries(bound);
  const reached = kind === "atLeast" ? value >= wanted : value <= wanted;
  found.push({ what, against, by: "median", ...bound, unit: "×", value, reached });
  show(what, `${text}: ${value.toFixed(2)} × (goal ${wanted})`);
}
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** One call. @returns status and body */
function call({ base, token }, method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": body.length }),
    };
    const sent = request(new URL(path, base), { method, agent, headers }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () =>
        resolve({ status: response.statusCode, body: Buffer.concat(pieces) }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Does all of it over all connections at once. @returns milliseconds of each call */
async function all(items, work) {
  let next = 0;
  const times = [];
  const connection = async () => {
    while (next < items.length) {
      const item = items[next++];
      times.push(await timed(() => work(item)));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return times;
}

/** Does so many a second, whether those before are done or not. @returns milliseconds of each call */
async function paced(items, perSecond, work) {
  const start = performance.now();
  const times = await Promise.all(
    items.map(async (item, i) => {
      const at = start + (1000 * i) / perSecond;
      await new Promise((wake) => setTimeout(wake, Math.max(0, at - performance.now())));
      const due = Math.max(at, start);
      await work(item);
      return performance.now() - due;
    }),
  );
  return times;
}

async function until(child, pattern) {
  let out = "";
  for await (const data of child.stdout) {
    out += data;
    const found = pattern.exec(out);
    if (found !== null) return found;
  }
  throw new Error(`it ended: ${out}`);
}

/** An authority with one officer, whose RSA key is not locked, and its service. */
async function authority(name, bits, store) {
  const officer = await SigningKey.from(new Uint8Array(randomBytes(32)));
  const { publicKey: shareKey } = await generateKeyPair({ bits: 2048 });
  const path = join(folder, name);
  const officers = [{ name: "ann", publicKey: officer.publicKey, shareKey }];
  await initDirectory(path, { bits, officers, ...(store === undefined ? {} : { store }) });
  const service = await openDirectory(path);
  const [{ row }] = await service.policies();
  await service.takePolicy(await addSignature(core, row.note, officer.signer("ann")));
  const { text: token } = await service.addToken({ scopes: ["submit", "read"] });
  const about = service.authority;
  await service.close();
  const child = spawn(
    process.execPath,
    [
      new URL("../build/bin/twinwrap.js", import.meta.url).pathname,
      ...["authority", "serve", path, "--listen", "localhost:0", "--openers", "1"],
      ...["--tls-cert", join(folder, "cert.pem"), "--tls-key", join(folder, "key.pem")],
      ...["--calls-per-minute", "1000000000", "--submissions-per-minute", "1000000000"],
      ...["--log-level", "warn", "--metrics", "127.0.0.1:0"],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  running.add(child);
  const [, listening, metrics] = await until(child, /listening on (\S+)\nmetrics on (\S+)/);
  const base = listening.replace(/127\.0\.0\.1|\[::1\]/, "localhost");
  return { path, about, base, token, metrics, child };
}

async function end({ child }) {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
  running.delete(child);
}

/** What the service uses, from its own figures. */
async function used({ metrics }) {
  const text = await (await fetch(metrics)).text();
  const figure = (name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)[1]);
  return {
    memory: figure("process_resident_memory_bytes") / 2 ** 20,
    cpu: figure("process_cpu_seconds_total"),
  };
}

async function submissions({ about: authority }, length) {
  const made = [];
  for (let i = 0; i < length; i++) {
    const sessionKey = randomBytes(32);
    const file = { serial: randomBytes(16), hash: randomBytes(32), salt: randomBytes(24) };
    const commitment = commitmentOf(core, { ...file, header: file.hash }, sessionKey);
    const about = { sessionKey, authority, owner: `owner-${i % 500}` };
    made.push(await makeSubmission(core, { ...about, file: { ...file, commitment } }));
  }
  return made;
}

function check({ status, body }) {
  if (status !== 200 && status !== 201) throw new Error(`status ${status}: ${body}`);
}
const handIn = (service) => async (submission) =>
  check(await call(service, "POST", "v1/records", Buffer.from(encodeSubmission(submission))));

async function intakes(where, bits, length, store) {
  const service = await authority(`${where}-${bits}`, bits, store);
  const name = `${where}, RSA-${bits}`;
  const wrap = await readPrivateKey(readFileSync(join(service.path, "wrap.pem")), { core });
  const prepared = core.rsaPrivateKey(wrap);
  const bare = [];
  const ours = [];
  const busy = [];
  const p99 = [];
  const idle = [];
  await all(await submissions(service, 64), handIn(service));
  for (let round = 0; round < ROUNDS; round++) {
    const some = await submissions(service, length);
    const blocks = some.map(({ wrap: { simpleBlob } }) =>
      simpleBlob.subarray(12).slice().reverse(),
    );
    const unwrapAll = () => {
      for (const block of blocks) prepared.unwrapKey(block, { padding: "oaep", length: 32 });
    };
    bare.push(rate(length, await timed(unwrapAll)));
    const [before, cpu] = [await used(service), process.cpuUsage()];
    const time = await timed(() => all(some, handIn(service)));
    ours.push(rate(length, time));
    const own = process.cpuUsage(cpu);
    const theirs = (await used(service)).cpu - before.cpu;
    busy.push([theirs / (time / 1000), (own.user + own.system) / 1000 / time]);
    for (const one of await submissions(service, 20)) {
      idle.push(await timed(() => handIn(service)(one)));
    }
    const half = await submissions(service, Math.min(length, 300));
    p99.push(share(await paced(half, ours.at(-1) / 2, handIn(service)), 0.99));
  }
  const ratios = ours.map((value, i) => value / bare[i]);
  tell(
    `${name}: verified intakes`,
    "RSA alone in one thread",
    median(ratios),
    { atLeast: 0.6 },
    `${median(ours).toFixed(0)} of ${median(bare).toFixed(0)} a second`,
  );
  const [theirs, own] = [0, 1].map((side) => median(busy.map((pair) => pair[side])));
  show(
    "  processors used",
    `service ${theirs.toFixed(2)}, load ${own.toFixed(2)} of ${availableParallelism()}`,
  );
  const one = median(idle);
  tell(
    `${name}: slowest hundredth at half that load`,
    "one idle call",
    median(p99) / one,
    { atMost: 6 },
    `${median(p99).toFixed(1)} ms, one idle call ${one.toFixed(1)} ms`,
  );
  prepared.dispose();
  return service;
}

/** A route that does nothing but send bytes over TLS, in a process of its own. */
async function bareRoute(bytes) {
  const script = `
    import fastify from "fastify";
    const app = fastify({ https: { cert: ${JSON.stringify(cert)}, key: ${JSON.stringify(key)} } });
    const body = Buffer.from(${JSON.stringify(bytes.toString("base64"))}, "base64");
    app.get("/receipt", async (_, reply) => reply.type("application/json").send(body));
    console.log("listening on " + (await app.listen({ host: "localhost", port: 0 })));`;
  const root = new URL("..", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const [, base] = await until(child, /listening on (\S+)/);
  return { base: base.replace(/127\.0\.0\.1|\[::1\]/, "localhost"), child };
}

async function receipts(where, service) {
  const made = [];
  const memory = [(await used(service)).memory];
  const chunk = 256;
  for (let at = 0; at < RECORDS; at += chunk) {
    const some = await submissions(service, Math.min(chunk, RECORDS - at));
    const list = Buffer.from(
      `[${some.map((one) => Buffer.from(encodeSubmission(one))).join(",")}]`,
    );
    check(await call(service, "POST", "v1/records", list));
    // Of all of them, some thousand are asked for.
    if (at % (Math.ceil(RECORDS / 4096 / chunk) * chunk) === 0) made.push(...some);
    if ((at / chunk) % 40 === 0) memory.push((await used(service)).memory);
  }
  const paths = made.map(
    ({ record }) => `v1/records/${Buffer.from(recordHash(core, record)).toString("hex")}/receipt`,
  );
  const first = await call(service, "GET", paths[0]);
  check(first);
  const bare = await bareRoute(first.body);
  const [ours, theirs] = [[], []];
  const some = paths.slice(0, 2000);
  // A service runs for months: what both do before they are compiled does not count.
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    if (round === 0) for (const rates of [ours, theirs]) rates.length = 0;
    theirs.push(
      rate(some.length, await timed(() => all(some, () => call(bare, "GET", "receipt")))),
    );
    const fetch = async (path) => check(await call(service, "GET", path));
    ours.push(rate(some.length, await timed(() => all(some, fetch))));
  }
  const ratio = median(ours.map((value, i) => value / theirs[i]));
  tell(
    `${where}: receipts of ${RECORDS} records`,
    "a bare Fastify route",
    ratio,
    { atLeast: 0.25 },
    `${median(ours).toFixed(0)} of ${median(theirs).toFixed(0)} a second`,
  );
  show("  memory of the service meanwhile", `${memory.map((mib) => mib.toFixed(0)).join(" ")} MiB`);
  await end(bare);
}

const stores = [["SQLite", undefined]];
if (url !== undefined) stores.push(["PostgreSQL", url]);
for (const [where, place] of stores) {
  const store = (bits) => place && { url: place, schema: `bench_${process.pid}_${bits}` };
  await end(await intakes(where, 3072, 300, store(3072)));
  const service = await intakes(where, 2048, 600, store(2048));
  await receipts(where, service);
  await end(service);
}
agent.destroy();
if (isJson) console.log(JSON.stringify(found));
