import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

// Tests run against the compiled package, by the names a user imports.
const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const alias = Object.entries(exports as Record<string, string | Record<string, unknown>>).flatMap(
  ([name, target]) => {
    const file = typeof target === "string" ? target : (target.node ?? target.default);
    return String(file).endsWith(".js")
      ? [
          {
            find: new RegExp(`^twinwrap${name.slice(1)}$`),
            replacement: new URL(String(file), import.meta.url).pathname,
          },
        ]
      : [];
  },
);

export default defineConfig({
  resolve: {
    alias: [
      ...alias,
      { find: /^#build\//, replacement: new URL("build/", import.meta.url).pathname },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, maxWorkers: 2 },
});
