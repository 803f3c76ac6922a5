import { expect, test } from "vitest";
import { preferVerified, recordsWithSerial } from "#build/cli/recover-records.js";

type Service = Parameters<typeof recordsWithSerial>[0];
type Row = Awaited<ReturnType<typeof recordsWithSerial>>[number];

test("all pages of a serial are read, and one verified record outweighs any number of others", async () => {
  const row = (n: number) => ({ owner: String(n), status: n === 0 ? "verified" : "unverified" });
  // Newest first, as the store has it: the genuine one came first.
  const rows = Array.from({ length: 2345 }, (_, i) => row(2344 - i)) as Row[];
  const serial = new Uint8Array(16);
  const store = {
    records: async (query: object, { limit = 50, cursor = "0" } = {}) => {
      expect(query).toEqual({ serial });
      const end = Number(cursor) + limit;
      return { rows: rows.slice(Number(cursor), end), next: end < 2345 ? String(end) : undefined };
    },
  };
  const all = await recordsWithSerial({ store } as unknown as Service, serial);
  expect(all).toEqual(rows);
  expect(preferVerified(all)).toEqual([rows.at(-1)]);
  expect(preferVerified(all.slice(0, 7))).toEqual(rows.slice(0, 7));
});
