import type { Connection } from "./postgres-connection.js";
import type { PostgresPlace } from "./postgres-url.js";
import { StoreError } from "./store-error.js";

// What a server must be set to, so that what it has committed stays, whatever happens to it.

/** @throws TwinwrapError REFUSED */
export async function checkDurability(
  connection: Connection,
  { acceptDataLoss }: PostgresPlace,
): Promise<void> {
  if (acceptDataLoss) return;
  const lossy = await lossySettings(connection);
  if (lossy.length === 0) return;
  throw new StoreError(
    "lossy",
    "REFUSED",
    `${connection.name} may lose what it has committed: ${lossy.join("; ")}`,
  );
}

async function lossySettings(connection: Connection): Promise<string[]> {
  const [row = {}] = await connection.exec(`SELECT
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous_standby_names,
    (SELECT count(*) FROM pg_stat_replication) AS standbys`);
  const lossy: string[] = [];
  for (const name of ["fsync", "full_page_writes"]) {
    if (row[name] !== "on") lossy.push(`${name} is ${row[name]}`);
  }
  const commit = row.synchronous_commit;
  const standbys = row.synchronous_standby_names;
  if (commit === "off") lossy.push("synchronous_commit is off");
  if (standbys !== "" && commit === "local") lossy.push("synchronous_commit is local");
  if (standbys === "" && Number(row.standbys) > 0) {
    lossy.push("it has standbys, but synchronous_standby_names is empty");
  }
  return lossy;
}
