// Writes docs/openapi.json, the description of the service's HTTP interface: `node .tools/openapi.mjs`, after a build.
// A test compares it with what the routes say.
import { writeFileSync } from "node:fs";
import { describe } from "../build/http/describe.js";

const document = await describe();
writeFileSync(
  new URL("../docs/openapi.json", import.meta.url),
  `${JSON.stringify(document, null, 2)}\n`,
);
