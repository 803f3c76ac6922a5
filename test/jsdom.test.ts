// @vitest-environment jsdom
// An application's own test of its form, as Vitest and jsdom run it: Blob, File and AbortSignal are jsdom's, and its
// Uint8Array is not the one that Node's Buffers are made of.
import { readFileSync } from "node:fs";
import * as library from "twinwrap";
import * as escrow from "twinwrap/escrow";
import { expect, test, vi } from "vitest";
import { preparedKeys } from "./prepared-keys.cjs";
import { workInRealm } from "./realm-body.js";

const [pem] = preparedKeys(2048);

const jsdom = {
  blob: (data: Uint8Array) => new Blob([new Uint8Array(data)]),
  abort: () => {
    const controller = new AbortController();
    controller.abort();
    return controller.signal;
  },
};

test("it is jsdom, whose Blobs are its own", () => {
  expect(navigator.userAgent).toContain("jsdom");
  expect(typeof Blob.prototype.stream).toBe("undefined");
});

test("with the arrays that are global in jsdom", async () => {
  const bytes = (data: Uint8Array) => new Uint8Array(data);
  const buffer = (data: Uint8Array) => bytes(data).buffer as ArrayBuffer;
  await workInRealm(library, escrow, { ...jsdom, bytes, buffer }, pem!);
});

test("with Node's, as Buffer and TextEncoder make them", async () => {
  await workInRealm(library, escrow, { ...jsdom, bytes: (data) => Buffer.concat([data]) }, pem!);
});

test("a File from an input, and a file from the disk", async () => {
  const key = await library.readPrivateKey(pem!);
  const to = [library.readPublicKey(library.writePublicKey(key, "pem"))];
  const file = new File(["the last copy"], "report.txt", { type: "text/plain" });
  const sealed = await (await library.seal(file, { to })).bytes();
  expect((await library.inspect(new File([sealed], "report.twin"))).wraps.length).toBe(1);
  const source = readFileSync("package.json");
  const other = await (await library.seal(source, { to })).bytes();
  const opened = await (await library.open(other, { key })).bytes();
  expect(Buffer.from(opened).equals(source)).toBe(true);
});

test("save is there, and makes a download of what it is given", async () => {
  // jsdom itself has no downloads.
  const click = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => {});
  expect(await library.save(new Blob(["text"]), { name: "report.txt" })).toBe("blob");
  const [link] = click.mock.contexts as HTMLAnchorElement[];
  expect([link!.download, link!.protocol]).toEqual(["report.txt", "blob:"]);
});
