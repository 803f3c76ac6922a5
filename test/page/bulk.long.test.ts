// Many files at once: into one zip, or into a folder; what is wrong with one is no harm to the others.
import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
let site: Awaited<ReturnType<typeof startSite>>;
const come = (view: string) => Visitor.come(site.browser, `${site.server.url}/#${view}`);
const NAMES = ["one.txt", "two.txt", "drei-größer.txt"];
const contentOf = (name: string) => `this is ${name}\n`.repeat(5000);

/** What python's zipfile finds in a zip, which it tests first. */
function unzip(name: string): Record<string, string> {
  const script = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for i in z.infolist():
        assert i.compress_type == zipfile.ZIP_STORED
        open(sys.argv[2] + "/" + i.filename, "wb").write(z.read(i))
    print(json.dumps(z.namelist()))
`;
  const into = path("");
  const list = execFileSync("python3", ["-c", script, path(name), into], { encoding: "utf8" });
  const names: string[] = JSON.parse(list);
  return Object.fromEntries(names.map((one) => [one, folder.read(one).toString("latin1")]));
}

beforeAll(async () => {
  site = await startSite();
  cli("keygen", "-o", "alice.pem", "--bits", "2048", "--no-passphrase");
  for (const name of NAMES) writeFileSync(path(name), contentOf(name));
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

test("sealed into one zip, which any unzip reads, and opened from there by the command line", async () => {
  const visitor = await come("seal");
  const { page } = visitor;
  await visitor.add(path("alice.pem"));
  await visitor.give("seal-files", ...NAMES.map(path));
  await visitor.album("seal-many");
  const [zip] = await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  expect(zip).toBe("sealed-files.zip");
  expect(await visitor.results(3)).toHaveLength(3);
  expect(await page.locator(".all").innerText()).toMatch(/All 3 files are done/);
  await visitor.album("sealed-many");
  expect(Object.keys(unzip(zip!))).toEqual(NAMES.map((name) => `${name}.twin`));
  for (const name of NAMES) {
    cli("decrypt", `${name}.twin`, "-o", `${name}.again`, "-k", "alice.pem");
    expect(folder.read(`${name}.again`).toString()).toBe(contentOf(name));
  }
  await visitor.leave();
});

test("a name that is a path elsewhere is none in a zip", async () => {
  const visitor = await come("seal");
  await visitor.add(path("alice.pem"));
  const file = (name: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(name) });
  const given = ["..\\..\\evil.bat", "C:evil.bat"].map(file);
  await visitor.page.setInputFiles("#seal-files", given);
  const [zip] = await visitor.saving(1, folder, () =>
    visitor.page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  await visitor.results(2);
  expect(Object.keys(unzip(zip!))).toEqual([".._.._evil.bat.twin", "C_evil.bat.twin"]);
  await visitor.leave();
});

test("opened into one zip: an altered file is left out, and told", async () => {
  const altered = Buffer.from(folder.read("two.txt.twin"));
  altered[altered.length - 3]! ^= 1;
  writeFileSync(path("two.txt.twin"), altered);
  // One that is too large to be held.
  writeFileSync(path("large"), "");
  truncateSync(path("large"), 260 << 20);
  cli("encrypt", "large", "--owner", "alice.pub.pem", "--no-authority");
  const large = openSync(path("large.twin"), "r+");
  writeSync(large, Buffer.of(1), 0, 1, fstatSync(large).size - 3);
  closeSync(large);
  const visitor = await come("open");
  await visitor.add(path("alice.pem"));
  const given = [...NAMES, "large"].map((name) => path(`${name}.twin`));
  await visitor.give("open-files", ...given);
  const [zip] = await visitor.saving(1, folder, () =>
    visitor.page.getByRole("button", { name: "Open and save" }).click(),
  );
  const [one, two, three, four] = await visitor.results(4);
  expect(one).toMatch(/Opened and authentic/);
  expect(two).toMatch(/damaged or altered/);
  expect(three).toMatch(/Opened and authentic/);
  expect(four).toMatch(/damaged or altered/);
  expect(await visitor.page.locator(".all").innerText()).toMatch(/2 of 4 files are done/);
  await visitor.album("opened-some");
  const found = unzip(zip!);
  expect(Object.keys(found)).toEqual(["one.txt", "drei-größer.txt"]);
  expect(found["one.txt"]).toBe(contentOf("one.txt"));
  await visitor.leave();
});

test("sealed into one zip: a file that can't be read to its end is left out, and told", async () => {
  const visitor = await come("seal");
  const { page } = visitor;
  writeFileSync(path("bad.bin"), Buffer.alloc(3 << 20));
  // Too large to be held: that it can't be read has to show before.
  writeFileSync(path("bad.huge"), "");
  truncateSync(path("bad.huge"), 300 << 20);
  // As when a stick is pulled out: the first bytes come, and then none.
  await page.evaluate(() => {
    const whole = Blob.prototype.stream;
    Blob.prototype.stream = function (this: Blob) {
      if (!(this instanceof File) || !this.name.startsWith("bad.")) return whole.call(this);
      let pieces = 0;
      return new ReadableStream({
        type: "bytes",
        pull(controller) {
          if (pieces++ === 0) controller.enqueue(new Uint8Array(1 << 20));
          else controller.error(new DOMException("gone", "NotReadableError"));
        },
      });
    };
  });
  await visitor.add(path("alice.pem"));
  const given = ["one.txt", "bad.bin", "bad.huge", "two.txt"];
  await visitor.give("seal-files", ...given.map(path));
  const [zip] = await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  const results = await visitor.results(4);
  expect(results[0]).toMatch(/Saved as one\.txt\.twin/);
  for (const index of [1, 2]) expect(results[index]).toMatch(/can't be read|cannot be read/);
  expect(results[3]).toMatch(/Saved as two\.txt\.twin/);
  expect(await page.locator(".all").innerText()).toMatch(/2 of 4 files are done/);
  expect(Object.keys(unzip(zip!))).toEqual(["one.txt.twin", "two.txt.twin"]);
  cli("decrypt", "two.txt.twin", "-o", "two.again", "--force", "-k", "alice.pem");
  expect(folder.read("two.again").toString()).toBe(contentOf("two.txt"));
  await visitor.leave();
});

test("none of them opens: no zip is left", async () => {
  cli("keygen", "-o", "bob.pem", "--bits", "2048", "--no-passphrase");
  const visitor = await come("open");
  await visitor.add(path("bob.pem"));
  const downloads: Promise<unknown>[] = [];
  visitor.page.on("download", (download) => downloads.push(download.failure()));
  await visitor.give("open-files", ...NAMES.map((name) => path(`${name}.twin`)));
  await visitor.page.getByRole("button", { name: "Open and save" }).click();
  for (const result of await visitor.results(3)) expect(result).toMatch(/NOT_A_RECIPIENT/);
  for (const failure of await Promise.all(downloads)) expect(failure).not.toBeNull();
  await visitor.leave();
});

test("cancelled: no zip is left, and nothing is called done", async () => {
  writeFileSync(path("huge.bin"), Buffer.alloc(300 << 20));
  const visitor = await come("seal");
  const { page } = visitor;
  await visitor.add(path("alice.pem"));
  await visitor.give("seal-files", path("one.txt"), path("huge.bin"));
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Seal", exact: true }).click();
  await download;
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect.poll(() => page.locator("main .results > li.good").count()).toBe(0);
  await expect
    .poll(() => page.locator("main .results > li").first().innerText())
    .toMatch(/Stopped\. Nothing was saved/);
  expect(await (await download).failure()).not.toBeNull();
  await visitor.leave();
});

test("into a folder: what is there stays, and equal names get a number", async () => {
  const visitor = await come("seal");
  const { page } = visitor;
  // The private file system of the page's origin, in place of the folder that somebody chooses.
  await page.addInitScript(() => {
    const showDirectoryPicker = () => navigator.storage.getDirectory();
    Object.assign(globalThis, { showDirectoryPicker });
  });
  await page.reload();
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const there = await (
      await root.getFileHandle("one.txt.twin", { create: true })
    ).createWritable();
    await there.write("was there");
    await there.close();
  });
  await visitor.add(path("alice.pem"));
  await visitor.give("seal-files", path("one.txt"), path("two.txt"));
  await visitor.tick("Into a folder");
  await page.getByRole("button", { name: "Seal", exact: true }).click();
  const [one] = await visitor.results(2);
  expect(one).toMatch(/Saved as one \(2\)\.txt\.twin/);
  const found = await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const files: Record<string, number[]> = {};
    for await (const [name, handle] of root as unknown as AsyncIterable<
      [string, FileSystemFileHandle]
    >) {
      files[name] = [...new Uint8Array(await (await handle.getFile()).arrayBuffer())];
    }
    return files;
  });
  expect(Object.keys(found).sort()).toEqual(["one (2).txt.twin", "one.txt.twin", "two.txt.twin"]);
  expect(Buffer.from(found["one.txt.twin"]!).toString()).toBe("was there");
  writeFileSync(path("folder.twin"), Buffer.from(found["one (2).txt.twin"]!));
  cli("decrypt", "folder.twin", "-o", "folder.txt", "-k", "alice.pem");
  expect(folder.read("folder.txt").toString()).toBe(contentOf("one.txt"));
  await visitor.leave();
});
