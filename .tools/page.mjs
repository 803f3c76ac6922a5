// `npm run page`: serves the static site that the build has made. `npm run page -- --port N` chooses the port.
// `--authority URL` (repeatable) lets the page connect to an authority's service: it goes into the policy in its HTML.
// `--token-login` gives it a place for an authority's address and a token.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openTo } from "./policy.mjs";
import { serve } from "./serve.mjs";

/** Ends with one line about what is wrong. */
function fail(message) {
  console.error(`page: ${message}`);
  process.exit(2);
}

let port;
let authorities;
let tokenLogin;
try {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8080" },
      authority: { type: "string", multiple: true, default: [] },
      "token-login": { type: "boolean", default: false },
    },
  });
  port = Number(values.port);
  authorities = values.authority;
  tokenLogin = values["token-login"];
} catch (error) {
  fail(error.message);
}
if (!Number.isInteger(port) || port < 0 || port > 65535) fail("--port is a number from 0 to 65535");
const site = new URL("../build/site", import.meta.url).pathname;
// Whom an earlier call allowed is allowed no more.
const page = `${site}/index.html`;
try {
  writeFileSync(page, openTo(readFileSync(page, "utf8"), authorities, { tokenLogin }));
} catch (error) {
  fail(error.message);
}
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
if (authorities.length > 0) {
  console.log(
    `it may ask ${authorities.join(", ")}: each has to allow it, by authority serve --origin-allowed ${url}`,
  );
}
