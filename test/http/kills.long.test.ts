import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import {
  encodeReceipt,
  encodeRelease,
  type RecoveryRequest,
  requestHash,
  requestId,
  signApproval,
} from "twinwrap/escrow";
import { afterAll, expect, test } from "vitest";
import { HttpClient } from "#build/client/http.js";
import { balance } from "../../.tools/balancer.mjs";
import { core, Office } from "../authority/office.js";

// A service that is killed at any moment while a client works with it (SIGKILL). The client repeats what was not
// answered. What was answered stands, nothing is there twice, and a lost answer comes when the call is made again.

/** How often it is killed: 500 times with TWINWRAP_SERVICE_KILLS=500, as before a release. */
const KILLS = Number(process.env.TWINWRAP_SERVICE_KILLS ?? 15);
const PROGRAM = fileURLToPath(new URL("../../build/bin/twinwrap.js", import.meta.url));

const made: Office[] = [];
const children = new Set<ChildProcess>();
const closers: (() => void)[] = [];
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const close of closers) close();
  for (const office of made) await office.remove();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Serves a folder until it is killed. */
async function serve(folder: string, port: number): Promise<ChildProcess> {
  const words = ["authority", "serve", folder, "--listen", `127.0.0.1:${port}`];
  const rates = ["--calls-per-minute", "1000000", "--log-level", "error"];
  const child = spawn(process.execPath, [PROGRAM, ...words, ...rates], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let [out, errors] = ["", ""];
  child.stderr!.on("data", (data) => {
    errors += data;
  });
  for await (const data of child.stdout!) {
    out += data;
    if (out.includes("listening on")) return child;
  }
  throw new Error(`it does not listen: ${errors}`);
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  children.delete(child);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What was answered. */
interface Answers {
  receipts: Map<string, string>;
  requests: Map<string, { request: RecoveryRequest; approved: string[] }>;
  releases: Map<string, string>;
  /** Calls that were answered. */
  calls: number;
}

/** Hands in, asks, decides and fetches, over and over. @param isOver whether it is to end, between two rounds */
async function work(
  { office, decide }: { office: Office; decide: Decide },
  client: HttpClient,
  answers: Answers,
  isOver: () => boolean,
) {
  const { receipts, requests, releases } = answers;
  while (!isOver()) {
    const files = [await office.file(), await office.file(), await office.file()];
    for (const { submission, record } of files) {
      const [result] = await client.submit([submission]);
      if (result === undefined || "error" in result) throw result?.error ?? new Error("no result");
      receipts.set(Buffer.from(record).toString("hex"), sha256(encodeReceipt(result.receipt)));
      answers.calls++;
    }
    const request = office.request(files);
    const id = requestId(requestHash(core, request));
    await client.ask(request);
    const asked = { request, approved: [] as string[] };
    requests.set(id, asked);
    for (const who of ["ann", "bob"]) {
      await client.decide(await decide(who, request));
      asked.approved.push(who);
      answers.calls++;
    }
    const release = await client.released(id);
    if (release === undefined) throw new Error("it was approved, but not released");
    releases.set(id, sha256(encodeRelease(release)));
    answers.calls++;
  }
}

/** An authority with an open key, and a token for everything. */
async function authority(): Promise<{ office: Office; token: string; decide: Decide }> {
  const office = await Office.make({ passphrase: undefined, quorum: 2 });
  made.push(office);
  const { text } = await office.service.addToken({
    scopes: ["submit", "recover", "read", "officer"],
  });
  const { hash } = await office.policy();
  const decide = (who: string, request: RecoveryRequest) =>
    signApproval(core, office.officers.get(who)!, request, hash, {
      decision: "approve",
      identity: "known for years",
    });
  return { office, token: text, decide };
}

type Decide = (who: string, request: RecoveryRequest) => Promise<string>;

async function expectAllThere(office: Office, { receipts, requests, releases }: Answers) {
  const { service } = office;
  await service.verifyLog();
  const leaves = (await office.leaves()).map((leaf) => {
    const line = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(leaf)?.[1];
    return `${line("type")} ${line("record")} ${line("request")} ${line("policy")}`;
  });
  expect(new Set(leaves).size).toBe(leaves.length);
  for (const [record, hash] of receipts) {
    const receipt = await service.receipt(Buffer.from(record, "hex"));
    expect(sha256(encodeReceipt(receipt!))).toBe(hash);
  }
  for (const [id, { approved }] of requests) {
    const { decision } = await service.standing(id);
    const counted = decision.count.approving.map(({ officer }) => officer.name);
    expect(counted).toEqual(expect.arrayContaining(approved));
  }
  for (const [id, hash] of releases) {
    expect(sha256(encodeRelease((await service.released(id))!))).toBe(hash);
  }
}

const none = (): Answers => ({
  receipts: new Map(),
  requests: new Map(),
  releases: new Map(),
  calls: 0,
});

test(
  `a service is killed ${KILLS} times: what it answered stands, and its client goes on`,
  async () => {
    const { office, token, decide } = await authority();
    await office.service.close();
    const port = await freePort();
    const client = new HttpClient(core, {
      url: `http://127.0.0.1:${port}`,
      token,
      patience: 600_000,
    });
    const answers = none();
    let kills = 0;
    const working = work({ office, decide }, client, answers, () => kills === KILLS);
    let failure: unknown;
    working.catch((error) => {
      failure = error;
    });
    for (; kills < KILLS && failure === undefined; kills++) {
      const child = await serve(office.folder, port);
      const before = answers.calls;
      // Each time something is answered first, so that all of it gets its turn.
      while (answers.calls === before && failure === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await new Promise((resolve) => setTimeout(resolve, randomInt(0, 100)));
      await kill(child);
    }
    const last = await serve(office.folder, port);
    await working;
    await kill(last);
    await office.open();
    expect(answers.receipts.size).toBeGreaterThanOrEqual(3);
    await expectAllThere(office, answers);
  },
  600_000 + KILLS * 20_000,
);

test("of two processes behind a balancer one is killed: no call fails that is repeated", async () => {
  const { office, token, decide } = await authority();
  await office.service.close();
  const ports = [await freePort(), await freePort()];
  const first = await serve(office.folder, ports[0]!);
  // The same folder: two processes of one host.
  const second = await serve(office.folder, ports[1]!);
  const balancer = await balance(ports.map((port) => `http://127.0.0.1:${port}`));
  closers.push(() => balancer.close());
  const url = `http://127.0.0.1:${balancer.port}`;
  const client = new HttpClient(core, { url, token, patience: 600_000 });
  const answers = none();
  let isOver = false;
  const working = work({ office, decide }, client, answers, () => isOver);
  const until = async (calls: number) => {
    while (answers.calls < calls)
      await Promise.race([working, new Promise((r) => setTimeout(r, 5))]);
  };
  await until(3);
  await kill(first);
  const then = answers.calls;
  await until(then + 12);
  isOver = true;
  await working;
  await kill(second);
  await office.open();
  await expectAllThere(office, answers);
});
