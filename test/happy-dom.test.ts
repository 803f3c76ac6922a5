// @vitest-environment happy-dom
// The same with happy-dom, Vitest's other page.
import * as library from "twinwrap";
import * as escrow from "twinwrap/escrow";
import { expect, test, vi } from "vitest";
import { preparedKeys } from "./prepared-keys.cjs";
import { workInRealm } from "./realm-body.js";

const [pem] = preparedKeys(2048);

test("bytes, Blobs and signals of happy-dom", async () => {
  expect(navigator.userAgent).toContain("HappyDOM");
  const realm = {
    bytes: (data: Uint8Array) => new Uint8Array(data),
    blob: (data: Uint8Array) => new Blob([new Uint8Array(data)]),
    abort: () => AbortSignal.abort(),
  };
  await workInRealm(library, escrow, realm, pem!);
});

test("save is there, and makes a download of what it is given", async () => {
  const click = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => {});
  expect(await library.save(new Blob(["text"]), { name: "report.txt" })).toBe("blob");
  const [link] = click.mock.contexts as HTMLAnchorElement[];
  expect([link!.download, link!.protocol]).toEqual(["report.txt", "blob:"]);
});
