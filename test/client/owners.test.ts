import { partyOf, recordsOfOwner } from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  decodeRecord,
  encodeRecord,
  type FileRecord,
  type RecordQuery,
  type RecordStatus,
  recordHash,
  type StoredRecord,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair } from "../envelope/keys.js";
import { makeAuthority, TestLog } from "../escrow/client-material.js";
import { fill, NOT_VERIFIED } from "../escrow/material.js";
import { clientOf } from "./material.js";

const core = await loadCore();
let authority: Authority;
beforeAll(async () => {
  const log = new TestLog(core, "authority.example");
  authority = await makeAuthority(core, log.signer, [(await makePair()).publicKey]);
});

const recordOf = (serial: number, blind: number, owner = "olivia"): FileRecord => ({
  ...{ authority: "authority.example", owner, serial: fill(serial, 16), blind: fill(blind) },
  ...{ header: fill(1), salt: fill(2, 24), commitment: fill(3) },
  created: new Date("2026-01-31T00:00:00Z"),
});
const stored = (record: FileRecord, status: RecordStatus): StoredRecord => ({
  record: encodeRecord(record),
  status,
  escrowLeaf: 0,
  verifiedLeaf: status === "verified" || status === "released" ? 1 : undefined,
  wraps: [],
});
/** An authority that has these records, in pages of two. */
const having = (rows: readonly StoredRecord[], asked: RecordQuery[] = []) =>
  partyOf(
    core,
    authority,
    clientOf({
      records: async (query: RecordQuery, { cursor = "0" } = {}) => {
        asked.push(query);
        const at = Number(cursor);
        const next = at + 2 < rows.length ? String(at + 2) : undefined;
        return { rows: rows.slice(at, at + 2), next };
      },
    }),
  );

describe("everything of one owner", () => {
  test("is all of it, what was opened first; beside an opened record its serial's others count for nothing", async () => {
    const all = [
      stored(recordOf(1, 1), "unverified"),
      stored(recordOf(2, 2), "verified"),
      stored(recordOf(1, 3), "unverified"),
      stored(recordOf(2, 4), "unverified"),
      stored(recordOf(3, 5), "released"),
    ];
    const asked: RecordQuery[] = [];
    const rows = await recordsOfOwner(having(all, asked), "olivia");
    const hashOf = (at: number) => recordHash(core, decodeRecord(all[at]!.record));
    expect(rows.map(({ hash }) => hash)).toEqual([1, 4, 0, 2].map(hashOf));
    expect(asked).toEqual(Array(3).fill({ owner: "olivia" }));
  });

  test("is nobody else's, and needs an authority that can be asked", async () => {
    const all = [stored(recordOf(1, 1), "verified"), stored(recordOf(2, 2, "oscar"), "verified")];
    await expect(recordsOfOwner(having(all), "olivia")).rejects.toEqual(NOT_VERIFIED);
    await expect(recordsOfOwner(partyOf(core, authority), "olivia")).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    expect(await recordsOfOwner(having([]), "olivia")).toEqual([]);
  });
});

test("a record's created lies in the years 2000 to 2199", () => {
  const at = (time: string) => {
    const record = { ...recordOf(1, 1), created: new Date(time) };
    return decodeRecord(encodeRecord(record)).created.getTime() === record.created.getTime();
  };
  expect(at("2000-01-01T00:00:00Z") && at("2199-12-31T23:59:59Z")).toBe(true);
  for (const time of ["1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]) {
    expect(() => at(time)).toThrow(/years 2000 to 2199/);
  }
});
