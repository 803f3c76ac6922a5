// One program, rendered on a server and run in a page: whatever door it gets, it finds the same names, and what cannot
// work says so when it is called.
import * as node from "twinwrap";
import { expect, test } from "vitest";
import * as browser from "#build/browser.js";
import { preparedKeys } from "./prepared-keys.cjs";

const [pem] = preparedKeys(2048);
const unsupported = expect.objectContaining({ name: "TwinwrapError", code: "UNSUPPORTED" });

test("both doors have the same names, of the same types", () => {
  // The package's types are those of Node's door. The compiler compares them with the other's.
  const same: typeof node = browser;
  const kindsOf = (door: object) =>
    Object.fromEntries(Object.entries(door).map(([name, value]) => [name, typeof value]));
  expect(kindsOf(same)).toEqual(kindsOf(node));
  expect(kindsOf(node)).toMatchObject({ save: "function", sealFile: "function" });
});

test("files with paths: not in a page", async () => {
  const { amendFile, FileSource, openFile, rewrapFile, sealFile, withFile } = browser;
  const key = await browser.readPrivateKey(Buffer.from(pem!));
  for (const call of [
    () => sealFile("a", "b", { to: [key] }),
    () => openFile("a", "b", { key }),
    () => rewrapFile("a", { key }),
    () => amendFile("a", () => ({})),
    () => withFile("a", async () => undefined),
    () => FileSource.open("a"),
  ]) {
    await expect(call()).rejects.toEqual(unsupported);
  }
  expect(() => Reflect.construct(FileSource, [])).toThrow(unsupported);
});

test("save: only in a page; what it was given is let go of", async () => {
  const key = await node.readPrivateKey(Buffer.from(pem!));
  let closed = 0;
  const source = async function* () {
    try {
      yield new Uint8Array(10);
    } finally {
      closed++;
    }
  };
  const sealed = await node.seal(source(), { to: [key] });
  await expect(node.save(sealed, { name: "a.twin" })).rejects.toEqual(unsupported);
  expect(() => sealed.stream()).toThrow("taken already");
  const failing = node.open(new Uint8Array(10), { key });
  await expect(node.save(failing, { name: "a.txt" })).rejects.toEqual(unsupported);
  await expect(node.save(new Blob(["text"]), { name: "a.txt" })).rejects.toEqual(unsupported);
  expect(closed).toBe(0); // a generator that has not begun has nothing to close
});
