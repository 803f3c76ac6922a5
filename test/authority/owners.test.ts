import { createHash, createHmac } from "node:crypto";
import { handInVeto, partyOf, standingOf } from "twinwrap/client";
import { formatPolicy, makeRequest, signNote, signVeto } from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { LocalClient } from "#build/authority/client.js";
import { questionRows } from "#build/client/officer.js";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import {
  allTaken,
  at,
  copiesOf,
  core,
  failing,
  NOT_VERIFIED,
  newOwner,
  sealFor,
  useOffices,
} from "./office.js";

// Owners who are enrolled, their vetoes, and the time that a release waits.

const office = useOffices({ isOpen: true });
const lockedOffice = useOffices();

const olivia = newSigner("olivia");
const lineOf = (leaf: string, key: string) => new RegExp(`^${key} (.*)$`, "m").exec(leaf)![1]!;

describe("an owner", () => {
  test("is enrolled with a control key, which the log names without saying whose it is", async () => {
    const one = await office({ owners: "enrolled" });
    const file = await one.file();
    await expect(one.service.intake(file.submission)).rejects.toEqual(failing("NOT_ENTITLED"));
    const { secret } = await one.service.enrolOwner("olivia", olivia.publicKey);
    const leaf = (await one.leaves()).at(-1)!;
    const tag = createHmac("sha256", secret).update("twinwrap/v1/enrol").digest("hex");
    const control = createHash("sha256").update(olivia.publicKey).digest("hex");
    expect([lineOf(leaf, "owner"), lineOf(leaf, "control")]).toEqual([tag, control]);
    await one.service.intake(file.submission);
    // The same key again changes nothing; another one replaces it, and the secret stays.
    expect((await one.service.enrolOwner("olivia", olivia.publicKey)).secret).toEqual(secret);
    expect(await one.count()).toMatchObject({ enrol: 1 });
    const other = await one.service.enrolOwner("olivia", newSigner("olivia").publicKey);
    expect(other.secret).toEqual(secret);
    expect(await one.count()).toMatchObject({ enrol: 2 });
    await one.service.verifyLog();
  });

  test("is not enrolled with the key of an officer or of the log, nor under a name that can't sign", async () => {
    const one = await office();
    for (const key of [
      one.officers.get("ann")!.publicKey,
      one.service.authority.logKeys[0]!.publicKey,
    ]) {
      await expect(one.service.enrolOwner("olivia", key)).rejects.toEqual(failing("BAD_ARGUMENT"));
    }
    for (const name of ["", "two words", "twinwrap/owner"]) {
      await expect(one.service.enrolOwner(name, olivia.publicKey)).rejects.toEqual(
        failing("BAD_FORMAT"),
      );
    }
    expect(await one.count()).not.toHaveProperty("enrol");
  });

  test("has no key that an officer has, whoever came first", async () => {
    const one = await office({ waiting: 3600 });
    await one.service.enrolOwner("olivia", olivia.publicKey);
    const dan = newSigner("dan");
    const next = async (key: Uint8Array) => {
      const { officers, ...policy } = await one.policy();
      return formatPolicy({
        ...policy,
        number: 2,
        previous: await one.newest(),
        officers: [...officers, { name: "dan", key, share: spareKey(5), self: [] }],
      });
    };
    const [ann, bob] = ["ann", "bob"].map((name) => one.officers.get(name)!);
    const theirs = await next(olivia.publicKey);
    const signed = await signNote(core, theirs, ann!, bob!, { ...olivia, name: "dan" });
    await expect(one.service.takePolicy(signed)).rejects.toThrow(
      /^the key of officer dan is the control key of owner olivia: /,
    );
    expect(await one.service.policies()).toHaveLength(1);
    // Nor does an owner get the key of somebody who is about to join.
    const draft = await signNote(core, await next(dan.publicKey), ann!, bob!, dan);
    expect(await one.service.takePolicy(draft)).toMatchObject({ complete: true, waiting: 3600 });
    await expect(one.service.enrolOwner("oscar", dan.publicKey)).rejects.toEqual(
      failing("BAD_ARGUMENT"),
    );
    // A key that was replaced is nobody's any more.
    await one.service.enrolOwner("olivia", newSigner("olivia").publicKey);
    expect(await one.service.takePolicy(signed)).toMatchObject({ complete: true });
    await one.service.verifyLog();
  });

  test("is listed with the key in use, and since when", async () => {
    const one = await office();
    expect(await one.service.owners()).toEqual([]);
    const keys = [newSigner("zoe"), olivia, newSigner("olivia")].map((key) => key.publicKey);
    for (const [i, owner] of ["zoe", "olivia", "olivia"].entries()) {
      await one.service.enrolOwner(owner, keys[i]!);
    }
    const size = (await one.leaves()).length;
    expect(await one.service.owners()).toEqual([
      { owner: "olivia", control: keys[2], leaf: size - 1, since: expect.any(Date) },
      { owner: "zoe", control: keys[0], leaf: size - 3, since: expect.any(Date) },
    ]);
  });

  test("is named in the log when somebody asks for their records, to those who know the secret", async () => {
    const one = await office();
    const { secret } = await one.service.enrolOwner("olivia", olivia.publicKey);
    const files = [...(await one.files(2)), ...(await one.files(1, { owner: "oscar" }))];
    const { request, hash } = await one.asked(files);
    const leaf = (await one.leaves()).at(-1)!;
    const owners = [...leaf.matchAll(/^owner (.*)$/gm)].map(([, owner]) => owner!);
    const tag = createHmac("sha256", secret).update("twinwrap/v1/request-tag\0").update(hash);
    expect(owners).toContain(tag.digest("hex"));
    expect(owners).toHaveLength(2);
    expect(owners).toEqual([...owners].sort());
    expect(lineOf(leaf, "expires")).toBe(`${request.expires.toISOString().slice(0, 19)}Z`);
    await one.service.verifyLog();
  });
});

describe("a veto", () => {
  test("leaves the release to the emergency number alone", async () => {
    const one = await office();
    await one.service.enrolOwner("olivia", olivia.publicKey);
    const { request, id } = await one.asked(await one.files(1));
    await one.approve(request, "ann", "bob");
    const note = await signVeto(core, olivia, request);
    await one.service.takeVeto(note);
    // Once is enough.
    await one.service.takeVeto(note);
    expect(await one.count()).toMatchObject({ veto: 1 });
    await expect(one.service.release(id)).rejects.toThrow(/vetoed it: 1 more of 3/);
    await one.approve(request, "cyd");
    await one.service.release(id);
    expect(lineOf((await one.leaves()).at(-1)!, "basis")).toBe("emergency");
    await expect(
      one.service.takeVeto(await signVeto(core, olivia, request, { date: new Date(0) })),
    ).resolves.toMatchObject({ status: "released" });
    await one.service.verifyLog();
  });

  test("of a record that nobody opened counts once the release opens it", async () => {
    const one = await lockedOffice();
    await one.service.enrolOwner("olivia", olivia.publicKey);
    const { request, id } = await one.asked(await one.files(1));
    await one.service.takeVeto(await signVeto(core, olivia, request));
    const { decision } = await one.approve(request, "ann", "bob");
    expect(decision.approved).toBe(true);
    await one.unlock();
    await expect(one.service.release(id)).rejects.toThrow(/vetoed/);
    await one.approve(request, "cyd");
    await one.service.release(id);
    await one.service.verifyLog();
  });

  test("counts only of an enrolled owner of a record of the request, with their own key", async () => {
    const one = await office();
    const { request } = await one.asked(await one.files(1));
    const note = await signVeto(core, olivia, request);
    await expect(one.service.takeVeto(note)).rejects.toEqual(failing("NOT_ENTITLED"));
    await one.service.enrolOwner("olivia", olivia.publicKey);
    const oscar = newSigner("oscar");
    await one.service.enrolOwner("oscar", oscar.publicKey);
    const wrong = [
      [await signVeto(core, oscar, request), failing("NOT_ENTITLED")],
      [await signVeto(core, newSigner("olivia"), request), NOT_VERIFIED],
      [
        await signVeto(core, olivia, { ...request, authority: "another.example" }),
        failing("WRONG_AUTHORITY"),
      ],
      [
        await signVeto(core, olivia, { ...request, nonce: new Uint8Array(16) }),
        failing("NOT_FOUND"),
      ],
    ] as const;
    for (const [veto, error] of wrong) {
      await expect(one.service.takeVeto(veto)).rejects.toEqual(error);
    }
    expect(await one.count()).not.toHaveProperty("veto");
    // A key that was replaced signs nothing more; what it has signed stands.
    await one.service.takeVeto(note);
    await one.service.enrolOwner("olivia", newSigner("olivia").publicKey);
    await one.approve(request, "ann", "bob");
    await one.service.verifyLog();
    const again = await one.asked(await one.files(1));
    await expect(one.service.takeVeto(await signVeto(core, olivia, again.request))).rejects.toEqual(
      NOT_VERIFIED,
    );
  });
});

describe("time", () => {
  const now = Date.now();

  test("in the log never goes back, and a clock that lags by more than 5 minutes adds nothing", async () => {
    const one = await office();
    await at(new Date(now + 3_600_000), () => one.files(1));
    const [file] = [await one.file()];
    await at(new Date(now + 3_600_000 - 301_000), () =>
      expect(one.service.intake(file.submission)).rejects.toEqual(failing("UNAVAILABLE")),
    );
    await at(new Date(now + 3_600_000 - 299_000), () => one.service.intake(file.submission));
    const times = (await one.leaves()).map((leaf) => lineOf(leaf, "time"));
    expect(times).toEqual([...times].sort());
    await one.service.verifyLog();
  });

  test("of the requester's clock delays no release, and a wrong one is refused", async () => {
    const one = await office({ waiting: 60 });
    const files = await one.files(1);
    const ahead = one.request(files, { created: new Date(Date.now() + 3_600_000) });
    await expect(one.service.takeRequest(ahead)).rejects.toThrow(/one of the two clocks is wrong/);
    const created = new Date(Date.now() + 240_000);
    const { request, id } = await one.asked(files, { created });
    await one.approve(request, "ann", "bob");
    const { leaf, decision } = await one.service.standing(id);
    expect(decision.notBefore!.getTime()).toBe(leaf.time.getTime() + 60_000);
  });

  test("that a request has must reach beyond its waiting period", async () => {
    const one = await office({ waiting: 86_400 });
    const files = await one.files(1);
    const expires = new Date(Date.now() + 86_000_000);
    await expect(one.service.takeRequest(one.request(files, { expires }))).rejects.toThrow(
      /before policy 1 lets anything be released/,
    );
  });

  test("a request is for at most 500 owners", async () => {
    const one = await office();
    const records = copiesOf(await sealFor(one.service.authority), 501).map((submission, i) => ({
      ...submission,
      record: { ...submission.record, owner: `owner-${i}` },
    }));
    await one.service.close();
    // Unopened: their tags would not fit.
    const service = await one.open();
    const taken = allTaken(await service.intake(records));
    const ask = (count: number) =>
      service.takeRequest(
        makeRequest({
          authority: service.authority.origin,
          requester: "Olivia Owner",
          recipient: newOwner.publicKey,
          records: taken.slice(0, count).map(({ record }) => record),
        }),
      );
    await expect(ask(501)).rejects.toThrow(/501 owners/);
    await ask(500);
    expect((await one.leaves()).at(-1)!.length).toBeLessThan(65_535);
    await service.verifyLog();
  });
});

describe("an officer's client", () => {
  test("is told who has vetoed, and who could", async () => {
    const one = await office();
    const client = new LocalClient(one.service);
    const party = partyOf(core, one.service.authority, client);
    const { result } = await one.service.enrolOwner("olivia", olivia.publicKey);
    expect(result).toBe("enrolled");
    const files = [...(await one.files(1)), ...(await one.files(1, { owner: "oscar" }))];
    const { request, id } = await one.asked(files);
    const rows = async () =>
      Object.fromEntries(questionRows(core, await standingOf(party, id))) as Record<
        string,
        unknown
      >;
    expect(await rows()).toMatchObject({ owners: "1 of 2 enrolled: the others have no veto" });
    expect((await standingOf(party, id)).enrolled).toEqual(["olivia"]);
    const note = await signVeto(core, olivia, request);
    // An authority that forgets a veto is noticed by the one who gives it.
    const forgets = new LocalClient(one.service);
    forgets.decide = () => client.standing(id);
    const forgetful = partyOf(core, one.service.authority, forgets);
    await expect(handInVeto(forgetful, id, note)).rejects.toEqual(NOT_VERIFIED);
    expect((await handInVeto(party, id, note)).vetoes).toEqual(["olivia"]);
    expect(await rows()).toHaveProperty("vetoed by");
    const other = await one.asked(await one.files(1, { owner: "oscar" }));
    expect(questionRows(core, await standingOf(party, other.id))).toContainEqual([
      "owners",
      "none is enrolled: the owners have no veto",
    ]);
  });
});
