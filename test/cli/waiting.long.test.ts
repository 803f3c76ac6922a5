import { spawn } from "node:child_process";
import { afterAll, expect, test, vi } from "vitest";
import { endProcesses, ServeProcess } from "../http/process.js";
import { Sandbox, TWINWRAP } from "./run.js";

// Whoever waits for a release waits over a restart of the service, too. The client asks for half a minute before it says
// that nobody is there.

const sandbox = new Sandbox();
afterAll(async () => {
  await endProcesses();
  sandbox.remove();
});

async function done(line: string, code = 0): Promise<string> {
  const result = await sandbox.shell(line);
  expect({ line, ...result, bytes: 0 }).toMatchObject({ line, code });
  return result.stdout + result.stderr;
}

/** `recover fetch --wait`, and what it has said so far. */
function waiting(id: string) {
  const line = ["recover", "fetch", id, "report.twin", "-k", "new.pem", "--wait"];
  const child = spawn(process.execPath, [TWINWRAP, ...line, "--authority", "me.authority"], {
    cwd: sandbox.file(""),
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let said = "";
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const until = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(said) && resolve();
      child.stderr.on("data", look);
      child.on("close", () => reject(new Error(said)));
      look();
    });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
  return { ended, until, said: () => said };
}

test("fetch --wait outlasts a service that is started again", { timeout: 300_000 }, async () => {
  for (const name of ["olivia", "new"]) sandbox.keyPair(name);
  sandbox.write("report", "figures");
  await done("twinwrap officer keygen -o ann.pem --no-passphrase");
  await done("twinwrap authority init acme --officer ann=ann.pub.pem --no-passphrase");
  await done("twinwrap authority policy sign -k ann.pem --yes --authority acme");
  await done("twinwrap authority token add --scope submit,recover -o token --authority acme");
  let serve = new ServeProcess(sandbox.file("acme"), ["--listen", "127.0.0.1:0"]);
  const url = await serve.at();
  const enrol = `twinwrap authority enrol ${url} --token-file token --yes -o me.authority`;
  await done(enrol);
  const of = "--authority me.authority";
  await done(`twinwrap encrypt report --owner olivia.pub.pem --owner-id olivia ${of}`);
  const asked = await done(
    `twinwrap recover request report.twin --to new.pub.pem --requester Olivia -o request.json ${of}`,
  );
  const id = /\b[a-z2-7]{26}\b/.exec(asked)![0];
  const fetching = waiting(id);
  // A second question shows that the first was answered: before that, an absent service is an error at once.
  const questions = () => serve.log.filter(({ route }) => route === "/v1/requests/:id/release");
  await vi.waitFor(() => expect(questions().length).toBeGreaterThan(1), {
    timeout: 120_000,
    interval: 50,
  });
  await serve.end();
  await fetching.until(/waiting for it/);
  serve = new ServeProcess(sandbox.file("acme"), ["--listen", new URL(url).host]);
  await serve.at();
  await done(
    `twinwrap authority approve ${id} -k ann.pem --identity "met in person" --yes --authority acme`,
  );
  expect([await fetching.ended, fetching.said()]).toEqual([
    0,
    expect.stringMatching(/report\.twin/),
  ]);
  await done("twinwrap decrypt report.twin -o again -k new.pem && cmp report again");
});
