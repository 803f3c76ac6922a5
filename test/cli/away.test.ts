import { existsSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeOwnerFile, encodeOwnerFile } from "twinwrap/escrow";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endProcesses, ServeProcess } from "../http/process.js";
import { Sandbox } from "./run.js";

// A connection file on the command line: what is sealed or submitted while the service is away is sent later.

const sandbox = new Sandbox();
const liars: Server[] = [];
afterAll(async () => {
  for (const server of liars) server.close();
  await endProcesses();
  sandbox.remove();
});

let serve: ServeProcess;
let port: string;

async function done(line: string, code = 0): Promise<string> {
  const result = await sandbox.shell(line);
  expect({ line, ...result, bytes: 0 }).toMatchObject({ line, code });
  return result.stdout + result.stderr;
}

async function begin(): Promise<void> {
  serve = new ServeProcess(sandbox.file("acme"), ["--listen", `127.0.0.1:${port}`]);
  port = new URL(await serve.at()).port;
}

beforeAll(async () => {
  sandbox.keyPair("olivia");
  await done("twinwrap officer keygen -o ann.pem --no-passphrase");
  await done(
    "twinwrap authority init acme --officer ann=ann.pub.pem --no-passphrase --unproven taken",
  );
  await done("twinwrap authority policy sign -k ann.pem --yes --authority acme");
  await done(
    "twinwrap authority token add --scope submit,recover --owner olivia -o token --authority acme",
  );
  port = "0";
  await begin();
  sandbox.write("secret", "of the control key\n");
  await done(
    `twinwrap authority enrol http://127.0.0.1:${port} --token-file token --yes --passphrase-file secret -o me.authority`,
  );
});

test("what the service does not get now it gets by escrow flush, each thing once", async () => {
  sandbox.write("report", "figures");
  await done("twinwrap authority info --authority acme --wrap-key acme.publickeyblob");
  await done("twinwrap key convert acme.publickeyblob -o acme.pub.pem --to pem");
  await done(
    "twinwrap blob generate --alg aes-256 --to acme.pub.pem -o ledger.simpleblob --padding oaep",
  );
  await serve.end();
  const sealed = await done(
    "twinwrap encrypt report --owner olivia.pub.pem --authority me.authority",
    5,
  );
  expect(sealed).toMatch(/^escrow +pending: .*escrow flush/m);
  const submitted = await done(
    "twinwrap escrow submit ledger.simpleblob --description Ledger --authority me.authority",
    5,
  );
  expect(submitted).toMatch(
    /^escrow +pending: run `twinwrap escrow flush ledger.*submission.json`/m,
  );
  // The owner is the one that the connection names.
  expect(submitted).toMatch(/^owner +olivia$/m);
  expect(await done("twinwrap decrypt report.twin -k olivia.pem -o -")).toContain("figures");
  await begin();
  const flushed = await done("twinwrap escrow flush . --authority me.authority");
  expect(flushed).toMatch(/^\.?\/?ledger\S+ +unproven by /m);
  expect(flushed).toMatch(/^\.?\/?report\.twin +verified by /m);
  const again = await done("twinwrap escrow flush . --authority me.authority");
  expect(again).not.toContain("ledger");
  await done("twinwrap verify report.twin --authority me.authority");
});

test("a connection file may come through a pipe, or on standard input: it is read once", async () => {
  for (const given of ["--authority <(cat me.authority)", "--authority - < me.authority"]) {
    const line = `twinwrap encrypt report --force --owner olivia.pub.pem ${given}`;
    expect(await done(line)).toMatch(/^escrow +verified by /m);
  }
  expect(await done("twinwrap authority info --authority <(cat acme/authority.json)")).toContain(
    "fingerprint",
  );
});

test("whoever says nothing about their files is told once what officers will see, unless they say -q; a name is never told", async () => {
  for (const name of ["secret1", "secret2"]) sandbox.write(name, name);
  const hints = async (more: string) => {
    const seal = `twinwrap encrypt secret1 secret2 --force --to olivia.pub.pem ${more}`;
    const { code, stderr } = await sandbox.shell(seal);
    expect(code).toBe(0);
    return stderr.split("\n").filter((line) => line !== "");
  };
  const to = "--authority me.authority";
  expect(await hints(to)).toEqual([
    expect.stringMatching(/^twinwrap: officers will see olivia as the owner, and no description: /),
  ]);
  for (const silent of ["-q", "--description Ledger", "--owner-id olivia"]) {
    expect({ silent, hints: await hints(`${to} ${silent}`) }).toEqual({ silent, hints: [] });
  }
  expect(await hints("")).toEqual([]);
  const records = await done("twinwrap authority list --authority acme --json");
  expect(records).toContain('"Ledger"');
  expect(records).not.toContain("secret");
});

/** The service, but it enrols somebody else than it is asked to. @returns its port */
async function liar(owner: string): Promise<number> {
  const server = createServer((asked, answer) => {
    const { method, headers, url } = asked;
    const options = { host: "127.0.0.1", port, method, headers, path: url };
    const onwards = request(options, async (got) => {
      let body = Buffer.concat(await got.toArray());
      if (url === "/v1/enrolments") {
        body = Buffer.from(encodeOwnerFile({ ...decodeOwnerFile(body), owner }));
      }
      answer.writeHead(got.statusCode!, { ...got.headers, "content-length": body.length });
      answer.end(body);
    });
    asked.pipe(onwards);
  });
  liars.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("who is enrolled is compared; a new control key's passphrase is read once", async () => {
  await done(
    "twinwrap authority token add --scope submit,recover --owner nora -o nora.token --authority acme",
  );
  const enrol = (at: number | string) =>
    `twinwrap authority enrol http://127.0.0.1:${at} --token-file nora.token --yes --passphrase-file <(cat secret) -o nora.authority`;
  const refused = await done(enrol(await liar("mallory")), 3);
  expect(refused).toMatch(/enrolled somebody else than it was asked to/);
  expect(existsSync(sandbox.file("nora.authority"))).toBe(false);
  // The key that was made for it is taken again.
  const key = sandbox.read("nora.control.pem");
  await done(enrol(port));
  expect(sandbox.read("nora.control.pem")).toEqual(key);
});

test("a token that could not be written lets nobody in", async () => {
  await done("twinwrap authority token add --scope read -o nowhere/token --authority acme", 1);
  const tokens = JSON.parse(await done("twinwrap authority token list --json --authority acme"));
  const [made] = tokens.filter(({ scopes }: { scopes: string[] }) => scopes.includes("read"));
  expect(made === undefined || made.revoked !== undefined).toBe(true);
  expect(existsSync(sandbox.file("nowhere"))).toBe(false);
});
