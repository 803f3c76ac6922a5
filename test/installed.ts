import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { install } from "./install.js";

export { root } from "./install.js";

/** A project that has installed it. */
export const folder = mkdtempSync(join(tmpdir(), "twinwrap-package-"));
export const installed = join(folder, "node_modules", "twinwrap");

beforeAll(() => {
  install(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
