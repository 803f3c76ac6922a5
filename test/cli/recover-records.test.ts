import { expect, test } from "vitest";
import { preferVerified, recordsWithSerial } from "#build/cli/recover-records.js";

type Service = Parameters<typeof recordsWithSerial>[0];
type Row = Awaited<ReturnType<typeof recordsWithSerial>>[number];

test("all records of a serial are read, and one verified record outweighs any number of others", async () => {
  const row = (n: number) => ({
    owner: String(n),
    status: n === 0 ? "verified" : "unverified",
    verifiedLeaf: n === 0 ? 1 : undefined,
  });
  // As the authority gives them: what was opened first.
  const rows = Array.from({ length: 2345 }, (_, i) => row(i)) as Row[];
  const serial = new Uint8Array(16);
  const service = {
    async *recordsOf(asked: Uint8Array) {
      expect(asked).toBe(serial);
      yield* rows;
    },
  };
  const all = await recordsWithSerial(service as unknown as Service, serial);
  expect(all).toEqual(rows);
  expect(preferVerified(all)).toEqual([rows[0]]);
  expect(preferVerified(all.slice(7))).toEqual(rows.slice(7));
});
