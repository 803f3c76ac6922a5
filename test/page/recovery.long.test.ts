// The whole procedure between the page and the command line, which play every part in turn.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decide, makeAuthority, makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
let site: Awaited<ReturnType<typeof startSite>>;
const come = () => Visitor.come(site.browser, `${site.server.url}/#seal`);

/** Two of three officers say yes, and the authority releases. */
function release(id: string, output: string): void {
  cli("authority", "intake", `${id}.request.json`, "--authority", "here");
  for (const name of ["ann", "ben"]) decide(folder, name, "approve", id);
  cli("authority", "release", id, "-o", output, "--authority", "here");
}

beforeAll(async () => {
  site = await startSite();
  makeAuthority(folder);
  for (const name of ["old", "new"]) {
    cli("keygen", "-o", `${name}.pem`, "--bits", "2048", "--no-passphrase");
  }
  writeFileSync(path("ledger.txt"), "debit and credit\n");
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

describe("sealed in the page, with a backup authority", () => {
  test("the submission is carried, the receipt goes into the file, and the command line verifies it", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("old.pub.pem"), path("here/authority.json"));
    await visitor.give("seal-files", path("ledger.txt"));
    await visitor.tick("old.pub.pem");
    await visitor.more();
    await page.getByLabel("Description (optional").fill("Ledger of the page");
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Seal", exact: true }).click(),
    );
    expect((await visitor.results())[0]).toMatch(
      /Not in escrow yet: carry the submission to here\.example/,
    );
    const [submission] = await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Save the submission for here.example" }).click(),
    );
    expect(submission).toMatch(/^ledger\.txt\.twin\.[0-9a-f]{16}\.submission\.json$/);

    // Not verified yet, in the same words.
    await visitor.view("Verify");
    await visitor.give("verify-files", path("ledger.txt.twin"));
    await page.getByRole("button", { name: "Verify" }).click();
    expect((await visitor.results())[0]).toMatch(/No: nothing here proves it.*pending/s);

    expect(cli("authority", "intake", submission!, "--authority", "here")).toMatch(/verified/);
    const receipt = submission!.replace("submission", "receipt");
    await visitor.give("verify-receipts", path(receipt));
    await page.getByRole("button", { name: "Verify" }).click();
    expect((await visitor.results())[0]).toMatch(/Yes: the authority has verified the key/);
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("verified");
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Save it with its receipt" }).click(),
    );
    expect(cli("verify", "ledger.txt.twin", "--authority", "here/authority.json")).toMatch(
      /verified by here\.example/,
    );
    expect(cli("authority", "list", "--authority", "here")).toMatch(/Ledger of the page/);
    await visitor.leave();
  });

  test("another's receipt, or none of the authority's, proves nothing", async () => {
    cli(
      "encrypt",
      "ledger.txt",
      "-o",
      "other.twin",
      "--owner",
      "old.pub.pem",
      "--authority",
      "here/authority.json",
      "--owner-id",
      "olivia",
    );
    const visitor = await come();
    const { page } = visitor;
    await visitor.view("Verify");
    await visitor.give("verify-files", path("ledger.txt.twin"), path("other.twin"));
    await page.getByRole("button", { name: "Verify" }).click();
    const [without] = await visitor.results(2);
    expect(without).toMatch(/Not shown: without the authority's authority\.json/);
    await visitor.add(path("here/authority.json"));
    await page.getByRole("button", { name: "Verify" }).click();
    const [mine, other] = await visitor.results(2);
    expect(mine).toMatch(/^ledger\.txt\.twin\s+Yes/);
    expect(other).toMatch(/^other\.twin\s+No.*pending/s);
    await visitor.leave();
  });
});

/** The steps from the files to the request, as somebody without the old key takes them. @returns its ID */
async function ask(visitor: Visitor, name: string): Promise<string> {
  const { page } = visitor;
  await visitor.view("Recover");
  await visitor.give("lost-files", path(name));
  await visitor.next("files");
  await page
    .getByText("a spare key of these files is kept by here.example. It is in this tab")
    .waitFor();
  await visitor.next("keeper");
  const key = page.locator("[data-step=key]");
  await key.getByLabel("Passphrase").fill("correct horse");
  await key.getByLabel("Once more").fill("correct horse");
  const [made] = await visitor.saving(1, folder, () => visitor.next("key"));
  expect(made).toMatch(/^new-key-\d{4}-\d\d-\d\d\.pem$/);
  writeFileSync(path("new-key.pem"), folder.read(made!));
  await page.getByLabel("Your name, as the officers").fill("Olivia Owner");
  const [request] = await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Make the request" }).click(),
  );
  return request!.replace(".request.json", "");
}

describe("recovered", () => {
  test("asked for and finished in the page, by files that are carried", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("here/authority.json"));
    const id = await ask(visitor, "ledger.txt.twin");
    expect(id).toMatch(/^[a-z2-7]{26}$/);
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("saved-first");
    // Whoever did not save can't go on.
    await page.getByRole("button", { name: "I have brought it there" }).click();
    expect(await visitor.fieldError()).toMatch(/Look whether both files were saved/);
    await page.getByLabel("I see them, and keep them").check();
    await page.getByRole("button", { name: "I have brought it there" }).click();
    const said = await page.locator("output.id").innerText();
    expect(said.replaceAll("-", "")).toBe(id);
    await page.getByRole("button", { name: "Check the release" }).click();
    expect(await visitor.fieldError()).toMatch(/Choose the release/);
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("number");
    release(id, "release.json");

    await visitor.give("take-release", path("release.json"));
    await page.getByRole("button", { name: "Check the release" }).click();
    await visitor.saving(1, { path: () => path("opened.txt") }, () =>
      page.getByRole("button", { name: "Open and save" }).click(),
    );
    expect(folder.read("opened.txt").toString()).toBe("debit and credit\n");
    await visitor.saving(1, { path: () => path("recovered.twin") }, () =>
      page.getByRole("button", { name: "Save them sealed for my new key" }).click(),
    );
    expect((await visitor.results(1, "[data-step=take]"))[0]).toMatch(
      /Recovered: your new key opens it/,
    );
    await visitor.picture("recovered");
    // What was saved is a locked key, which opens the file.
    writeFileSync(path("secret.txt"), "correct horse\n");
    const locked = ["-k", "new-key.pem", "--passphrase-file", "secret.txt"];
    cli("decrypt", "recovered.twin", "-o", "by-cli.txt", ...locked);
    expect(folder.read("by-cli.txt").toString()).toBe("debit and credit\n");
    // The old key still opens it, and the receipt is still in it.
    cli("decrypt", "recovered.twin", "-o", "old.txt", "-k", "old.pem");
    expect(cli("verify", "recovered.twin", "--authority", "here/authority.json")).toMatch(
      /verified by/,
    );

    // The same release is finished by the command line.
    cli(
      ...["recover", "fetch", "--release", "release.json", "--request", `${id}.request.json`],
      ...["ledger.txt.twin", ...locked, "--authority", "here/authority.json"],
    );
    cli("decrypt", "ledger.txt.twin", "-o", "fetched.txt", ...locked);
    expect(folder.read("fetched.txt").toString()).toBe("debit and credit\n");
    await visitor.leave();
  });

  test("a tab that was closed loses nothing: the saved key and request go on in another one", async () => {
    const sealing = ["--owner", "old.pub.pem", "--authority", "here", "--owner-id", "olivia"];
    cli("encrypt", "ledger.txt", "-o", "later.twin", ...sealing);
    const first = await come();
    await first.add(path("here/authority.json"));
    const id = await ask(first, "later.twin");
    await first.leave();
    release(id, "later.release.json");

    const visitor = await come();
    const { page } = visitor;
    await visitor.view("Recover");
    await visitor.give("lost-files", path("later.twin"));
    await visitor.more();
    await visitor.give("resume-request", path(`${id}.request.json`));
    await visitor.next("files");
    await page.getByText("The page does not know here.example yet").waitFor();
    expect(await visitor.barriers()).toEqual([]);
    await visitor.give("keeper-file", path("here/authority.json"));
    await expect.poll(() => page.locator("#keeper-choice input").count()).toBe(1);
    await visitor.next("keeper");
    await visitor.give("take-release", path("later.release.json"));
    await page.getByRole("button", { name: "Check the release" }).click();
    await page.getByRole("button", { name: "Open and save" }).click();
    expect(await visitor.fieldError()).toMatch(/Add your new private key/);
    await visitor.give("key-files", path("new-key.pem"));
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Of new-key.pem").fill("correct horse");
    await dialog.getByRole("button", { name: "Unlock" }).click();
    await expect.poll(() => page.locator(".field-error").count()).toBe(0);
    await visitor.saving(1, { path: () => path("later.txt") }, () =>
      page.getByRole("button", { name: "Open and save" }).click(),
    );
    expect(folder.read("later.txt").toString()).toBe("debit and credit\n");
    await visitor.leave();
  });

  test("asked for by the command line, finished in the page with the request that was kept", async () => {
    const sealing = ["--owner", "old.pub.pem", "--authority", "here", "--owner-id", "olivia"];
    cli("encrypt", "ledger.txt", "-o", "second.twin", ...sealing);
    const asked = cli(
      ...["recover", "request", "second.twin", "--to", "new.pub.pem", "--requester", "Olivia"],
      ...["--authority", "here/authority.json", "--json"],
    );
    const { id } = JSON.parse(asked);
    release(id, "second.release.json");
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("lost-files", path("second.twin"), path("other.twin"));
    await visitor.more();
    await page.getByLabel("Or your number").fill(id);
    await visitor.next("files");
    await visitor.next("keeper");
    // Anybody could have asked for a release for himself: without a service the request has to be there.
    expect((await visitor.results(1, "[data-step=keeper]"))[0]).toMatch(
      /Choose the request that you saved/,
    );
    await page.getByRole("button", { name: "Change: Which files" }).click();
    await visitor.give("resume-request", path(`${id}.request.json`));
    await visitor.next("files");
    await visitor.next("keeper");

    // A release whose proof was tampered with, and no release at all.
    const text = folder.read("second.release.json").toString();
    const proof = /"proof":"([^"]*)"/.exec(text)![1]!;
    const altered = proof.replace(
      /(— [^ ]+ )(.{4})/,
      (_, name, start) => `${name}${start === "AAAA" ? "BBBB" : "AAAA"}`,
    );
    expect(altered).not.toBe(proof);
    writeFileSync(path("forged.release.json"), text.replace(proof, altered));
    const check = page.getByRole("button", { name: "Check the release" });
    await visitor.give("take-release", path("forged.release.json"));
    await check.click();
    expect((await visitor.results(1, "[data-step=wait]"))[0]).toMatch(/NOT_VERIFIED/);
    await visitor.give("take-release", path(`${id}.request.json`));
    await check.click();
    expect((await visitor.results(1, "[data-step=wait]"))[0]).toMatch(
      /is a request; needed is a release/,
    );

    await visitor.give("take-release", path("second.release.json"));
    await check.click();
    await page.getByRole("button", { name: "Open and save" }).waitFor();
    await visitor.tick("Each by itself");
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Save them sealed for my new key" }).click(),
    );
    const [second, other] = await visitor.results(2, "[data-step=take]");
    expect(second).toMatch(/The wrap for your new key was added/);
    expect(other).toMatch(/The release has nothing for this file/);
    cli("decrypt", "second.twin", "-o", "second.txt", "-k", "new.pem");
    expect(folder.read("second.txt").toString()).toBe("debit and credit\n");
    await visitor.leave();
  });

  test("what is not escrowed is said before anything is asked", async () => {
    cli("encrypt", "ledger.txt", "-o", "alone.twin", "--owner", "old.pub.pem", "--no-authority");
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("new.pem"), path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("lost-files", path("alone.twin"));
    await visitor.next("files");
    await page.getByText("These files name nobody who keeps a spare key").waitFor();
    await visitor.next("keeper");
    await visitor.tick("Use new.pem");
    await visitor.next("key");
    await page.getByRole("button", { name: "Make the request" }).click();
    expect(await visitor.fieldError()).toMatch(/Say who you are/);
    await page.getByLabel("Your name, as the officers").fill("Olivia");
    await page.getByRole("button", { name: "Make the request" }).click();
    expect((await visitor.results(1, "[data-step=who]"))[0]).toMatch(
      /is not escrowed with here\.example/,
    );
    await visitor.leave();
  });

  test("by keyboard alone, from the files to the number, and back to the beginning", async () => {
    const sealing = ["--owner", "old.pub.pem", "--authority", "here", "--owner-id", "olivia"];
    cli("encrypt", "ledger.txt", "-o", "keyboard.twin", ...sealing);
    const visitor = await come();
    const { page } = visitor;
    const { keyboard } = page;
    await visitor.add(path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("lost-files", path("keyboard.twin"));
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: element } = document;
        return (element as HTMLInputElement).name || element?.textContent?.trim();
      });
    /** Tabs to something. */
    const to = async (name: string) => {
      for (let i = 0; i < 12 && (await focused()) !== name; i++) await keyboard.press("Tab");
      expect(await focused()).toBe(name);
    };
    /** The step that has the focus now. */
    const isAt = (title: string) => expect.poll(focused).toBe(title);
    await to("Next");
    await keyboard.press("Enter");
    await isAt("Who keeps the spare key?");
    await to("Next");
    await keyboard.press("Enter");
    await isAt("Your new key");
    await to("passphrase");
    await keyboard.type("correct horse");
    await to("again");
    await keyboard.type("correct horse");
    await keyboard.press("Enter");
    await isAt("Who are you?");
    await to("requester");
    await keyboard.type("Olivia");
    await keyboard.press("Enter");
    await isAt("Save first, then send");
    await to("saved");
    await keyboard.press("Space");
    await to("I have brought it there");
    await keyboard.press("Enter");
    await isAt("Tell the officers your number");
    expect(await page.locator("output.id").innerText()).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{1,4}){6}$/);
    await to("Begin again");
    await keyboard.press("Enter");
    await isAt("Which files don't open?");
    expect(await page.locator("[data-files=lost-files] .files li").count()).toBe(0);
    await visitor.leave();
  });
});
