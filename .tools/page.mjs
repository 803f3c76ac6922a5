// `npm run page`: serves the static site that the build has made. `npm run page -- --port N` chooses the port.
import { parseArgs } from "node:util";
import { serve } from "./serve.mjs";

/** Ends with one line about what is wrong. */
function fail(message) {
  console.error(`page: ${message}`);
  process.exit(2);
}

let port;
try {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8080" } } });
  port = Number(values.port);
} catch (error) {
  fail(error.message);
}
if (!Number.isInteger(port) || port < 0 || port > 65535) fail("--port is a number from 0 to 65535");
const site = new URL("../build/site", import.meta.url).pathname;
// The headers that a page's HTML cannot set; its policy is in the HTML.
const headers = {
  "content-security-policy": "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};
const { url } = await serve(site, { port, headers }).catch((error) =>
  fail(
    error.code === "EADDRINUSE"
      ? `port ${port} is in use: give another, npm run page -- --port 8081`
      : error.message,
  ),
);
console.log(`the page: ${url}/   (its files: build/site, for any web server; Ctrl-C ends)`);
