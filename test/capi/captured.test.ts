import { SESSION_ALGORITHMS } from "twinwrap/blob";
import { describe, expect, test } from "vitest";
import { Sandbox } from "../cli/run.js";
import { some } from "../quick.js";
import { captured } from "./capture.js";
import {
  checkKey,
  checkProcedure,
  checkWraps,
  importAnswer,
  isPSmaller,
  type KeyCase,
  nodeKey,
  openWithNode,
  PADDINGS,
  type ProcedureCase,
  type RefusalCase,
  type WrapGroup,
} from "./checks.js";
import { ODD } from "./odd.js";

// What one live run (`npm run test:capi`) has kept of a CryptoAPI program's doings, for everybody who
// has no Wine: the same checks, on the same ground.

const keys = captured<KeyCase>("keys");
const groups = captured<WrapGroup>("wraps");
const refusals = captured<RefusalCase>("refusals");
const procedures = captured<ProcedureCase>("procedure");

describe("RSA keys", () => {
  test.each(keys)("of $bits bits, by $by", checkKey);

  test("every size, and p and q in both orders", () => {
    const sizes = (by: string) => keys.filter((key) => key.by === by).map(({ bits }) => bits);
    expect(sizes("CryptoAPI")).toEqual(expect.arrayContaining([1024, 2048, 3072, 4096]));
    expect(sizes("Twinwrap")).toEqual(expect.arrayContaining([1024, 2048, 3072, 4096, 16384]));
    const blobs = [
      ...keys.filter(({ by }) => by === "CryptoAPI"),
      ...groups,
      ...procedures.map(({ owner }) => ({ privatekeyblob: owner })),
    ].map(({ privatekeyblob }) => isPSmaller(privatekeyblob));
    expect(new Set(blobs)).toEqual(new Set([true, false]));
  });
});

describe("session keys", () => {
  test.each(groups.map((group, index) => ({ ...group, index, bits: bitsOf(group) })))(
    "$padding under $bits bits (group $index)",
    checkWraps,
  );

  test("every algorithm and padding, both ways", () => {
    const seen = new Set(
      groups.flatMap(({ padding, wraps }) =>
        wraps.map(({ by, algorithm }) => `${by} ${algorithm} ${padding}`),
      ),
    );
    expect(seen.size).toBe(2 * SESSION_ALGORITHMS.length * PADDINGS.length);
    const cases = groups.flatMap(({ wraps }) => wraps);
    expect(cases.some(({ cipher }) => cipher?.mode === "ecb")).toBe(true);
    expect(cases.some(({ cipher }) => cipher?.effectiveBits === 40)).toBe(true);
    const lengths = new Set(cases.map(({ plaintextkeyblob }) => plaintextkeyblob.length - 12));
    expect([...lengths].sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 12 }, (_, i) => 5 + i),
      24,
      32,
    ]);
  });
});

function bitsOf({ privatekeyblob }: WrapGroup): number {
  return privatekeyblob.readUInt32LE(12);
}

describe("refusals", () => {
  test("every answer is the documented one", async () => {
    for (const one of refusals) {
      const { kind, name, answer } = one;
      expect([kind, name, await importAnswer(one)]).toEqual([kind, name, answer]);
    }
  });

  test("every odd blob is there", () => {
    const names = (cases: { kind: string; name: string }[]) =>
      cases.map(({ kind, name }) => `${kind}: ${name}`);
    expect(names(refusals)).toEqual(expect.arrayContaining(names(ODD)));
    for (const { kind, name, answer } of ODD) {
      const kept = refusals.find((one) => one.kind === kind && one.name === name);
      expect([kind, name, kept?.answer]).toEqual([kind, name, answer]);
    }
  });
});

describe("the procedure", () => {
  test.each(procedures)("$padding, begun by $by", checkProcedure);

  test("each side has begun it, with each padding", () => {
    expect(procedures.length).toBe(2 * PADDINGS.length);
    expect(new Set(procedures.map(({ by, padding }) => `${by} ${padding}`)).size).toBe(4);
  });

  test.each(some(procedures, 3))(
    "rewrapped by the command line: $padding, begun by $by",
    async (one) => {
      const { padding, authority, authorityBlob, ownerBlob, owner, newOwner } = one;
      const folder = new Sandbox();
      try {
        folder.write("authority.private", authority);
        folder.write("fresh.private", newOwner);
        folder.write("backup.simpleblob", authorityBlob);
        const { code, stderr } = await folder.shell(
          "twinwrap key convert fresh.private --to msblob --public -o fresh.public && " +
            `twinwrap blob rewrap -k authority.private --padding ${padding} --to fresh.public ` +
            `--to-padding ${padding} backup.simpleblob -o recovered.simpleblob`,
        );
        const warned = /private key that others can read/;
        const said = stderr.split("\n").filter((line) => line !== "" && !warned.test(line));
        expect([code, said]).toEqual([0, []]);
        const again = openWithNode(folder.read("recovered.simpleblob"), nodeKey(newOwner), padding);
        expect(again).toEqual(openWithNode(ownerBlob, nodeKey(owner), padding));
      } finally {
        folder.remove();
      }
    },
  );
});
