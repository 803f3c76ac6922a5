import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import { havePostgres, PostgresServer } from "../postgres.js";
import { Sandbox } from "./run.js";

// Every command of docs/authority.md, in its order, as one story. What stands for the reader's own (hosts, folders, a
// request's ID) is put in here, and what a person types: passphrases and confirmations.

const guide = readFileSync(
  fileURLToPath(new URL("../../docs/authority.md", import.meta.url)),
  "utf8",
);
const blocks = [...guide.matchAll(/```sh ?(\w*)\n(.*?)```/gs)].map(([, kind, text]) => ({
  kind: kind!,
  lines: text!.trimEnd().split("\n"),
}));

const sandbox = new Sandbox();
const folder = sandbox.path;
let service: ChildProcess | undefined;
let server: PostgresServer | undefined;
afterAll(async () => {
  service?.kill("SIGKILL");
  await server?.end();
  server?.remove();
  sandbox.remove();
});

let url = "";
let id = "";
const environment: Record<string, string> = {};

/** The command as it is run here. */
function here(line: string): string {
  const typed = line
    .replaceAll("/var/lib/twinwrap/", "lib/")
    .replaceAll("/backup/", "copies/")
    .replaceAll("~/documents", ".")
    .replaceAll("https://keys.example.org:8420", url)
    .replaceAll("0.0.0.0:8420", "localhost:0")
    .replace("postgres://acme@db.example.org/escrow", server?.url ?? "")
    // Nobody waits for a day here.
    .replace("--waiting 86400", "--waiting 0")
    .replace(/ ID\b/, ` ${id}`);
  if (/ (keygen|enrol) /.test(typed)) {
    return `${typed} --no-passphrase${/ enrol /.test(typed) ? " --yes" : ""}`;
  }
  return / (sign|approve|propose|close|veto)\b/.test(typed) ? `${typed} --yes` : typed;
}

async function run(line: string, expected = 0): Promise<string> {
  const set = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
  const command = `${set.join(" ")} ${here(line)}`;
  const { stdout, stderr, code } = await sandbox.shell(command);
  expect({ line, code, stderr: code === expected ? "" : stderr }).toEqual({
    line,
    code: expected,
    stderr: "",
  });
  return stdout;
}

async function serve(line: string): Promise<void> {
  const words = here(line).split(" ").slice(1);
  const program = fileURLToPath(new URL("../../build/bin/twinwrap.js", import.meta.url));
  service = spawn(process.execPath, [program, ...words, "--log-level", "warn"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  for await (const data of service.stdout!) {
    out += data;
    const [, place] = /listening on (\S+)\n/.exec(out) ?? [];
    if (place === undefined) continue;
    url = place.replace(/127\.0\.0\.1|\[::1\]/, "localhost");
    return;
  }
  throw new Error(`it does not listen: ${out}`);
}

/** What belongs to the story, but is told without a command: other people do the same. */
const ALSO: [after: RegExp, lines: string[]][] = [
  [
    /policy sign -k ann/,
    ["bob", "cyd"].flatMap((who) => [
      `twinwrap authority token add --scope officer -o ${who}.token --authority /var/lib/twinwrap/authority`,
      `twinwrap authority enrol https://keys.example.org:8420 --token-file ${who}.token -o ${who}.authority`,
      `twinwrap authority policy sign -k ${who}.pem --authority ${who}.authority`,
    ]),
  ],
  [
    /approve ID -k ann/,
    ['twinwrap authority approve ID -k bob.pem --identity "called back" --authority bob.authority'],
  ],
];

test("the guide has commands of each part", () => {
  expect(blocks.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["install", "serve", "postgres", ""]),
  );
});

test("a reader can do all that the guide says, in its order", async () => {
  const { cert, key } = await certificateForLocalhost();
  writeFileSync(join(folder, "cert.pem"), cert);
  writeFileSync(join(folder, "key.pem"), key);
  writeFileSync(join(folder, "secret.txt"), "kept in a safe\n");
  writeFileSync(join(folder, "report.pdf"), "figures");
  for (const name of ["lib", "copies"]) mkdirSync(join(folder, name));
  environment.NODE_EXTRA_CA_CERTS = join(folder, "cert.pem");
  if (havePostgres) server = await PostgresServer.start();
  for (const { kind, lines } of blocks) {
    // The package is tried where it is packed.
    if (kind === "install" || (kind === "postgres" && server === undefined)) continue;
    for (const line of lines) {
      if (kind === "serve") await serve(line);
      else if (line.startsWith("export ")) {
        const [name, value] = line.slice("export ".length).split("=") as [string, string];
        environment[name] = here(value);
      } else {
        if (line.includes("recover veto")) {
          const again = "twinwrap recover request report.pdf.twin --to new.pub.pem";
          await ask(`${again} --requester "Somebody" -o again.json`);
        }
        const revoked = line.includes("token revoke") ? await tokenId() : id;
        [id] = [revoked];
        if (line.includes("recover request")) await ask(line);
        else await run(line);
      }
      for (const [after, more] of ALSO) {
        if (after.test(line)) for (const one of more) await run(one);
      }
    }
  }
  const log = "twinwrap authority log verify --authority /var/lib/twinwrap/authority";
  expect(await run(log)).toContain("verified");
  service!.kill("SIGTERM");
  const [code] = await once(service!, "exit");
  expect(code).toBe(0);
});

async function ask(line: string): Promise<void> {
  [, id] = /^request +(\S+)/m.exec(await run(line)) as unknown as [string, string];
}

async function tokenId(): Promise<string> {
  const list = await run(
    "twinwrap authority token list --json --authority /var/lib/twinwrap/authority",
  );
  return (JSON.parse(list) as { id: string }[])[0]!.id;
}
