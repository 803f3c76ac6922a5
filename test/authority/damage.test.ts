import { makeBlobSubmission, type Submission } from "twinwrap/escrow";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { backend } from "./backend.js";
import { core, failing, newOwner, Office, storeOf, unwrap } from "./office.js";

// Wraps that were damaged where they are stored: what finds them, and what takes their place.

const made: Office[] = [];
let one: Office;
beforeEach(async () => {
  one = await Office.make({ unproven: "taken" });
  made.push(one);
  await one.unlock();
});
afterAll(async () => {
  for (const office of made) await office.remove();
});

/** Flips a bit in the middle of a record's stored wrap. */
async function damage(record: Uint8Array, column = "simple_blob"): Promise<void> {
  const [candidate] = (await storeOf(one.service).candidatesOf([record]))[0]!;
  const { tag, wrap } = candidate!;
  const before = { simple_blob: wrap.simpleBlob, fingerprint: wrap.fingerprint, tag: tag! }[
    column
  ]!;
  const after = before.slice();
  after[20]! ^= 1;
  await backend.alter(one.folder, [
    `UPDATE candidates SET ${column} = ? WHERE record = (SELECT leaf FROM records WHERE hash = ?)`,
    after,
    record,
  ]);
}

async function released(...files: { record: Uint8Array }[]) {
  const { request, id } = await one.asked(files as never);
  await one.approve(request, "ann", "bob");
  return one.service.release(id);
}

/** Another program's key that nobody proves, with the wrap of a file that is not handed in. */
async function unproven(): Promise<Submission> {
  const { submission } = await one.file();
  const { origin: authority } = one.service.authority;
  return makeBlobSubmission(core, { authority, owner: "olivia", wrap: submission.wrap });
}

describe.each(["simple_blob", "tag", "fingerprint"])("a wrap whose %s was damaged", (column) => {
  test("is found by opening everything again, and replaced by the owner's own", async () => {
    const [good, bad, gone] = await one.files(3);
    await released(gone!);
    expect(await one.service.verifyAll()).toEqual({ right: 3, wrong: [], locked: [] });
    for (const { record } of [bad!, gone!]) await damage(record, column);
    const report = await one.service.verifyAll();
    expect(report).toMatchObject({ right: 1, locked: [] });
    expect(report.wrong.map(({ hash }) => Buffer.from(hash).toString("hex")).sort()).toEqual(
      [bad!, gone!].map(({ record }) => Buffer.from(record).toString("hex")).sort(),
    );
    expect(report.wrong.map(({ serial }) => serial)).toContainEqual(bad!.submission.record.serial);
    await expect(released(bad!)).rejects.toEqual(failing("DECRYPTION_FAILED"));
    // Another file's wrap opens to another key, and takes no place.
    const swapped = { ...bad!.submission, wrap: good!.submission.wrap };
    await expect(one.service.intake(swapped)).rejects.toEqual(failing("DECRYPTION_FAILED"));

    const before = await one.leaves();
    const taken = await one.take(...[good!, bad!, gone!, bad!].map((f) => f.submission));
    expect(taken.map(({ status, isNew, isRepaired }) => [status, isNew, isRepaired])).toEqual([
      ["verified", false, false],
      ["verified", false, true],
      ["verified", false, true],
      ["verified", false, false],
    ]);
    expect(await one.leaves()).toEqual(before);
    expect(await one.service.verifyAll()).toEqual({ right: 3, wrong: [], locked: [] });
    for (const file of [bad!, gone!]) {
      const { releases } = await released(file);
      const key = unwrap(releases[0]!.wrap, newOwner.node.privateKey);
      expect(key.equals(file.sessionKey)).toBe(true);
    }
    await one.service.verifyLog();
  });
});

test("a wrap that opens stays, whatever else is sent for its record", async () => {
  const [file] = await one.files(1);
  const [before] = await storeOf(one.service).candidatesOf([file!.record]);
  const again = await one.service.intake(file!.submission);
  expect(again).toMatchObject({ isNew: false, isRepaired: false });
  expect(await storeOf(one.service).candidatesOf([file!.record])).toEqual([before]);
});

test("without the key nothing is replaced", async () => {
  const [file] = await one.files(1);
  await damage(file!.record);
  await one.service.close();
  await one.open();
  await expect(one.service.verifyAll()).rejects.toEqual(failing("PASSPHRASE_NEEDED"));
  const taken = await one.service.intake(file!.submission);
  expect(taken).toMatchObject({ status: "verified", isRepaired: false });
  await one.unlock();
  expect((await one.service.verifyAll()).wrong).toHaveLength(1);
});

test("the wrap of a key that nobody proves is the one that its record names, released or not", async () => {
  const [early, late] = [await unproven(), await unproven()];
  const [one1, two] = await one.take(early, late);
  await released(one1!);
  await one.service.verifyLog();
  for (const [submission, { record }] of [
    [early, one1!],
    [late, two!],
  ] as const) {
    await damage(record);
    await expect(one.service.verifyLog()).rejects.toMatchObject({
      code: "FAULT",
      message: expect.stringMatching(
        /the blob of record [0-9a-f]{64} is not the one that it names/,
      ),
    });
    expect((await one.service.verifyAll()).wrong.map(({ hash }) => hash)).toEqual([record]);
    const taken = await one.service.intake(submission);
    expect(taken).toMatchObject({ status: "unproven", isNew: false, isRepaired: true });
    await one.service.verifyLog();
    expect((await one.service.verifyAll()).wrong).toEqual([]);
  }
});

test("an altered record hides none of the others", async () => {
  const [a, b] = await one.files(2);
  await backend.alter(one.folder, [
    "UPDATE records SET content = substr(content, 1, length(content) - 1) WHERE hash = ?",
    a!.record,
  ]);
  const { right, wrong } = await one.service.verifyAll();
  expect(right).toBe(1);
  expect(wrong.map(({ hash }) => hash)).toEqual([a!.record]);
  await damage(b!.record);
  expect((await one.service.verifyAll()).wrong).toHaveLength(2);
});
