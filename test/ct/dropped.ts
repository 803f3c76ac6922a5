// Builds of the core in which one statement that clears something is left out: a number says which.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "./build.js";

const assembly = fileURLToPath(new URL("../../assembly", import.meta.url));

/**
 * Statements that clear: calls of what is named so, and zeros into a block. Not what fills a block up or
 * begins a number, which is found by its results.
 */
const CLEARS =
  /^( *(?:if \(.*\) |else )?)((?:wipe\w*|clearState|clearCounter|forget|end(?:Fused|Rejection))\(.*\);|v128\.store\(BLOCKS?, zero\(\)\);)$/gm;

export interface Clear {
  file: string;
  line: number;
  text: string;
}

/** Every such statement of assembly/, in the order of files and lines. */
export function clears(): Clear[] {
  const files = readdirSync(assembly, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .sort();
  return files.flatMap((file) => {
    const text = readFileSync(join(assembly, file), "utf8");
    return [...text.matchAll(CLEARS)].map((match) => ({
      file,
      line: text.slice(0, match.index).split("\n").length,
      text: match[2]!,
    }));
  });
}

/** A build that leaves out the statement whose number its `drop` is called with, from 1. */
export function droppingBuild(target: "simd" | "relaxed"): Promise<Uint8Array<ArrayBuffer>> {
  let number = 0;
  const files = [...new Set(clears().map(({ file }) => file))];
  const edits = files.map((file) => ({
    file,
    edit: (text: string) =>
      [
        text.replace(
          CLEARS,
          (_, before, statement) => `${before}{ if (leftOut != ${++number}) ${statement} }`,
        ),
        `import { leftOut } from "${file.includes("/") ? "../" : "./"}status";`,
        "",
      ].join("\n"),
  }));
  const drop = "export let leftOut: i32 = 0; export function drop(n: i32): void { leftOut = n; }";
  return compile(
    [
      ...edits,
      { file: "status.ts", from: "", to: drop },
      { file: "index.ts", from: "", to: 'export { drop } from "./status";' },
    ],
    target,
  );
}
