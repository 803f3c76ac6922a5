// The whole procedure between the page and the command line, which play every part in turn.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
let site: Awaited<ReturnType<typeof startSite>>;
const come = () => Visitor.come(site.browser, `${site.server.url}/`);

/** Two of three officers say yes, and the authority releases. */
function release(id: string, output: string): void {
  cli("authority", "intake", `${id}.request.json`, "--authority", "here");
  for (const name of ["ann", "ben"]) {
    cli(
      "authority",
      "approve",
      id,
      "-k",
      `${name}.pem`,
      "--identity",
      "met",
      "--yes",
      "--authority",
      "here",
    );
  }
  cli("authority", "release", id, "-o", output, "--authority", "here");
}

beforeAll(async () => {
  site = await startSite();
  for (const name of ["ann", "ben", "cyd"])
    cli("officer", "keygen", "-o", `${name}.pem`, "--no-passphrase");
  const officers = ["ann", "ben", "cyd"].flatMap((name) => [
    "--officer",
    `${name}=${name}.pub.pem`,
  ]);
  cli(
    "authority",
    "init",
    "here",
    "--no-passphrase",
    "--origin",
    "here.example",
    ...officers,
    "--quorum",
    "2",
  );
  for (const name of ["ann", "ben", "cyd"]) {
    cli("authority", "policy", "sign", "-k", `${name}.pem`, "--yes", "--authority", "here");
  }
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
    await page.getByLabel("Description").fill("Ledger of the page");
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Seal", exact: true }).click(),
    );
    expect((await visitor.results())[0]).toMatch(/Not in escrow yet: carry this to here\.example/);
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

describe("recovered", () => {
  test("asked for and finished in the page", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("new.pem"), path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("ask-files", path("ledger.txt.twin"));
    await page.getByLabel("Who you are").fill("Olivia Owner");
    const [request] = await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Ask", exact: true }).click(),
    );
    const id = request!.replace(".request.json", "");
    expect(id).toMatch(/^[a-z2-7]{26}$/);
    const said = await page.locator("output.id").innerText();
    expect(said.replaceAll("-", "")).toBe(id);
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("request");
    release(id, "release.json");

    await visitor.give("take-files", path("ledger.txt.twin"));
    await visitor.give("take-release", path("release.json"));
    await visitor.saving(1, { path: () => path("opened.txt") }, () =>
      page.getByRole("button", { name: "Check it and open the files" }).click(),
    );
    expect(folder.read("opened.txt").toString()).toBe("debit and credit\n");
    await visitor.saving(1, { path: () => path("recovered.twin") }, () =>
      page.getByRole("button", { name: "Check it and save the files" }).click(),
    );
    expect((await visitor.results(1, "#take-work"))[0]).toMatch(/Recovered: your new key opens it/);
    await visitor.picture("recovered");
    cli("decrypt", "recovered.twin", "-o", "by-cli.txt", "-k", "new.pem");
    expect(folder.read("by-cli.txt").toString()).toBe("debit and credit\n");
    // The old key still opens it, and the receipt is still in it.
    cli("decrypt", "recovered.twin", "-o", "old.txt", "-k", "old.pem");
    expect(cli("verify", "recovered.twin", "--authority", "here/authority.json")).toMatch(
      /verified by/,
    );

    // The same release is finished by the command line.
    cli(
      "recover",
      "fetch",
      "--release",
      "release.json",
      "--request",
      `${id}.request.json`,
      "ledger.txt.twin",
      "-k",
      "new.pem",
      "--authority",
      "here/authority.json",
    );
    cli("decrypt", "ledger.txt.twin", "-o", "fetched.txt", "-k", "new.pem");
    expect(folder.read("fetched.txt").toString()).toBe("debit and credit\n");
    await visitor.leave();
  });

  test("asked for by the command line, finished in the page with the request that was kept", async () => {
    cli(
      "encrypt",
      "ledger.txt",
      "-o",
      "second.twin",
      "--owner",
      "old.pub.pem",
      "--authority",
      "here",
      "--owner-id",
      "olivia",
    );
    const asked = cli(
      "recover",
      "request",
      "second.twin",
      "--to",
      "new.pub.pem",
      "--requester",
      "Olivia",
      "--authority",
      "here/authority.json",
      "--json",
    );
    const { id } = JSON.parse(asked);
    release(id, "second.release.json");
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("take-files", path("second.twin"), path("other.twin"));
    await visitor.give("take-release", path("second.release.json"));
    // Anybody could have asked for a release for himself.
    await page.getByRole("button", { name: "Check it and save the files" }).click();
    expect((await visitor.results(1, "#take-work"))[0]).toMatch(
      /Nothing shows that this release is yours/,
    );
    await visitor.give("take-request", path(`${id}.request.json`));
    await visitor.saving(1, folder, () =>
      page.getByRole("button", { name: "Check it and save the files" }).click(),
    );
    const [second, other] = await visitor.results(2, "#take-work");
    expect(second).toMatch(/The wrap for your new key was added/);
    expect(other).toMatch(/The release has nothing for this file/);
    cli("decrypt", "second.twin", "-o", "second.txt", "-k", "new.pem");
    expect(folder.read("second.txt").toString()).toBe("debit and credit\n");

    // A release whose proof was tampered with.
    const text = folder.read("second.release.json").toString();
    const proof = /"proof":"([^"]*)"/.exec(text)![1]!;
    const altered = proof.replace(
      /(— [^ ]+ )(.{4})/,
      (_, name, start) => `${name}${start === "AAAA" ? "BBBB" : "AAAA"}`,
    );
    expect(altered).not.toBe(proof);
    writeFileSync(path("forged.release.json"), text.replace(proof, altered));
    await visitor.give("take-release", path("forged.release.json"));
    await page.getByRole("button", { name: "Check it and save the files" }).click();
    expect((await visitor.results(1, "#take-work"))[0]).toMatch(/NOT_VERIFIED/);
    await visitor.give("take-release", path(`${id}.request.json`));
    await page.getByRole("button", { name: "Check it and save the files" }).click();
    expect((await visitor.results(1, "#take-work"))[0]).toMatch(
      /is a request; needed is a release/,
    );
    await visitor.leave();
  });

  test("what is not escrowed is said before anything is asked", async () => {
    cli("encrypt", "ledger.txt", "-o", "alone.twin", "--owner", "old.pub.pem");
    const visitor = await come();
    await visitor.add(path("new.pem"), path("here/authority.json"));
    await visitor.view("Recover");
    await visitor.give("ask-files", path("alone.twin"));
    await visitor.page.getByLabel("Who you are").fill("Olivia");
    await visitor.page.getByRole("button", { name: "Ask", exact: true }).click();
    expect((await visitor.results(1, "#ask-work"))[0]).toMatch(
      /is not escrowed with here\.example/,
    );
    await visitor.leave();
  });
});
