// The page and an authority's service: a real process, and the browser's own rules about whom a page may ask.
import { cpSync, writeFileSync } from "node:fs";
import {
  connectAuthority,
  handInDecision,
  makeAsked,
  signDecision,
  standingOf,
} from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import { decodeMessage, readOfficerKey } from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTo } from "../../.tools/policy.mjs";
import { bundle } from "../browser/site.js";
import {
  enrol as enrolIn,
  makeAuthority,
  makeFolder,
  siteFile,
  startService,
  startSite,
  Visitor,
} from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
const core = await loadCore();
const files: Record<string, string> = {};
let site: Awaited<ReturnType<typeof startSite>>;
let service: Awaited<ReturnType<typeof startService>>;
/** HOST:PORT of the service, which stays when it is started again. */
let host: string;
const come = (options = {}) =>
  Visitor.come(site.browser, `${site.server.url}/#seal`, { asks: [host], ...options });

const start = (name = "here") =>
  startService(folder, name, "--listen", host, "--origin-allowed", site.server.url);

/** A connection file of somebody who was given a token. */
const enrol = (name: string, ...about: string[]) =>
  enrolIn(folder, `http://${host}`, name, ...about);

/** An officer says yes, by the library, over the network. */
async function approve(name: string, id: string): Promise<void> {
  const party = await connectAuthority(core, folder.read("officer.authority"));
  const signer = (await readOfficerKey(folder.read(`${name}.pem`))).signer(name);
  const question = await standingOf(party, id);
  const about = { decision: "approve", identity: "met" } as const;
  const note = await signDecision(core, question, signer, about);
  await handInDecision(party, id, note);
}

const connectionIn = (name: string) => {
  const message = decodeMessage(core, folder.read(name));
  if (message.kind !== "connection") throw new Error(`${name} is a ${message.kind}`);
  return message.connection;
};

beforeAll(async () => {
  site = await startSite(files);
  makeAuthority(folder);
  for (const name of ["old", "new"]) {
    cli("keygen", "-o", `${name}.pem`, "--bits", "2048", "--no-passphrase");
  }
  host = "127.0.0.1:0";
  service = await start();
  host = new URL(service.url).host;
  files["/"] = openTo(siteFile("index.html"), [service.url]);
  enrol("olivia", "--scope", "submit,recover,read", "--owner", "olivia");
  enrol("officer", "--scope", "officer");
  writeFileSync(path("ledger.txt"), "debit and credit\n");
  writeFileSync(path("other.txt"), "assets\n");
  const sealing = ["-o", "kept.twin", "--owner", "old.pub.pem", "--authority", "olivia.authority"];
  cli("encrypt", "ledger.txt", ...sealing);
});
afterAll(async () => {
  await service?.end();
  await site.close();
  folder.remove();
});

/** Seals a file as the page stands there. @returns what it says of it */
async function seal(visitor: Visitor, name: string): Promise<string> {
  await visitor.view("Seal");
  await visitor.give("seal-files", path(name));
  const box = visitor.page.locator("#seal-keys label").filter({ hasText: "old.pub.pem" });
  await box.locator("input").check();
  await visitor.saving(1, folder, () =>
    visitor.page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  return (await visitor.results())[0]!;
}

describe("a page that was built for the authority", () => {
  test("hands in, compares, asks, waits, fetches and opens", async () => {
    const visitor = await come({ clock: "ours" });
    const { page } = visitor;
    await visitor.add(path("old.pub.pem"), path("new.pem"), path("olivia.authority"));
    expect(await page.locator("#key-list").innerText()).toContain(`asked at ${service.url}`);
    expect(await page.locator("footer").innerText()).toContain(service.url);
    expect(await seal(visitor, "ledger.txt")).toMatch(
      /In escrow: here\.example has verified the key\. Its receipt is in the file/,
    );
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("handed-in");
    expect(cli("verify", "ledger.txt.twin", "--authority", "here/authority.json")).toMatch(
      /verified by here\.example/,
    );
    expect(cli("authority", "list", "--authority", "here")).toMatch(/olivia/);

    await visitor.view("Verify");
    await visitor.give("verify-files", path("ledger.txt.twin"));
    await page.getByRole("button", { name: "Verify" }).click();
    expect((await visitor.results())[0]).toMatch(
      /Yes: the authority has verified the key.*Compared with the authority's log as it is now/s,
    );

    await visitor.view("Recover");
    await visitor.give("lost-files", path("ledger.txt.twin"));
    await visitor.next("files");
    await visitor.next("keeper");
    await visitor.tick("Use new.pem");
    await visitor.next("key");
    await page.getByLabel("Your name, as the officers").fill("Olivia Owner");
    const [request] = await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Make the request" }).click(),
    );
    const id = request!.replace(".request.json", "");
    // What was saved is there before anything is sent.
    const listed = () => cli("authority", "requests", "--authority", "here");
    expect(listed()).not.toContain(id);
    await page.getByLabel("I see them, and keep them").check();
    await page.getByRole("button", { name: "Send the request" }).click();
    await page.getByText("2 officers have to approve; none has yet").waitFor();
    expect(listed()).toContain(id);
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("waiting");
    // Approvals are seen as they come, and the files open once there are enough.
    await approve("ann", id);
    await page.getByRole("button", { name: "Look now" }).click();
    await page.getByText("1 of 2 officers have approved").waitFor();
    expect(await page.locator("#wait-state").innerText()).toContain("ann has approved: met");
    await approve("ben", id);
    // The page looks again by itself.
    const open = page.getByRole("button", { name: "Open and save" });
    await visitor.hurried(() => open.waitFor());
    await visitor.saving(1, { path: () => path("opened.txt") }, () => open.click());
    expect(folder.read("opened.txt").toString()).toBe("debit and credit\n");

    // Nothing of the connection file is seen or kept.
    const { token } = connectionIn("olivia.authority");
    expect(await page.content()).not.toContain(token);
    const kept = await page.evaluate(async () => [
      localStorage.length,
      sessionStorage.length,
      document.cookie,
      (await indexedDB.databases()).length,
      (await caches.keys()).length,
    ]);
    expect(kept).toEqual([0, 0, "", 0, 0]);
    await visitor.view("Inspect");
    await visitor.give("inspect-files", path("olivia.authority"));
    await page.getByRole("button", { name: "Inspect" }).click();
    const [inspected] = await visitor.results();
    expect(inspected).toContain('"token": "not shown"');
    expect(inspected).not.toContain(token);
    await visitor.leave();
  });

  test("the owner's ID can be given; a token for another owner is refused, and then nothing is saved", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("old.pub.pem"), path("olivia.authority"));
    await visitor.give("seal-files", path("other.txt"));
    await visitor.tick("old.pub.pem");
    await visitor.more();
    await page.getByLabel("Your owner ID").fill("somebody.else");
    await page.getByRole("button", { name: "Seal", exact: true }).click();
    expect((await visitor.results())[0]).toMatch(/FORBIDDEN/);
    await page.getByLabel("Your owner ID").fill("olivia");
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Seal", exact: true }).click(),
    );
    expect((await visitor.results())[0]).toMatch(/In escrow: here\.example/);
    await visitor.leave();
  });

  test("a request that the command line made is gone on with by its number", async () => {
    const asked = cli(
      ...["recover", "request", "kept.twin", "--to", "new.pub.pem"],
      ...["--requester", "Olivia", "--authority", "olivia.authority", "--json"],
    );
    const { id } = JSON.parse(asked);
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("olivia.authority"));
    await visitor.view("Recover");
    await visitor.give("lost-files", path("kept.twin"));
    await visitor.more();
    await page.getByLabel("Or your number").fill(id);
    await visitor.next("files");
    await visitor.next("keeper");
    await page.getByText("none has yet").waitFor();
    await approve("ben", id);
    await approve("cyd", id);
    await page.getByRole("button", { name: "Look now" }).click();
    const check = page.getByRole("button", { name: "Save them sealed for my new key" });
    await check.waitFor();
    await visitor.saving(1, { path: () => path("recovered.twin") }, () => check.click());
    expect((await visitor.results(1, "[data-step=take]"))[0]).toMatch(
      /The wrap for your new key was added/,
    );
    cli("decrypt", "recovered.twin", "-o", "recovered.txt", "-k", "new.pem");
    expect(folder.read("recovered.txt").toString()).toBe("debit and credit\n");
    await visitor.leave();
  });

  test("the library in a worker reaches the service too", async () => {
    files["/worker-test.js"] = await bundle(
      `import { connectAuthority } from "./build/client/index.js";
       import { loadCore } from "./build/core/index.js";
       onmessage = async ({ data }) => {
         const party = await connectAuthority(await loadCore(), data);
         postMessage([party.authority.origin, await party.client.checkpoint()]);
       };`,
    );
    const visitor = await come();
    const bytes = [...folder.read("olivia.authority")];
    const [origin, checkpoint] = await visitor.page.evaluate(
      (bytes) =>
        new Promise<[string, string]>((resolve, reject) => {
          const worker = new Worker("worker-test.js", { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage(Uint8Array.from(bytes));
        }),
      bytes,
    );
    expect(origin).toBe("here.example");
    expect(checkpoint).toMatch(/^here\.example\n/);
    await visitor.leave();
  });
});

test("long lists go on: records, requests and the log, each entry once, in the authority's order", async () => {
  const names = Array.from({ length: 51 }, (_, index) => `page-${index}.txt`);
  for (const name of names) writeFileSync(path(name), name);
  cli("encrypt", ...names, "--owner", "old.pub.pem", "--authority", "olivia.authority");
  const all = (...args: string[]) =>
    JSON.parse(cli("authority", ...args, "--limit", "1000", "--authority", "here", "--json"));
  const { records } = all("list");
  const party = await connectAuthority(core, folder.read("olivia.authority"));
  const recipient = readPublicKey(folder.read("new.pub.pem"));
  for (const { record } of records.slice(0, 51)) {
    const about = { requester: "Olivia", recipient, records: [Buffer.from(record, "hex")] };
    await party.client!.ask(makeAsked(party, about).request);
  }
  const { requests } = all("requests");
  enrol("auditor", "--scope", "read");
  const visitor = await come();
  await visitor.add(path("auditor.authority"));
  await visitor.view("Officers");
  const work = visitor.page.locator("#look-work");
  const more = work.getByRole("button", { name: "Show more" });
  /** Opens a list, and shows all of it. @returns its entries */
  const whole = async (button: string, entries: string) => {
    await visitor.page.locator("#look").getByRole("button", { name: button }).click();
    await visitor.results(1, "#look-work");
    expect(await work.locator(entries).count()).toBe(50);
    await more.click();
    await expect.poll(() => work.locator(entries).count()).toBeGreaterThan(50);
    // One who reads on by keyboard does so from the first entry that came.
    await expect
      .poll(() => visitor.page.evaluate(() => document.activeElement?.matches("li, tr")))
      .toBe(true);
    await more.waitFor({ state: "hidden" });
    expect(await visitor.barriers()).toEqual([]);
    return work.locator(entries).allInnerTexts();
  };
  const holds = (shown: string[], keys: string[]) => {
    expect(shown).toHaveLength(keys.length);
    for (const [index, key] of keys.entries()) expect(shown[index]).toContain(key);
  };
  holds(
    await whole("Records", ".cards > li"),
    records.map(({ serial }: { serial: string }) => serial),
  );
  const ids: string[] = requests.map(({ id }: { id: string }) => id);
  holds(await whole("Requests", ".cards > li"), ids);
  const asked = await whole("Log and health", "tbody > tr");
  holds(
    asked.filter((row) => row.includes("asked for keys")),
    ids,
  );

  // A page that does not come leaves what is there, and can be asked for again.
  await visitor.page.locator("#look").getByRole("button", { name: "Records" }).click();
  await visitor.results(1, "#look-work");
  await visitor.page.route("**/v1/records?*cursor*", (route) => route.abort());
  await more.click();
  await work.getByRole("alert").getByText("UNAVAILABLE").waitFor();
  expect(await work.locator(".cards > li").count()).toBe(50);
  await visitor.page.unroute("**/v1/records?*cursor*");
  await more.click();
  await expect.poll(() => work.locator(".cards > li").count()).toBe(records.length);
  await visitor.leave(/ERR_FAILED/);
});

test("a token that is good no more: nothing is added, and the page says what helps", async () => {
  const id = enrol("gone", "--scope", "submit");
  cli("authority", "token", "revoke", id, "--authority", "here");
  const visitor = await come();
  await visitor.give("key-files", path("gone.authority"));
  const [result] = await visitor.results(1, "#key-work");
  expect(result).toMatch(/can give you a new token.*UNAUTHENTICATED/s);
  expect(await visitor.page.locator("#key-list > li").count()).toBe(0);
  await visitor.leave(/status of 401/);
});

test("a page of another origin: the browser refuses, the file is whole, and it is sent later", async () => {
  const visitor = await Visitor.come(site.browser, `http://localhost:${site.server.port}/#seal`, {
    asks: [host],
  });
  await visitor.add(path("old.pub.pem"), path("olivia.authority"));
  const refused = `${host} answers, but not to this page: whoever runs it has to allow the page's origin, http://localhost:${site.server.port}`;
  expect((await visitor.results(1, "#key-work")).join()).toContain(refused);
  expect(await seal(visitor, "other.txt")).toMatch(/Escrow pending.*The file is whole/s);
  expect((await visitor.results())[0]).toContain(refused);
  cli("decrypt", "other.txt.twin", "-o", "whole.txt", "-k", "old.pem");
  expect(folder.read("whole.txt").toString()).toBe("assets\n");
  await visitor.view("Recover");
  await visitor.give("lost-files", path("kept.twin"));
  await visitor.next("files");
  await visitor.next("keeper");
  expect((await visitor.results(1, "[data-step=keeper]"))[0]).toContain(refused);
  cli("escrow", "flush", "other.txt.twin", "--authority", "olivia.authority");
  expect(cli("verify", "other.txt.twin", "--authority", "here/authority.json")).toMatch(
    /verified by/,
  );
  await visitor.leave(/CORS|net::ERR_FAILED/);
});

test("a page that was not built for it says how it has to be built, and asks nobody", async () => {
  const visitor = await come({ asks: [] });
  await visitor.page.goto(`${site.server.url}/index.html#seal`);
  await visitor.give("key-files", path("olivia.authority"));
  expect((await visitor.results(1, "#key-work"))[0]).toContain(
    `npm run page -- --authority ${service.url}`,
  );
  expect(await visitor.page.locator("#key-list > li").count()).toBe(0);
  expect(await visitor.page.locator("body").innerText()).not.toMatch(/hand in to an authority/);
  await visitor.leave();
});

test("a service that is away: files are whole and pending; once it is back, they are handed in", async () => {
  const visitor = await come({ clock: "ours" });
  const { page } = visitor;
  await visitor.add(path("old.pub.pem"), path("olivia.authority"));
  await service.end();
  await visitor.give("seal-files", path("ledger.txt"), path("other.txt"));
  await visitor.tick("old.pub.pem", "Each by itself");
  await visitor.hurried(() =>
    visitor.saving(2, folder, () =>
      page.getByRole("button", { name: "Seal", exact: true }).click(),
    ),
  );
  for (const result of await visitor.results(2)) {
    expect(result).toMatch(
      /Escrow pending\. here\.example can't be asked now: .* can't be reached/,
    );
  }
  await visitor.picture("pending");
  expect(await visitor.barriers()).toEqual([]);
  cli("decrypt", "other.txt.twin", "-o", "whole.txt", "-k", "old.pem", "--force");
  expect(folder.read("whole.txt").toString()).toBe("assets\n");

  await visitor.view("Verify");
  await visitor.give("verify-files", path("kept.twin"), path("other.txt.twin"));
  await page.getByRole("button", { name: "Verify" }).click();
  const [kept, pending] = await visitor.hurried(() => visitor.results(2));
  expect(kept).toMatch(/Yes: .*nothing is compared with its log/s);
  expect(pending).toMatch(/No: .*pending/s);

  // What nobody else can answer is not done.
  await visitor.view("Recover");
  await visitor.give("lost-files", path("kept.twin"));
  await visitor.next("files");
  await visitor.next("keeper");
  const [asked] = await visitor.hurried(() => visitor.results(1, "[data-step=keeper]"));
  expect(asked).toMatch(/can't be asked now/);

  service = await start();
  await visitor.view("Verify");
  await visitor.give("verify-files", path("other.txt.twin"));
  await page.getByRole("button", { name: "Verify" }).click();
  expect((await visitor.results())[0]).toMatch(/No receipt in it shows that here\.example has it/);
  expect(await visitor.barriers()).toEqual([]);
  const send = page.getByRole("button", { name: "Send it, and save the file with its receipt" });
  await visitor.saving(1, folder, () => send.click());
  expect(cli("verify", "other.txt.twin", "--authority", "here/authority.json")).toMatch(
    /verified by/,
  );
  expect(await seal(visitor, "ledger.txt")).toMatch(/In escrow: here\.example/);
  await visitor.leave(/ERR_CONNECTION_REFUSED/);
});

test("a newer policy is offered for the connection file; a service that is behind is refused", async () => {
  await service.end();
  cpSync(path("here"), path("behind"), { recursive: true });
  service = await start();
  const about = ["--quorum", "3", "-k", "ann.pem", "--yes", "--authority", "here"];
  cli("authority", "policy", "propose", ...about);
  cli("authority", "policy", "sign", "-k", "ben.pem", "--yes", "--authority", "here");
  const visitor = await come();
  await visitor.add(path("olivia.authority"));
  expect((await visitor.results(1, "#key-work"))[0]).toMatch(/save the newer file/);
  expect(await visitor.barriers()).toEqual([]);
  await visitor.picture("newer");
  const before = connectionIn("olivia.authority");
  await visitor.saving(1, { path: () => path("newer.authority") }, () =>
    visitor.page.getByRole("button", { name: "Save the newer file" }).click(),
  );
  const { authority, ...rest } = connectionIn("newer.authority");
  expect(authority.policies.length).toBe(before.authority.policies.length + 1);
  expect({ ...rest, authority: before.authority }).toEqual(before);
  await visitor.leave();

  await service.end();
  service = await start("behind");
  const again = await come();
  await again.give("key-files", path("newer.authority"));
  expect((await again.results(1, "#key-work"))[0]).toMatch(/is behind.*NOT_VERIFIED/s);
  expect(await again.page.locator("#key-list > li").count()).toBe(0);
  await again.leave();
});
