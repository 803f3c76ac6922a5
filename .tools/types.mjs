// The declarations as projects of other kinds can take them: without the DOM, and by older TypeScript.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The platform's types that ours name. */
const PLATFORM = ["AbortSignal", "Blob", "ReadableStream<R = any>", "Response", "URL"];
const PLATFORM_TEXT = `// A project has these from TypeScript's DOM or from @types/node, and they merge with them.
// Where it has not, they are opaque (@types/react does the same).
${PLATFORM.map((name) => `interface ${name} {}`).join("\n")}
declare namespace WebAssembly {
  interface Module {}
}
`;
const NEEDS_PLATFORM = new RegExp(
  `\\b(?:WebAssembly|${PLATFORM.map((name) => name.replace(/<.*/, "")).join("|")})\\b`,
);

/** @param {string} folder what tsc wrote */
export function finishTypes(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".d.ts"))
    .map((name) => join(folder, name));
  const platform = join(folder, "platform.d.ts");
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    // Before TypeScript 5.7 Uint8Array takes no parameter; what its slice() returns is this type in every one.
    let types = text
      .replaceAll("Uint8Array<ArrayBufferLike>", "Uint8Array")
      .replaceAll("Uint8Array<ArrayBuffer>", 'ReturnType<Uint8Array["slice"]>');
    if (NEEDS_PLATFORM.test(types) && !types.startsWith("/// <reference path")) {
      types = `/// <reference path="${relative(dirname(file), platform)}" />\n${types}`;
    }
    if (types !== text) writeFileSync(file, types);
  }
  writeFileSync(platform, PLATFORM_TEXT);
}
