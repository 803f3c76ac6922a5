import { handInDecision, partyOf, recordsByHash, standingOf } from "twinwrap/client";
import { type AuthorityClient, parseCheckpoint, verifyConsistency } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalClient } from "#build/authority/client.js";
import { backend } from "./backend.js";
import { core, failing, NOT_VERIFIED, Office, openAuthority, sealFor } from "./office.js";

// The port over a folder, and what an officer's client makes of the answers.

const made: Office[] = [];
async function office(): Promise<Office> {
  const one = await Office.make();
  made.push(one);
  return one;
}
afterAll(async () => {
  for (const one of made) await one.remove();
});

describe("the port over a folder", () => {
  let one: Office;
  let client: AuthorityClient;
  beforeAll(async () => {
    one = await office();
    await one.unlock();
    client = new LocalClient(one.service);
  });

  test("gives each submission a result of its own", async () => {
    const [good, other] = [await one.file(), await one.file()];
    const foreign = await sealFor({ ...one.service.authority, origin: "elsewhere.example" });
    const results = await client.submit([good, foreign, other].map(({ submission }) => submission));
    expect(results).toMatchObject([
      { record: good.record, isNew: true },
      { record: foreign.record, error: { code: "WRONG_AUTHORITY" } },
      { record: other.record, isNew: true },
    ]);
    expect(await client.record(foreign.record)).toBeUndefined();
    expect(await client.record(good.record)).toMatchObject({ status: "verified" });
  });

  test("proves that its log goes on from any earlier checkpoint", async () => {
    const before = parseCheckpoint((await client.checkpoint())!);
    await one.files(3);
    const now = parseCheckpoint((await client.checkpoint())!);
    expect(now.size).toBe(before.size + 3);
    const proof = await client.consistency(before.size, now.size);
    verifyConsistency(core, before.size, before.root, now.size, now.root, proof);
    const wrong = { ...before, root: new Uint8Array(32) };
    expect(() =>
      verifyConsistency(core, wrong.size, wrong.root, now.size, now.root, proof),
    ).toThrow(NOT_VERIFIED);
  });

  test("the last word that is needed releases where the key is open, and not where it is locked", async () => {
    const files = await one.files(1);
    const asked = one.request(files);
    const { id } = await one.asked(files);
    const party = partyOf(core, one.service.authority, client);
    const { request } = await standingOf(party, id);
    const first = await handInDecision(party, id, await one.word("ann", request));
    expect([first.status, first.decision.approved]).toEqual(["open", false]);
    const locked = await openAuthority(one.folder);
    try {
      const elsewhere = partyOf(core, locked.authority, new LocalClient(locked));
      const second = await handInDecision(elsewhere, id, await one.word("bob", request));
      expect([second.status, second.decision.approved]).toEqual(["open", true]);
      expect(await client.released(id)).toBeUndefined();
    } finally {
      await locked.close();
    }
    const again = await one.asked(files, { requester: "Olivia again" });
    await client.decide(await one.word("ann", again.request));
    const last = await handInDecision(party, again.id, await one.word("bob", again.request));
    expect(last.status).toBe("released");
    expect((await client.released(again.id))!.releases).toHaveLength(asked.records.length);
    await expect(client.decide(await one.word("cyd", again.request))).rejects.toEqual(
      failing("CLOSED"),
    );
  });

  test("does not show a record that was altered in the store", async () => {
    const own = await office();
    const [file] = await own.files(1);
    await own.service.close();
    await backend.alter(own.folder, ["UPDATE records SET content = ?", new Uint8Array(100)]);
    const altered = new LocalClient(await own.open());
    await expect(altered.record(file!.record)).rejects.toEqual(failing("FAULT"));
    await expect(altered.records({})).rejects.toEqual(failing("FAULT"));
  });
});

describe("what an officer's client is told", () => {
  let one: Office;
  let client: LocalClient;
  let asked: Awaited<ReturnType<Office["asked"]>>;
  beforeAll(async () => {
    one = await office();
    client = new LocalClient(one.service);
    asked = await one.asked(await one.files(2));
  });
  /** The same authority, whose word about a request is changed on its way. */
  function lying(change: (message: Awaited<ReturnType<LocalClient["standing"]>>) => unknown) {
    const methods = Object.getOwnPropertyNames(LocalClient.prototype);
    const same = Object.fromEntries(
      methods.map((name) => [
        name,
        (...values: unknown[]) =>
          (client as never as Record<string, (...all: unknown[]) => unknown>)[name]!(...values),
      ]),
    );
    const standing = async (id: string) => change(await client.standing(id));
    return partyOf(core, one.service.authority, { ...same, standing } as never);
  }

  test("is decided again from what was verified", async () => {
    const standing = await standingOf(
      lying((message) => message),
      asked.id,
    );
    expect(standing).toMatchObject({ id: asked.id, status: "open", request: asked.request });
    expect(standing.records.map(({ hash }) => hash)).toEqual(asked.request.records);
    // Approvals that nobody signed count as little as in the authority.
    const forged = (await one.word("ann", asked.request)).replace("ann", "bob");
    const { decision } = await standingOf(
      lying((message) => ({ ...message, approvals: [forged, forged] })),
      asked.id,
    );
    expect([decision.approved, decision.count.approving.length]).toEqual([false, 0]);
  });

  test("is refused if it is about another request, other records, or no message at all", async () => {
    const other = await one.asked(await one.files(1));
    const theirs = await client.standing(other.id);
    for (const change of [
      () => theirs,
      (message) => ({ ...message, records: message.records.slice(1) }),
      (message) => ({ ...message, records: [...message.records].reverse() }),
      (message) => ({ ...message, records: [theirs.records[0]!, message.records[1]!] }),
      (message) => ({ ...message, request: message.request.subarray(1) }),
      (message) => ({ ...message, records: undefined }),
      () => undefined,
      () => "open",
    ] as Parameters<typeof lying>[0][]) {
      await expect(standingOf(lying(change), asked.id)).rejects.toEqual(NOT_VERIFIED);
    }
    const foreign = { ...one.service.authority, origin: "elsewhere.example" };
    await expect(standingOf(partyOf(core, foreign, client), asked.id)).rejects.toEqual(
      NOT_VERIFIED,
    );
  });

  test("and a record is the one that was asked for", async () => {
    const [first, second] = asked.request.records as [Uint8Array, Uint8Array];
    const swapped = { ...(await client.record(second))! };
    const party = partyOf(core, one.service.authority, {
      ...lying((message) => message).client!,
      record: async () => swapped,
    });
    await expect(recordsByHash(party, [first])).rejects.toEqual(NOT_VERIFIED);
  });
});
