import { CALG_AES_256, PLAINTEXTKEYBLOB } from "twinwrap/blob";
import { expect, inject, test } from "vitest";
import { Batch } from "./batch.js";

// What the driver does with nonsense: it says so, and goes on.

const wine = inject("wine");

test.skipIf(wine === undefined)("nonsense is answered (needs Wine and mingw-w64)", async () => {
  const batch = new Batch(wine!);
  const key = batch.generate(CALG_AES_256);
  const slot = key.number;
  const nonsense = [
    "",
    "generate",
    `generate ${slot} 0x6610`,
    `generate ${slot} 0x6610 1 1`,
    "generate 256 0x6610 1",
    "generate -1 0x6610 1",
    "generate x 0x6610 1",
    `encrypt ${slot}`,
    `encrypt ${slot} abc`,
    `encrypt ${slot} ABCD`,
    `encrypt ${slot} 00 00`,
    "encrypt 99 00",
    `import 99 00 98 0`,
    `import 99 00 -`,
    `export ${slot} 98 8 0`,
    `set ${slot} 4`,
    `salt ${slot}`,
    "salt 99 00",
    "derive 99 0x8004 0x6610 1",
    "derive 99 0x8004 0x6610 1 abc",
    "derive 99 x 0x6610 1 00",
    `format ${slot} c:`,
    "a b c d e f g h i",
  ];
  const mistakes = nonsense.map((line) => batch.raw(line));
  const empty = batch.raw(`encrypt ${slot} -`);
  const refused = [
    `generate 99 0xffff 1`,
    `import 99 00 - 0`,
    `decrypt ${slot} 00`,
    `derive 99 0x8004 0xffff 1 00`,
  ];
  const errors = refused.map((line) => batch.raw(line));
  const exported = batch.export(key, PLAINTEXTKEYBLOB);
  const destroyed = batch.raw(`destroy ${slot}`);
  const gone = batch.encrypt(key, Buffer.alloc(1));
  await batch.run();
  for (const [i, { outcome }] of mistakes.entries()) {
    expect([nonsense[i], outcome]).toEqual([nonsense[i], expect.stringMatching(/^mistake: /)]);
  }
  expect(empty.bytes.length).toBe(16);
  for (const { outcome } of errors) expect(outcome).toMatch(/^NTE_BAD_/);
  expect(exported.bytes.length).toBe(44);
  expect([destroyed.outcome, gone.outcome]).toEqual(["accepted", "mistake: encrypt"]);
});
