// What becomes of a request that is not simply granted, as its owner and an officer see it; and a service that does not
// answer, or no longer knows the token.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTo } from "../../.tools/policy.mjs";
import {
  decide,
  enrol,
  makeAuthority,
  makeFolder,
  siteFile,
  startService,
  startSite,
  Visitor,
} from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
const files: Record<string, string> = {};
let site: Awaited<ReturnType<typeof startSite>>;
let service: Awaited<ReturnType<typeof startService>>;
/** The ID of the owner's token. */
let token: string;
/** A request's number, by what became of it. */
const ids: Record<string, string> = {};

const come = (view: string, options = {}) =>
  Visitor.come(site.browser, `${site.server.url}/#${view}`, {
    asks: [new URL(service.url).host],
    ...options,
  });

function ask(name: string): string {
  const about = ["--to", "new.pub.pem", "--requester", "Olivia Owner", "--authority", "here"];
  const { id } = JSON.parse(cli("recover", "request", "kept.twin", ...about, "--json"));
  ids[name] = id;
  return id;
}

beforeAll(async () => {
  site = await startSite(files);
  makeAuthority(folder, "--waiting", "86400");
  for (const name of ["old", "new"]) {
    cli("keygen", "-o", `${name}.pem`, "--bits", "2048", "--no-passphrase");
  }
  const listen = ["--listen", "127.0.0.1:0", "--origin-allowed", site.server.url];
  service = await startService(folder, "here", ...listen);
  files["/"] = openTo(siteFile("index.html"), [service.url]);
  token = enrol(folder, service.url, "olivia", ...["--scope", "recover,read", "--owner", "olivia"]);
  enrol(folder, service.url, "officer", "--scope", "officer");
  writeFileSync(path("ledger.txt"), "debit and credit\n");
  const sealing = ["--owner", "old.pub.pem", "--owner-id", "olivia", "--authority", "here"];
  cli("encrypt", "ledger.txt", "-o", "kept.twin", ...sealing);
  for (const name of ["ann", "cyd"]) decide(folder, name, "deny", ids.denied ?? ask("denied"));
  for (const name of ["ben", "cyd"]) decide(folder, name, "approve", ids.waits ?? ask("waits"));
  const vetoing = ["--control", "olivia.control.pem", "--owner-id", "olivia", "--yes"];
  cli("recover", "veto", ask("vetoed"), ...vetoing, "--authority", "here");
  decide(folder, "ann", "approve", ids.vetoed!);
  decide(folder, "ben", "approve", ids.vetoed!);
  ask("expired");
});
afterAll(async () => {
  await service.end();
  await site.close();
  folder.remove();
});

/** After the request's time, and before the token's. */
const LATER = new Date(Date.now() + 20 * 86_400_000);

/** An owner who comes back with the number that they were shown. */
async function comeBack(id: string, options = {}): Promise<Visitor> {
  const visitor = await come("recover", options);
  await visitor.add(path("olivia.authority"));
  await visitor.give("lost-files", path("kept.twin"));
  await visitor.more();
  await visitor.page.getByLabel("Or your number").fill(id);
  await visitor.next("files");
  await visitor.next("keeper");
  await visitor.page.locator("#wait-state > *").first().waitFor();
  return visitor;
}

/** An officer who was told a number. */
async function lookUp(id: string, options = {}): Promise<Visitor> {
  const visitor = await come("officers", options);
  await visitor.add(path("officer.authority"));
  await visitor.next("office");
  await visitor.page.getByLabel("The number that the requester told").fill(id);
  await visitor.page.getByRole("button", { name: "Show the request" }).click();
  await visitor.page.getByText("The number fits").waitFor();
  return visitor;
}

describe.each([
  [
    "denied",
    /The officers have denied it\. Ask them why/,
    /nothing left to decide.*Stands\s+denied/s,
  ],
  ["waits", /It is approved, and waits until /, /Stands\s+approved, and waits until/],
  [
    "vetoed",
    /vetoed it: it takes 3 officers now, of whom 2/,
    /Only 3 officers together can release/,
  ],
  ["expired", /The request has expired\. Begin again/, /nothing left to decide.*Stands\s+expired/s],
] as const)("a request that is %s", (name, owner, officer) => {
  const options = name === "expired" ? { clock: LATER } : {};

  test("as its owner sees it", async () => {
    const visitor = await comeBack(ids[name]!, options);
    expect(await visitor.page.locator("#wait-state").innerText()).toMatch(owner);
    const isOver = ["denied", "expired"].includes(name);
    // Of what is over nobody is told to wait for it, or to tell its number.
    for (const text of ["Look now", "Copy the number"]) {
      expect(await visitor.page.getByRole("button", { name: text }).isVisible()).toBe(!isOver);
    }
    await visitor.album(`state-${name}`);
    await visitor.leave();
  });

  test("as an officer sees it", async () => {
    const visitor = await lookUp(ids[name]!, options);
    expect(await visitor.page.locator("#question").innerText()).toMatch(officer);
    const isOver = ["denied", "expired"].includes(name);
    expect(await visitor.page.getByRole("button", { name: "Approve…" }).isVisible()).toBe(!isOver);
    await visitor.album(`question-${name}`);
    await visitor.leave();
  });
});

test("another request in the place of the one that was told is not taken for it", async () => {
  const visitor = await come("officers");
  await visitor.add(path("here/authority.json"));
  await visitor.next("office");
  await visitor.page.getByLabel("The number that the requester told").fill(ids.waits!);
  await visitor.give("officer-request", path(`${ids.denied}.request.json`));
  await visitor.page.getByRole("button", { name: "Show the request" }).click();
  expect((await visitor.results(1, "[data-step=ask]"))[0]).toMatch(
    /This is not the request that you were told of.*Nothing was signed/s,
  );
  await visitor.leave();
});

test("while one waits the token is taken back, and the service goes away", async () => {
  const owner = await comeBack(ids.waits!);
  const officer = await lookUp(ids.waits!, { clock: "ours" });
  cli("authority", "token", "revoke", token, "--authority", "here");
  await owner.page.getByRole("button", { name: "Look now" }).click();
  await owner.page.locator("#wait-state").getByText("can give you a new token").waitFor();
  await owner.album("state-refused");
  // A new connection file is enough to go on.
  enrol(folder, service.url, "again", "--scope", "recover,read", "--owner", "olivia");
  await owner.give("key-files", path("again.authority"));
  await owner.results(1, "#key-work");
  await owner.page.getByRole("button", { name: "Look now" }).click();
  await owner.page.locator("#wait-state").getByText("It is approved, and waits until").waitFor();
  await owner.leave(/status of 401/);

  await service.end();
  await officer.page.locator("#look").getByRole("button", { name: "Requests" }).click();
  const [away] = await officer.hurried(() => officer.results(1, "#look-work"));
  expect(away).toMatch(/can't be asked now/);
  await officer.album("officer-away");
  await officer.leave(/ERR_CONNECTION_REFUSED/);
});
