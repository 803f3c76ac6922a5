import { createRequire } from "node:module";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

/** Whether the engine has SQLite itself, as an authority's embedded store takes it. */
export const isBuiltIn = major > 22 || (major === 22 && minor >= 13);

/** Or else better-sqlite3, which npm leaves out where it cannot be installed (.tools/sqlite). */
export const haveSqlite = isBuiltIn || hasPackage();

function hasPackage(): boolean {
  try {
    const Sqlite = createRequire(import.meta.url)("better-sqlite3");
    new Sqlite(":memory:").close();
    return true;
  } catch {
    return false;
  }
}
