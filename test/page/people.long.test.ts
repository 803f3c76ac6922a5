// Three people who have nothing but the page, and an authority's service over HTTPS: an owner who makes a key, seals,
// loses it and recovers; officers who refuse a swapped request and approve the right one; an auditor who reads the log.
// All that others can write is hostile here: a file's name, a description, a requester.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import { openTo } from "../../.tools/policy.mjs";
import {
  addToken,
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
let fingerprint: string;

const HOSTILE = '<img src=x onerror=alert(1)> \u202egnp.exe "\u0007';
const DESCRIPTION = `Taxes ${HOSTILE}`;
const REQUESTER = `Olivia ${HOSTILE.replace("\u0007", "")}`;
/** Of what is hostile nothing reaches the page as it is: it is shown, and controls nothing. */
function expectShown(text: string): void {
  expect(text).toMatch(/\\u\{202e\}gnp\.exe/);
  expect(text).not.toContain("\u202e");
}

const tokens: Record<string, string> = {};

beforeAll(async () => {
  site = await startSite(files);
  writeFileSync(path("secret.txt"), "battery staple\n");
  makeAuthority(folder, "--passphrase-file", "secret.txt");
  ({ fingerprint } = JSON.parse(cli("authority", "info", "--authority", "here", "--json")));
  tokens.owner = addToken(folder, ...["--scope", "submit,recover,read", "--owner", "olivia"]).token;
  tokens.officer = addToken(folder, "--scope", "officer").token;
  tokens.auditor = addToken(folder, "--scope", "read").token;
  const { cert, key } = await certificateForLocalhost();
  writeFileSync(path("cert.pem"), cert);
  writeFileSync(path("tls.pem"), key);
  const tls = ["--tls-cert", path("cert.pem"), "--tls-key", path("tls.pem")];
  const listen = ["--listen", "127.0.0.1:0", "--origin-allowed", site.server.url];
  service = await startService(folder, "here", ...listen, ...tls);
  files["/"] = openTo(siteFile("index.html"), [service.url], { tokenLogin: true });
  writeFileSync(path("taxes.txt"), "all of it\n");
});
afterAll(async () => {
  await service?.end();
  await site.close();
  folder.remove();
});

const come = () =>
  Visitor.come(site.browser, `${site.server.url}/`, {
    asks: [new URL(service.url).host],
    ignoreHTTPSErrors: true,
  });

/** Signs in beside the work. With the fingerprint that was told nothing is asked; else it is shown for comparison. */
async function signIn(visitor: Visitor, who: string, isTold: boolean): Promise<void> {
  const { page } = visitor;
  const place = page.locator("#sign-in");
  await place.locator("summary").click();
  expect(await place.getByLabel("Address").inputValue()).toBe(service.url);
  await place.getByLabel("Token").fill(tokens[who]!);
  if (isTold) await place.getByLabel("Fingerprint").fill(fingerprint);
  await place.getByRole("button", { name: "Sign in" }).click();
  if (!isTold) {
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Is this here.example?").waitFor();
    const shown = await dialog.locator(".print").innerText();
    expect(shown.replaceAll(/\s/g, "")).toBe(fingerprint);
    await visitor.album(`sign-in-${who}`);
    await dialog.getByRole("button", { name: "It is the same" }).click();
  }
  await expect.poll(() => page.locator("#key-list > li").count()).toBeGreaterThan(0);
  // A token is not kept where it can be read.
  await expect.poll(() => place.getByLabel("Token").inputValue()).toBe("");
}

/** An officer decides about a number that they were told. */
async function decide(name: string, id: string, word: "Approve" | "Deny"): Promise<string> {
  const visitor = await come();
  const { page } = visitor;
  await signIn(visitor, "officer", true);
  await visitor.view("Officers");
  await visitor.next("office");
  await page.getByLabel("The number that the requester told").fill(id);
  await page.getByRole("button", { name: "Show the request" }).click();
  await page.getByText("The number fits").waitFor();
  await visitor.give("officer-key", path(`${name}.pem`));
  if (word === "Approve") {
    await page.getByRole("button", { name: "Approve…" }).click();
    expect(await visitor.fieldError()).toMatch(/Say how you made sure/);
  }
  await page.getByLabel("How you made sure").fill("called back");
  // What one officer sees looks the same to the others.
  const look = (what: string) =>
    name === "ann" ? visitor.album(`${what}-${word.toLowerCase()}`) : undefined;
  await look("question");
  await page.getByRole("button", { name: `${word}…` }).click();
  const lock = page.getByRole("dialog").filter({ hasText: "Passphrase" });
  await lock.getByLabel(`Of ${name}.pem`).fill("battery staple");
  await lock.getByRole("button", { name: "Unlock" }).click();
  const sure = page.getByRole("dialog").filter({ hasText: `${word} this request as ${name}?` });
  await sure.waitFor();
  await look("sure");
  await sure.getByRole("button", { name: /^Sign/ }).click();
  const [result] = await visitor.results(1, "[data-step=decide]");
  await look("decided");
  await visitor.leave();
  return result!;
}

test("a fingerprint that differs, or is no fingerprint, adds nothing", async () => {
  const visitor = await come();
  const { page } = visitor;
  const shown: (string | undefined)[] = [];
  page.on("request", (request) => {
    if (request.url().startsWith(service.url)) shown.push(request.headers().authorization);
  });
  const place = page.locator("#sign-in");
  await place.locator("summary").click();
  await place.getByLabel("Token").fill(tokens.owner!);
  await place
    .getByLabel("Fingerprint")
    .fill(`${fingerprint.slice(0, -1)}${fingerprint.endsWith("0") ? 1 : 0}`);
  await place.getByRole("button", { name: "Sign in" }).click();
  expect((await visitor.results(1, "#sign-in"))[0]).toMatch(/NOT_VERIFIED/);
  await place.getByLabel("Fingerprint").fill("abc");
  await place.getByRole("button", { name: "Sign in" }).click();
  expect((await visitor.results(1, "#sign-in"))[0]).toMatch(/A fingerprint has 64 digits/);
  await place.getByLabel("Fingerprint").fill("");
  await place.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  expect((await visitor.results(1, "#sign-in"))[0]).toMatch(/The authority was not added/);
  expect(await page.locator("#key-list > li").count()).toBe(0);
  // Of the token nobody has heard who may be somebody else.
  expect(shown.length).toBeGreaterThan(1);
  expect(shown.filter((header) => header !== undefined)).toEqual([]);
  await visitor.leave();
});

test("an owner, officers and an auditor play their parts from the page alone", async () => {
  // The owner's first visit.
  const owner = await come();
  await owner.album("start");
  const { page } = owner;
  await page.getByRole("link", { name: "Make a key" }).first().click();
  const make = page.locator("#make");
  await make.getByText("Details").click();
  await make.getByLabel("Size").selectOption("2048");
  await make.getByLabel("Passphrase").first().fill("correct horse");
  await make.getByLabel("Once more").fill("correct horse");
  await owner.saving(2, folder, () =>
    make.getByRole("button", { name: "Make and save it" }).click(),
  );
  await signIn(owner, "owner", true);
  await owner.view("Start");
  expect(await page.locator("#first-steps [aria-current]").innerText()).toMatch(/Seal your files/);
  await owner.album("start-with-key");
  await page.getByRole("link", { name: "Seal files", exact: true }).click();
  await page.setInputFiles("#seal-files", {
    name: `${HOSTILE}.txt`,
    mimeType: "text/plain",
    buffer: folder.read("taxes.txt"),
  });
  await owner.more();
  await page.getByLabel("Description (optional").fill(DESCRIPTION);
  await page.getByLabel("Write the file's name into it").check();
  await owner.album("seal");
  await owner.saving(1, { path: () => path("taxes.twin") }, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  const [sealed] = await owner.results();
  expect(sealed).toMatch(/In escrow: here\.example has verified the key/);
  expectShown(sealed!);
  await owner.album("sealed");
  await owner.leave();

  // The key is lost.
  const lost = await come();
  await signIn(lost, "owner", false);
  await lost.page.getByRole("link", { name: "I have lost my key" }).click();
  await lost.give("lost-files", path("taxes.twin"));
  await lost.album("recover-files");
  await lost.next("files");
  await lost.page.getByText("kept by here.example. It is in this tab").waitFor();
  await lost.album("recover-keeper");
  await lost.next("keeper");
  const key = lost.page.locator("[data-step=key]");
  await key.getByLabel("Passphrase").fill("new horse");
  await key.getByLabel("Once more").fill("new horse");
  await lost.album("recover-key");
  await lost.saving(1, { path: () => path("new-key.pem") }, () => lost.next("key"));
  await lost.page.getByLabel("Your name, as the officers").fill(REQUESTER);
  await lost.album("recover-who");
  const [saved] = await lost.saving(1, folder, () =>
    lost.page.getByRole("button", { name: "Make the request" }).click(),
  );
  const id = saved!.replace(".request.json", "");
  await lost.album("recover-send");
  await lost.page.getByLabel("I see them, and keep them").check();
  await lost.page.getByRole("button", { name: "Send the request" }).click();
  await lost.page.getByText("none has yet").waitFor();
  await lost.album("recover-wait");

  // Somebody else asks in her name, for a key of their own, and puts their request in the place of hers.
  cli("keygen", "-o", "thief.pem", "--bits", "2048", "--no-passphrase");
  const swapped = JSON.parse(
    cli(
      ...["recover", "request", "taxes.twin", "--to", "thief.pub.pem", "--requester", REQUESTER],
      ...["--authority", "here", "--json"],
    ),
  ).id;
  const ann = await come();
  await ann.add(path("here/authority.json"));
  await ann.view("Officers");
  await ann.album("officers");
  await ann.next("office");
  await ann.page.getByLabel("The number that the requester told").fill(id);
  await ann.give("officer-request", path(`${swapped}.request.json`));
  await ann.page.getByRole("button", { name: "Show the request" }).click();
  expect((await ann.results(1, "[data-step=ask]"))[0]).toMatch(
    /This is not the request that you were told of.*Nothing was signed/s,
  );
  await ann.album("swapped");
  // The right one, carried: signed into a file.
  await ann.give("officer-request", path(`${id}.request.json`));
  await ann.more();
  await ann.give("officer-given", path("taxes.twin"));
  await ann.page.getByRole("button", { name: "Show the request" }).click();
  await ann.page.getByText("The number fits").waitFor();
  const question = await ann.page.locator("#question").innerText();
  expectShown(question);
  expect(question).toContain("olivia");
  await ann.leave();

  // A service that shows the other request under her number is not believed.
  const misled = await come();
  await signIn(misled, "officer", true);
  await misled.page.route(`**/v1/requests/${id}`, async (route) => {
    const url = route.request().url().replace(id, swapped);
    await route.fulfill({ response: await route.fetch({ url }) });
  });
  await misled.view("Officers");
  await misled.next("office");
  await misled.page.getByLabel("The number that the requester told").fill(id);
  await misled.page.getByRole("button", { name: "Show the request" }).click();
  expect((await misled.results(1, "[data-step=ask]"))[0]).toMatch(
    /answered with another request.*Don't rely on it.*NOT_VERIFIED/s,
  );
  expect(await misled.page.locator("#question").isVisible()).toBe(false);
  await misled.leave();

  expect(await decide("ann", swapped, "Deny")).toMatch(/Signed and sent/);
  expect(await decide("ben", swapped, "Deny")).toMatch(/It stands: denied/);
  expect(await decide("ann", id, "Approve")).toMatch(/It stands: waiting/);
  // While she waits, the owner sees it.
  await lost.page.getByRole("button", { name: "Look now" }).click();
  await lost.page.getByText("1 of 2 officers have approved").waitFor();
  await lost.album("recover-wait-approved");
  expect(await decide("ben", id, "Approve")).toMatch(/It stands: released/);
  const open = lost.page.getByRole("button", { name: "Open and save" });
  await open.waitFor();
  await lost.album("recover-take");
  await lost.saving(1, { path: () => path("again.txt") }, () => open.click());
  expect(folder.read("again.txt").toString()).toBe("all of it\n");
  await lost.album("recover-done");
  await lost.leave();

  // The auditor reads the log, and what the token allows.
  const auditor = await come();
  await signIn(auditor, "auditor", true);
  await auditor.view("Officers");
  const look = async (name: string) => {
    await auditor.page.locator("#look").getByRole("button", { name }).click();
    const [shown] = await auditor.results(1, "#look-work");
    await auditor.album(`look-${name.toLowerCase().replaceAll(" ", "-")}`);
    return shown!;
  };
  const log = await look("Log and health");
  expect(log).toMatch(new RegExp(`key released[^]*${id}`));
  expect(log).toMatch(new RegExp(`request denied[^]*${swapped}`));
  expect(log).toMatch(/Health\s+ready/);
  expectShown(await look("Requests"));
  expectShown(await look("Records"));
  expect(await look("Policy")).toMatch(/Policy 1 is in force/);
  await auditor.leave();
});
