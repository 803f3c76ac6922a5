import { chmodSync, cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeOwnerFile, encodeReceipt } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuthorityService } from "#build/authority/service.js";
import { encodeConnection } from "#build/escrow/connection.js";
import { build } from "#build/http/server.js";
import { type Office, useOffices } from "../authority/office.js";
import { newSigner } from "../escrow/signers.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// `twinwrap watch`, against a service that listens.

const office = useOffices({ isOpen: true });
const sandbox = new Sandbox();
const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
  sandbox.remove();
});

async function serve(service: AuthorityService): Promise<string> {
  const app = await build({ service });
  closing.push(() => app.close());
  return app.listen({ port: 0, host: "127.0.0.1" });
}

/** What stands on standard output, a JSON value a line. */
const facts = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe.skipIf(!haveSqlite)("watch", () => {
  let one: Office;
  let url: string;
  beforeAll(async () => {
    one = await office();
    url = await serve(one.service);
    cpSync(`${one.folder}/authority.json`, sandbox.file("authority.json"));
  });

  const watch = (more: string, file = "authority.json") =>
    sandbox.shell(`twinwrap watch --authority ${file} --once ${more}`);

  test("shows what is new, once, and keeps what it saw to itself", async () => {
    const first = await watch(`--url ${url}`);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(
      /^\S+Z {2}identity 1 is in force {2}\(entry 0 of .*\)\n\S+Z {2}policy 1 is in force/,
    );
    const state = sandbox.file("authority.json.watch");
    expect(statSync(state).mode & 0o777).toBe(0o600);
    expect(await watch(`--url ${url}`)).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const { id } = await one.asked(await one.files(1));
    const next = await watch(`--url ${url}/ --json`);
    expect([next.code, next.stderr]).toEqual([0, ""]);
    expect(facts(next.stdout)).toMatchObject([
      { authority: one.service.authority.origin, type: "request", request: id, index: 3 },
    ]);
    expect(sandbox.leftovers()).toEqual([]);
    // The state is given by name as well, and is then another watcher's.
    const other = await watch(`--url ${url} --state other.watch`);
    expect(other.stdout.split("\n")).toHaveLength(4);
  });

  test("takes a folder, or a file that says where the service is and who the owner is", async () => {
    const control = newSigner("olivia");
    const { secret } = await one.service.enrolOwner("olivia", control.publicKey);
    const authority = await one.service.file();
    const connection = { url, authority, token: undefined, owner: { id: "olivia", secret } };
    writeFileSync(sandbox.file("acme.authority"), encodeConnection(connection));
    await one.asked(await one.files(1, { owner: "oscar" }));
    const mine = await one.asked(await one.files(1, { owner: "olivia" }));
    const seen = await watch("--json", "acme.authority");
    expect(seen.stderr).toBe("");
    const requests = (stdout: string) =>
      facts(stdout).flatMap(({ type, request }) => (type === "request" ? [request] : []));
    expect(requests(seen.stdout)).toContain(mine.id);
    const all = await watch(`--json --url ${url} --state folder.watch`, `'${one.folder}'`);
    expect(requests(all.stdout).length).toBe(requests(seen.stdout).length + 1);
    const { origin, fingerprint } = one.service.authority;
    const owner = encodeOwnerFile({ authority: origin, fingerprint, owner: "olivia", secret });
    writeFileSync(sandbox.file("olivia.owner"), owner);
    const named = await watch(
      `--json --url ${url} --owner-secret olivia.owner --state named.watch`,
    );
    expect(named.stdout).toBe(seen.stdout);
  });

  test("runs a command with the facts on its standard input, where no shell sees them", async () => {
    const { id } = await one.asked(await one.files(1));
    const told = await watch(
      `--url ${url} --state exec.watch --exec 'cat >> told; echo "said $#"'`,
    );
    expect(told.code).toBe(0);
    // What it says does not mix with the facts.
    expect(told.stdout).not.toContain("said");
    expect(told.stderr).toContain("said 0\n");
    const lines = facts(sandbox.read("told").toString());
    expect(lines.at(-1)).toMatchObject({ type: "request", request: id });
    // One that fails is told again.
    const { id: next } = await one.asked(await one.files(1));
    const failed = await watch(`--url ${url} --state exec.watch --exec 'exit 7'`);
    expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("ended with code 7")]);
    const again = await watch(`--url ${url} --state exec.watch --exec true --json`);
    expect(facts(again.stdout)).toMatchObject([{ type: "request", request: next }]);
  });

  test("says loudly if a receipt is missing, or the log is not the one that it saw, and ends with code 3", async () => {
    const [taken] = await one.take((await one.file()).submission);
    writeFileSync(sandbox.file("mine.receipt"), encodeReceipt(taken!.receipt));
    expect(await watch(`--url ${url} --receipt mine.receipt`)).toMatchObject({
      code: 0,
      stderr: "",
    });
    // A service that shows the log as it was before: entries that are signed, and fewer than there are.
    const old = await (await fetch(`${url}/log/0/checkpoint`)).text();
    await one.files(1);
    await watch(`--url ${url}`);
    const server = createServer(async (request, response) => {
      const isCheckpoint = request.url!.endsWith("/checkpoint");
      const answer = isCheckpoint
        ? old
        : Buffer.from(await (await fetch(url + request.url)).arrayBuffer());
      response.writeHead(200).end(answer);
    });
    closing.push(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const state = readFileSync(sandbox.file("authority.json.watch"));
    const back = await watch(`--url http://127.0.0.1:${port} --exec 'cat > told'`);
    expect([back.code, back.stdout]).toEqual([3, ""]);
    expect(back.stderr).toMatch(/^twinwrap: ALARM: log .* was rolled back/);
    expect(facts(sandbox.read("told").toString())).toMatchObject([{ type: "contradiction" }]);
    // What was seen is not forgotten over it.
    expect(readFileSync(sandbox.file("authority.json.watch"))).toEqual(state);
    // Without --once that is the end as well.
    const line = `twinwrap watch --authority authority.json --url http://127.0.0.1:${port}`;
    expect((await sandbox.shell(line)).code).toBe(3);
    const newer = (await one.take((await one.file()).submission))[0]!.receipt;
    writeFileSync(sandbox.file("newer.receipt"), encodeReceipt(newer));
    const missing = await watch(
      `--url http://127.0.0.1:${port} --state fresh.watch --receipt mine.receipt --receipt newer.receipt`,
    );
    expect(missing.code).toBe(3);
    expect(missing.stderr).toMatch(/ALARM: the leaf of receipt newer\.receipt is not in the log/);
    expect(missing.stderr).not.toContain("mine.receipt");
  });

  test("refuses what it can't follow, and says why", async () => {
    const nowhere = await watch("");
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("give --url")]);
    expect((await watch("--url http://backup.example.org")).code).toBe(2);
    expect((await watch(`--url ${url} --interval 5`)).code).toBe(2);
    const other = await office();
    cpSync(`${other.folder}/authority.json`, sandbox.file("other.json"));
    const wrong = await watch(`--url ${url} --state other.json.watch`, "other.json");
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining("ALARM")]);
    const mixed = await watch(`--url ${url} --state authority.json.watch`, "other.json");
    expect([mixed.code, mixed.stderr]).toEqual([
      1,
      expect.stringContaining("of another authority"),
    ]);
    sandbox.write("broken.watch", "{}");
    const broken = await watch(`--url ${url} --state broken.watch`);
    expect([broken.code, broken.stdout]).toEqual([1, ""]);
    chmodSync(sandbox.file("broken.watch"), 0o600);
  });
});
