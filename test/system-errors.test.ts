import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  amendFile,
  FileSource,
  openFile,
  type RsaPrivateKey,
  readPrivateKey,
  rewrapFile,
  seal,
  sealFile,
  TwinwrapError,
  withFile,
} from "twinwrap";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testKey } from "./keys/material.js";

// What the system refuses is a TwinwrapError too: it names the file, and has the system's error as its cause.

const folder = mkdtempSync(join(tmpdir(), "twinwrap-system-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

let key: RsaPrivateKey;
beforeAll(async () => {
  key = await readPrivateKey(Buffer.from(testKey()));
  writeFileSync(at("plain"), "plaintext");
  writeFileSync(
    at("sealed"),
    await (await seal(Buffer.from("x"), { to: [key], allowWeak: true })).bytes(),
  );
});

async function errorOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(TwinwrapError);
  const { code, message, cause } = error as TwinwrapError & { cause: NodeJS.ErrnoException };
  return { code, message, cause: cause?.code };
}

test("files that are missing, folders, and places that nobody can write to", async () => {
  const sealing = { to: [key], allowWeak: true };
  const opening = { key, allowWeak: true };
  const missing = {
    code: "UNAVAILABLE",
    message: `${at("missing")}: no such file or folder`,
    cause: "ENOENT",
  };
  for (const work of [
    () => FileSource.open(at("missing")),
    () => withFile(at("missing"), async () => undefined),
    () => sealFile(at("missing"), at("out"), sealing),
    () => openFile(at("missing"), at("out"), opening),
    () => rewrapFile(at("missing"), opening),
    () => amendFile(at("missing"), () => ({})),
  ]) {
    expect(await errorOf(work())).toEqual(missing);
  }
  expect(await errorOf(sealFile(folder, at("out"), sealing))).toEqual({
    code: "UNAVAILABLE",
    message: `${folder}: is a folder`,
    cause: "EISDIR",
  });
  const nowhere = join(at("plain"), "out");
  for (const work of [
    () => sealFile(at("plain"), nowhere, sealing),
    () => openFile(at("sealed"), nowhere, opening),
  ]) {
    expect(await errorOf(work())).toMatchObject({ code: "UNAVAILABLE", cause: "ENOTDIR" });
  }
});

test("what work throws on a file that is open stays what it is", async () => {
  const own = new Error("mine");
  await expect(withFile(at("plain"), () => Promise.reject(own))).rejects.toBe(own);
});

test("what is no path is refused before anything is opened", async () => {
  for (const path of [
    undefined,
    null,
    3,
    "",
    "a\0b",
    Buffer.from("plain"),
    new URL("file:///plain"),
  ]) {
    const wrong = path as string;
    for (const work of [
      () => FileSource.open(wrong),
      () => sealFile(wrong, at("out"), { to: [key] }),
      () => sealFile(at("plain"), wrong, { to: [key] }),
      () => openFile(wrong, at("out"), { key }),
      () => rewrapFile(wrong, { key }),
    ]) {
      expect((await errorOf(work())).code).toBe("BAD_ARGUMENT");
    }
  }
  const options = { to: [key], allowWeak: true, forse: true };
  expect((await errorOf(sealFile(at("plain"), at("out"), options))).message).toContain(
    'there is no "forse"',
  );
});
