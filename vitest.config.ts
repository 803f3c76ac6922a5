import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** (module (func (result v128) … i8x16.relaxed_swizzle)) */
const hasRelaxedSimd = () =>
  WebAssembly.validate(Buffer.from("AGFzbQEAAAABBQFgAAF7AwIBAAoPAQ0AQQD9D0EA/Q/9gAIL", "base64"));

// Node 20 has relaxed SIMD behind a flag, which later versions have dropped.
const relaxedSimd = hasRelaxedSimd() ? [] : ["--experimental-wasm-relaxed-simd"];

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
  test: {
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // What a test waits for comes late on a busy machine.
    expect: { poll: { timeout: 30_000 } },
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "default",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.relaxed.test.ts", "test/**/*.unfused.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "relaxed SIMD",
          include: ["test/**/*.relaxed.test.ts"],
          execArgv: relaxedSimd,
        },
      },
      {
        extends: true,
        test: {
          name: "relaxed SIMD, rounding twice",
          include: ["test/**/*.unfused.test.ts"],
          execArgv: [...relaxedSimd, "--no-enable-fma3"],
        },
      },
    ],
  },
});
