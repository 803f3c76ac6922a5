// Officers decide about one request, each in another browser: they sign in at a service over HTTPS, read the request,
// and sign with a key that is locked. The service verifies their notes by node:crypto.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import { openTo } from "../../.tools/policy.mjs";
import { serve } from "../../.tools/serve.mjs";
import { makeFolder, siteFile, startService } from "../page/driver.js";
import {
  firefoxMissing,
  visitChromium,
  visitFirefox,
  visitWebKit,
  webkitMissing,
} from "./engines.js";
import { testIn, worker } from "./tab.js";

const folder = makeFolder();
const { cli, path } = folder;
const lock = ["--passphrase-file", "secret.txt"];
const files: Record<string, string> = {};
let site: Awaited<ReturnType<typeof serve>>;
let service: Awaited<ReturnType<typeof startService>>;
let token: string;
let print: string;
let id: string;

/** Who decides where. */
const OFFICERS = [
  ["ann", "Chromium", visitChromium, undefined],
  ["ben", "Firefox", visitFirefox, firefoxMissing],
  ["cyd", "WebKit", visitWebKit, webkitMissing],
] as const;

/** What the authority itself says of the request. */
const standing = () => cli("authority", "requests", id, "--authority", "here");

beforeAll(async () => {
  site = await serve(fileURLToPath(new URL("../../build/site", import.meta.url)), { files });
  writeFileSync(path("secret.txt"), "battery staple\n");
  const officers = OFFICERS.flatMap(([name]) => ["--officer", `${name}=${name}.pub.pem`]);
  for (const [name] of OFFICERS) cli("officer", "keygen", "-o", `${name}.pem`, ...lock);
  const about = ["--no-passphrase", "--origin", "here.example", "--quorum", "3"];
  cli("authority", "init", "here", ...about, ...officers);
  for (const [name] of OFFICERS) {
    const by = ["-k", `${name}.pem`, "--yes", "--authority", "here", ...lock];
    cli("authority", "policy", "sign", ...by);
  }
  print = JSON.parse(cli("authority", "info", "--authority", "here", "--json")).fingerprint;
  const forOfficers = ["--scope", "officer", "--authority", "here", "--json"];
  ({ token } = JSON.parse(cli("authority", "token", "add", ...forOfficers)));
  for (const name of ["old", "new"]) {
    cli("keygen", "-o", `${name}.pem`, "--bits", "2048", "--no-passphrase");
  }
  writeFileSync(path("one.txt"), "one\n");
  const owner = ["--owner", "old.pub.pem", "--owner-id", "olivia", "--authority", "here"];
  cli("encrypt", "one.txt", ...owner);
  const who = ["--to", "new.pub.pem", "--requester", "Olivia", "--authority", "here", "--json"];
  ({ id } = JSON.parse(cli("recover", "request", "one.txt.twin", ...who)));
  const { cert, key } = await certificateForLocalhost();
  writeFileSync(path("cert.pem"), cert);
  writeFileSync(path("tls.pem"), key);
  const tls = ["--tls-cert", path("cert.pem"), "--tls-key", path("tls.pem")];
  const listen = ["--listen", "127.0.0.1:0", "--origin-allowed", site.url];
  service = await startService(folder, "here", ...listen, ...tls);
  files["/"] = openTo(siteFile("index.html"), [service.url], { tokenLogin: true });
});
afterAll(async () => {
  await service?.end();
  await site?.close();
  folder.remove();
});

for (const [name, engine, visit, missing] of OFFICERS) {
  testIn(engine, "an officer decides", missing, async () => {
    const tab = await visit(`${site.url}/`);
    try {
      const { choose, go, press, result, text, type } = worker(tab);
      await type("#sign-in [type=password]", token);
      await type("#sign-in .field:nth-of-type(3) input", print);
      await press("#sign-in button");
      expect(await text("#key-list > li")).toContain("here.example");
      await go("officers");
      await press("[data-step=office] form > button");
      await type("[data-step=ask] [name=id]", id);
      await press("[data-step=ask] form > button");
      expect(await text("#question .verdict")).toMatch(/The number fits/);
      expect(await text("#question")).toMatch(/Olivia.*olivia/s);
      await choose("#officer-key", path(`${name}.pem`));
      await type("[data-step=decide] [name=identity]", `met by ${name}`);
      await press("[data-step=decide] [name=approve]");
      await type("#passphrase[open] input", "battery staple");
      await press("#passphrase [value=ok]");
      expect(await text("#confirm[open]")).toContain(`Approve this request as ${name}?`);
      await press("#confirm-go");
      expect(await result("[data-step=decide]")).toMatch(/Signed and sent/);
    } finally {
      await tab.close();
    }
    expect(standing()).toMatch(new RegExp(`approved by +${name}: met by ${name}`));
  });
}
