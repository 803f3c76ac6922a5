import { CALG_AES_256 } from "twinwrap/blob";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failing, Office, REFUSED, type TestFile } from "./office.js";

// Junk that shows without the authority's key is refused before anything is kept, also while the key is locked.

let office: Office;
let file: TestFile;
beforeAll(async () => {
  office = await Office.make();
  file = await office.file();
});
afterAll(() => office.remove());

const withBlob = (simpleBlob: Uint8Array) => ({
  ...file.submission,
  wrap: { ...file.submission.wrap, simpleBlob },
});
const changed = (at: number, ...bytes: number[]) => {
  const blob = Uint8Array.from(file.submission.wrap.simpleBlob);
  blob.set(bytes, at);
  return blob;
};

// A SIMPLEBLOB (PUBLICKEYSTRUC, ALG_ID of the wrapping, block): type 1, version 2, reserved, ALG_ID, CALG_RSA_KEYX.
test("a blob that can't be one is refused while the key is locked", async () => {
  const good = file.submission.wrap.simpleBlob;
  expect(Buffer.from(good).readUInt32LE(4)).toBe(CALG_AES_256);
  const junk: { [what: string]: Uint8Array } = {
    empty: new Uint8Array(),
    "of one byte": new Uint8Array([1]),
    "without a block": good.subarray(0, 12),
    "a byte too short": good.subarray(0, -1),
    "a byte too long": Uint8Array.from([...good, 0]),
    "a number above n": changed(12, ...new Uint8Array(good.length - 12).fill(255)),
    "of DES": changed(4, 0x01, 0x66),
    "of AES-128": changed(4, 0x0e, 0x66),
    "wrapped with another algorithm": changed(8, 0x01),
    "of another type": changed(0, 6),
  };
  const before = await office.service.checkpoint();
  for (const [what, blob] of Object.entries(junk)) {
    await expect(office.service.intake(withBlob(blob)), what).rejects.toEqual(REFUSED);
  }
  expect(await office.service.countRecords()).toMatchObject({ unverified: 0, verified: 0 });
  expect(await office.service.checkpoint()).toBe(before);
  // The right one is taken, and so is one that only the key can tell from it.
  await office.take(withBlob(changed(20, good[20]! ^ 1)), file.submission);
  expect(await office.service.countRecords()).toMatchObject({ unverified: 1 });
});

test("and the same with the key, which tells the rest as well", async () => {
  const other = await office.file();
  await office.elsewhere({}, async (service) => {
    const { submission } = other;
    const empty = { ...submission, wrap: { ...submission.wrap, simpleBlob: new Uint8Array() } };
    await expect(service.intake(empty)).rejects.toEqual(REFUSED);
    const wrong = Uint8Array.from(submission.wrap.simpleBlob);
    wrong[20]! ^= 1;
    const altered = { ...submission, wrap: { ...submission.wrap, simpleBlob: wrong } };
    await expect(service.intake(altered)).rejects.toEqual(failing("DECRYPTION_FAILED"));
  });
});
