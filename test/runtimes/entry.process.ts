// The body in Node, Deno and Bun: node entry.mjs MATERIAL REPORT BUILD
import { readFileSync, writeFileSync } from "node:fs";
import * as library from "twinwrap";
import { loadAes } from "twinwrap/aes";
import { connectAuthority } from "twinwrap/client";
import * as escrow from "twinwrap/escrow";
import { run } from "./body.js";

const [material, report, build] = process.argv.slice(2) as [string, string, string];
const done = await run({
  library,
  loadAes,
  escrow,
  connectAuthority,
  material: JSON.parse(readFileSync(material, "utf8")),
  readWasm: async (name) => new Uint8Array(readFileSync(`${build}/${name}`)),
});
writeFileSync(report, JSON.stringify(done));
