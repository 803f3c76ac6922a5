// The long tests of what an authority keeps, as before a release: on SQLite and on PostgreSQL, processes killed 1,000
// times, a standby promoted 50 times, every write failed once. Hours, not minutes, on a slow machine.
import { spawnSync } from "node:child_process";

const root = new URL("..", import.meta.url).pathname;
const env = {
  TWINWRAP_KILLS: "500", // on each store
  TWINWRAP_PROMOTIONS: "50",
  TWINWRAP_EVERY_MESSAGE: "1",
  ...process.env,
};
const files = ["processes", "faults", "standby", "lost"].map((name) => `test/authority/${name}`);
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--project", "long*", ...files],
  { cwd: root, env, stdio: "inherit" },
);
process.exit(status ?? 1);
