// The page by itself: keys, sealing, opening, inspecting, errors, and how it looks and reads.
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
let site: Awaited<ReturnType<typeof startSite>>;
const come = (options = {}) => Visitor.come(site.browser, `${site.server.url}/#seal`, options);

beforeAll(async () => {
  site = await startSite();
  writeFileSync(folder.path("report.txt"), "quarterly figures\n");
  for (const name of ["alice", "bob"]) {
    folder.cli("keygen", "-o", `${name}.pem`, "--bits", "2048", "--no-passphrase");
  }
  writeFileSync(folder.path("secret.txt"), "horse\n");
  folder.cli("keygen", "-o", "locked.pem", "--bits", "2048", "--passphrase-file", "secret.txt");
  folder.cli("encrypt", "report.txt", "--owner", "alice.pub.pem", "--name", "a\u202etxt.exe");
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

test("a key is made and saved, a file sealed for it, and opened again", async () => {
  const visitor = await come();
  const { page } = visitor;
  const make = page.locator("#make");
  await make.getByText("Make a key").click();
  await make.getByText("Details").click();
  await make.getByLabel("Name", { exact: true }).fill("mine");
  await make.getByLabel("Size").selectOption("2048");
  await page.getByRole("button", { name: "Make and save it" }).click();
  expect(await visitor.fieldError()).toContain("Give a passphrase");
  const focused = () => page.evaluate(() => (document.activeElement as HTMLInputElement).name);
  expect(await focused()).toBe("passphrase");
  await make.getByLabel("Passphrase").first().fill("correct horse");
  await make.getByLabel("Once more").fill("correct house");
  await page.getByRole("button", { name: "Make and save it" }).click();
  expect(await visitor.fieldError()).toContain("not the same");
  expect(await focused()).toBe("again");
  await make.getByLabel("Once more").fill("correct horse");
  const made = await visitor.saving(2, folder, () =>
    page.getByRole("button", { name: "Make and save it" }).click(),
  );
  expect(made).toEqual(["mine.pem", "mine.pub.pem"]);
  expect(await make.getByLabel("Passphrase").first().inputValue()).toBe("");
  // What it saved is what OpenSSL and the command line read.
  writeFileSync(folder.path("mine.txt"), "correct horse\n");
  expect(folder.cli("key", "info", "mine.pem", "--passphrase-file", "mine.txt")).toContain("2048");

  await visitor.saving(1, { path: () => folder.path("mine-again.pem") }, () =>
    page.getByRole("button", { name: "Save mine.pem again" }).click(),
  );
  expect(folder.read("mine-again.pem").equals(folder.read("mine.pem"))).toBe(true);

  await visitor.give("seal-files", folder.path("report.txt"));
  // One's own key is ticked.
  expect(await page.locator("#seal-keys input:checked").count()).toBe(1);
  await visitor.more();
  await page.getByLabel("Description (optional").fill("Q3");
  await page.getByLabel("Write the file's name into it").check();
  const [sealed] = await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  expect(sealed).toBe("report.txt.twin");
  expect(await visitor.results()).toEqual([expect.stringMatching(/Saved as\s+report\.txt\.twin/)]);
  await visitor.picture("sealed");

  await visitor.view("Open");
  await visitor.give("open-files", folder.path("report.txt.twin"));
  await page.getByRole("button", { name: "Show as text" }).click();
  expect(await visitor.results()).toEqual([expect.stringContaining("quarterly figures")]);
  await visitor.saving(1, { path: () => folder.path("again.txt") }, () =>
    page.getByRole("button", { name: "Open and save" }).click(),
  );
  expect(folder.read("again.txt").toString()).toBe("quarterly figures\n");

  await page.getByRole("button", { name: "Remove mine.pem" }).click();
  await page.getByRole("button", { name: "Open and save" }).click();
  expect(await visitor.fieldError()).toContain("Add the private key");
  // It is gone once the key is there.
  await visitor.add(folder.path("alice.pem"));
  expect(await page.locator(".field-error").count()).toBe(0);
  await visitor.leave();
});

describe("with the command line", () => {
  test.each(["oaep", "pkcs1-v1_5"])("opens what it sealed, %s", async (padding) => {
    folder.cli(
      "encrypt",
      "report.txt",
      "-o",
      `${padding}.twin`,
      "--owner",
      "bob.pub.pem",
      "--padding",
      padding,
    );
    const visitor = await come();
    await visitor.add(folder.path("bob.pem"));
    await visitor.view("Open");
    await visitor.give("open-files", folder.path(`${padding}.twin`));
    const [name] = await visitor.saving(1, folder, () =>
      visitor.page.getByRole("button", { name: "Open and save" }).click(),
    );
    expect(name).toBe(padding);
    expect(folder.read(padding).toString()).toBe("quarterly figures\n");
    await visitor.leave();
  });

  test("the command line opens what it sealed: several files, several keys, 20 MiB in workers", async () => {
    const large = Buffer.alloc(40 << 20, "0123456789abcdef!");
    writeFileSync(folder.path("large.bin"), large);
    const visitor = await come();
    await visitor.add(folder.path("alice.pub.pem"), folder.path("bob.pub.pem"));
    await visitor.tick("alice.pub.pem", "bob.pub.pem");
    await visitor.give("seal-files", folder.path("report.txt"), folder.path("large.bin"));
    await visitor.tick("Each by itself");
    const workers: string[] = [];
    visitor.page.on("worker", (worker) => workers.push(new URL(worker.url()).pathname));
    const names = await visitor.saving(2, folder, () =>
      visitor.page.getByRole("button", { name: "Seal", exact: true }).click(),
    );
    expect(names).toEqual(["report.txt.twin", "large.bin.twin"]);
    await visitor.results(2);
    // One processor is the page's own.
    const processors = await visitor.page.evaluate(() => navigator.hardwareConcurrency);
    expect(new Set(workers)).toEqual(new Set(processors > 1 ? ["/worker.js"] : []));
    folder.cli("decrypt", "large.bin.twin", "-o", "large.again", "-k", "bob.pem");
    expect(folder.read("large.again").equals(large)).toBe(true);
    folder.cli("decrypt", "report.txt.twin", "-o", "report.again", "-k", "alice.pem");
    expect(folder.read("report.again").toString()).toBe("quarterly figures\n");
    await visitor.leave();
    folder.cli(
      "encrypt",
      "report.txt",
      "--owner",
      "alice.pub.pem",
      "--name",
      "a\u202etxt.exe",
      "--force",
    );
  });
});

describe("inspects", () => {
  test("a sealed file: who opens it, and nothing that plays tricks", async () => {
    const visitor = await come();
    await visitor.add(folder.path("alice.pub.pem"));
    await visitor.view("Inspect");
    await visitor.give("inspect-files", folder.path("report.txt.twin"));
    await visitor.page.getByRole("button", { name: "Inspect" }).click();
    const [text] = await visitor.results();
    expect(text).toMatch(/not authenticated/);
    expect(text).toMatch(/a\\u\{202e\}txt\.exe/);
    expect(text).not.toMatch(/\u202e/);
    expect(text).toMatch(/RSA-2048 oaep, alice\.pub\.pem in this tab/);
    await visitor.picture("inspect-sealed");
    await visitor.leave();
  });

  test("CryptoAPI blobs field by field, keys, and what is wrong with bad ones", async () => {
    folder.cli(
      "blob",
      "generate",
      "--alg",
      "aes-256",
      "--to",
      "alice.pub.pem",
      "-o",
      "a.simpleblob",
    );
    folder.cli(
      "key",
      "convert",
      "alice.pem",
      "--to",
      "msblob",
      "-o",
      "alice.blob",
      "--no-passphrase",
    );
    const bad = Buffer.from(folder.read("a.simpleblob"));
    bad[1] = 9;
    writeFileSync(folder.path("bad.simpleblob"), bad);
    writeFileSync(folder.path("noise.bin"), Buffer.from("no file of ours"));
    const visitor = await come();
    await visitor.view("Inspect");
    const names = ["a.simpleblob", "alice.blob", "bad.simpleblob", "locked.pem", "noise.bin"];
    await visitor.give("inspect-files", ...names.map(folder.path));
    await visitor.page.getByRole("button", { name: "Inspect" }).click();
    const [simple, privateKey, broken, locked, noise] = await visitor.results(5);
    expect(simple).toMatch(/SIMPLEBLOB/);
    expect(simple).toMatch(/0004\s+aiKeyAlg\s+10 66 00 00\s+CALG_AES_256/);
    expect(privateKey).toMatch(/PRIVATEKEYBLOB/);
    expect(privateKey).toMatch(/bytes, hidden/);
    expect(broken).toMatch(/NTE_BAD_VER/);
    expect(broken).toMatch(/offset 0001/);
    expect(locked).toMatch(/locked private key/);
    expect(noise).toMatch(/Is it the right file/);
    await visitor.picture("inspect-blobs");
    expect(await visitor.barriers()).toEqual([]);
    await visitor.leave();
  });
});

describe("says what went wrong, and what to do", () => {
  test("the wrong key, an altered file, no sealed file", async () => {
    const altered = Buffer.from(folder.read("report.txt.twin"));
    altered[altered.length - 3]! ^= 1;
    writeFileSync(folder.path("altered.twin"), altered);
    const visitor = await come();
    const { page } = visitor;
    await visitor.view("Open");
    await page.getByRole("button", { name: "Open and save" }).click();
    expect(await visitor.fieldError()).toMatch(/Choose the sealed files first/);
    await visitor.add(folder.path("bob.pem"));
    const names = ["report.txt.twin", "report.txt"];
    await visitor.give("open-files", ...names.map(folder.path));
    await visitor.tick("Each by itself");
    await page.getByRole("button", { name: "Open and save" }).click();
    const [wrong, foreign] = await visitor.results(2);
    expect(wrong).toMatch(/None of the keys in this tab opens this file.*NOT_A_RECIPIENT/s);
    expect(foreign).toMatch(/BAD_FORMAT/);
    await visitor.add(folder.path("alice.pem"));
    await visitor.give("open-files", folder.path("altered.twin"));
    await page.getByRole("button", { name: "Show as text" }).click();
    expect((await visitor.results())[0]).toMatch(/damaged or altered.*DECRYPTION_FAILED/s);
    await visitor.picture("errors");
    await visitor.leave();
  });

  test("a wrong passphrase is asked for again; closing the dialog adds nothing", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.give("key-files", folder.path("locked.pem"));
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Of locked.pem").fill("house");
    await page.keyboard.press("Enter");
    await dialog.getByText("This passphrase does not open it.").waitFor();
    expect(await visitor.barriers()).toEqual([]);
    await visitor.picture("passphrase");
    await page.keyboard.press("Escape");
    expect(await visitor.results(1, "#key-work")).toEqual([expect.stringMatching(/Stopped/)]);
    expect(await page.locator("#key-list > li").count()).toBe(0);
    await visitor.give("key-files", folder.path("locked.pem"));
    await dialog.getByLabel("Of locked.pem").fill("horse");
    await dialog.getByRole("button", { name: "Unlock" }).click();
    await expect.poll(() => page.locator("#key-list > li").count()).toBe(1);
    await visitor.leave();
  });

  test("nobody to seal for; what is no key; a message in the place of keys", async () => {
    const visitor = await come();
    await visitor.give("seal-files", folder.path("report.txt"));
    await visitor.page.getByRole("button", { name: "Seal", exact: true }).click();
    expect(await visitor.fieldError()).toMatch(/Nobody could open it/);
    await visitor.give("key-files", folder.path("report.txt"));
    expect((await visitor.results(1, "#key-work"))[0]).toMatch(/BAD_FORMAT/);
    await visitor.leave();
  });

  test("cancel stops the work, and nothing is saved", async () => {
    writeFileSync(folder.path("huge.bin"), Buffer.alloc(400 << 20));
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(folder.path("alice.pem"));
    await visitor.give("seal-files", folder.path("huge.bin"), folder.path("report.txt"));
    await visitor.tick("Each by itself");
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Seal", exact: true }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    const results = await visitor.results(2);
    for (const result of results) expect(result).toMatch(/Stopped\. Nothing was saved/);
    expect(await (await download).failure()).not.toBeNull();
    await visitor.leave();
  });
});

describe("looks and reads well", () => {
  const VIEWS = ["Start", "Seal", "Open", "Inspect", "Recover", "Verify", "Officers"];

  test.each(["light", "dark"] as const)(
    "%s: no barrier in any view (axe-core)",
    async (colorScheme) => {
      const visitor = await come({ colorScheme });
      await visitor.add(folder.path("alice.pem"), folder.path("bob.pub.pem"));
      await visitor.page.locator("#make").getByText("Make a key").click();
      for (const view of VIEWS) {
        await visitor.view(view);
        await visitor.more();
        expect(await visitor.barriers()).toEqual([]);
        await visitor.picture(`${view.toLowerCase()}-${colorScheme}`);
      }
      await visitor.leave();
    },
  );

  test("360 pixels wide, and with letters of twice the size, nothing has to be scrolled sideways", async () => {
    const visitor = await come({ viewport: { width: 360, height: 700 } });
    await visitor.add(folder.path("alice.pem"));
    for (const size of ["100%", "200%"]) {
      await visitor.page.evaluate((size) => {
        document.documentElement.style.fontSize = size;
      }, size);
      for (const view of VIEWS) {
        await visitor.view(view);
        const [wide, width] = await visitor.page.evaluate(() => [
          document.documentElement.scrollWidth,
          innerWidth,
        ]);
        expect(`${view} ${wide}`).toBe(`${view} ${width}`);
      }
      await visitor.picture(`phone-${size.slice(0, 3)}`);
    }
    await visitor.leave();
  });

  test("by keyboard alone: views, files, work", async () => {
    const visitor = await come();
    const { page } = visitor;
    await visitor.add(folder.path("alice.pub.pem"));
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: element } = document;
        return element?.id || element?.textContent?.trim();
      });
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the work");
    for (let i = 0; i < 7; i++) await page.keyboard.press("Tab");
    expect(await focused()).toBe("Inspect");
    await page.keyboard.press("Enter");
    // The reader is taken to what is shown now.
    await expect.poll(focused).toBe("inspect-title");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("inspect-files");
    await visitor.give("inspect-files", folder.path("report.txt.twin"));
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Inspect");
    await page.keyboard.press("Enter");
    expect(await visitor.results()).toHaveLength(1);
    expect(await focused()).toBe("Inspect");
    await visitor.leave();
  });

  test("files can be dropped; beside their place they do no harm", async () => {
    const visitor = await come();
    const dropOn = (selector: string) =>
      visitor.page.evaluate((selector) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["quarterly figures"], "dropped.txt"));
        const init = { dataTransfer, bubbles: true, cancelable: true };
        const target = document.querySelector(selector)!;
        target.dispatchEvent(new DragEvent("dragover", init));
        return !target.dispatchEvent(new DragEvent("drop", init));
      }, selector);
    expect(await dropOn("[data-files=seal-files] .drop")).toBe(true);
    expect(await visitor.page.locator("[data-files=seal-files] .files").innerText()).toMatch(
      /dropped\.txt, 17 bytes/,
    );
    // The browser would open it in place of the page.
    expect(await dropOn("footer")).toBe(true);
    await visitor.leave();
  });
});

test("without https: a warning, and all but making keys", async () => {
  const visitor = await Visitor.come(site.browser, `http://plain.test:${site.server.port}/#seal`);
  const { page } = visitor;
  expect(await page.locator("#insecure").isVisible()).toBe(true);
  expect(await visitor.barriers()).toEqual([]);
  await page.locator("#make").getByText("Make a key").click();
  await page.locator("#make").getByText("Details").click();
  await page.getByLabel("Without a passphrase").check();
  await page.getByRole("button", { name: "Make and save it" }).click();
  expect((await visitor.results(1, "#make"))[0]).toMatch(/https/);
  await visitor.add(folder.path("alice.pem"));
  await visitor.give("seal-files", folder.path("report.txt"));
  const [sealed] = await visitor.saving(1, { path: () => folder.path("plain.twin") }, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  expect(sealed).toBe("report.txt.twin");
  folder.cli("decrypt", "plain.twin", "-o", "plain.txt", "-k", "alice.pem");
  expect(readFileSync(folder.path("plain.txt"), "utf8")).toBe("quarterly figures\n");
  await visitor.picture("plain-http");
  await visitor.leave();
});

test("a picker's place is asked for, once a file", async () => {
  const visitor = await come();
  await visitor.page.evaluate(() => {
    const picked: string[] = [];
    const showSaveFilePicker = async ({ suggestedName }: { suggestedName: string }) => {
      picked.push(suggestedName);
      return (await navigator.storage.getDirectory()).getFileHandle("x", { create: true });
    };
    Object.assign(globalThis, { picked, showSaveFilePicker });
  });
  await visitor.add(folder.path("alice.pem"));
  await visitor.give("seal-files", folder.path("report.txt"));
  await visitor.page.getByRole("button", { name: "Seal", exact: true }).click();
  await visitor.results();
  expect(await visitor.page.evaluate("picked")).toEqual(["report.txt.twin"]);
  await visitor.leave();
});
