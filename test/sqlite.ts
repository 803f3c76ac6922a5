import { createRequire } from "node:module";

/** Whether better-sqlite3 works: npm leaves it out where it cannot be installed (.tools/sqlite). */
export const haveSqlite = (() => {
  try {
    const Sqlite = createRequire(import.meta.url)("better-sqlite3");
    new Sqlite(":memory:").close();
    return true;
  } catch {
    return false;
  }
})();
