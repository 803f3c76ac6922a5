import {
  addSignature,
  formatPolicy,
  type Policy,
  type PolicyText,
  type Signer,
  signNote,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { backend } from "./backend.js";
import {
  at,
  core,
  failing,
  NOT_VERIFIED,
  type Office,
  openAuthority,
  useOffices,
} from "./office.js";

// Policies that are weaker than the one before, and officers who join: the authority's part. What counts as weaker
// is tested with the policies themselves.

const office = useOffices({ isOpen: true });

async function next(one: Office, change: (policy: Policy) => Partial<PolicyText>): Promise<string> {
  const policy = await one.policy();
  return formatPolicy({
    ...policy,
    number: policy.number + 1,
    previous: await one.newest(),
    ...change(policy),
  });
}

async function sign(one: Office, text: string, ...names: (string | Signer)[]) {
  let taken: Awaited<ReturnType<typeof one.service.takePolicy>> | undefined;
  for (const name of names) {
    const signer = typeof name === "string" ? one.officers.get(name)! : name;
    taken = await one.service.takePolicy(await signNote(core, text, signer));
  }
  return taken!;
}

const withDan = (dan: Signer) => (policy: Policy) => ({
  officers: [...policy.officers, { name: "dan", key: dan.publicKey, share: spareKey(3), self: [] }],
});

describe("a weaker policy", () => {
  test("waits as long as the one before says, and then comes into force", async () => {
    const one = await office({ waiting: 3600 });
    const text = await next(one, () => ({ waiting: 0 }));
    const taken = await sign(one, text, "ann", "bob");
    expect(taken).toMatchObject({ complete: true, waiting: 3600 });
    expect(taken.weaker).toHaveLength(1);
    expect((await one.policy()).number).toBe(1);
    expect(await one.count()).toMatchObject({ announce: 1, policy: 1 });
    // Signed again, nothing changes.
    expect((await sign(one, text, "ann")).notBefore).toEqual(taken.notBefore);
    expect(await one.count()).toMatchObject({ announce: 1, policy: 1 });
    const { notBefore } = taken;
    await at(new Date(notBefore!.getTime() - 1000), async () => {
      await one.files(1);
      expect((await one.policy()).number).toBe(1);
    });
    await at(notBefore!, async () => {
      await one.files(1);
      expect(await one.policy()).toMatchObject({ number: 2, waiting: 0 });
    });
    expect(await one.count()).toMatchObject({ announce: 1, policy: 2 });
    await at(new Date(notBefore!.getTime() + 1000), () => one.service.verifyLog());
  });

  test("comes into force at once if the emergency number signs it, or nothing waits", async () => {
    const slow = await office({ waiting: 3600 });
    const text = await next(slow, () => ({ waiting: 0 }));
    expect(await sign(slow, text, "ann", "bob", "cyd")).toMatchObject({ waiting: 0 });
    expect(await slow.policy()).toMatchObject({ number: 2, waiting: 0 });
    const fast = await office();
    await sign(fast, await next(fast, () => ({ emergency: 2 })), "ann", "bob");
    expect(await fast.policy()).toMatchObject({ number: 2, emergency: 2 });
    for (const one of [slow, fast]) await one.service.verifyLog();
  });

  test("ends when a policy of its number comes into force that is not weaker", async () => {
    const one = await office({ waiting: 3600 });
    const weaker = await next(one, () => ({ waiting: 0 }));
    await sign(one, weaker, "ann", "bob");
    const stronger = await next(one, () => ({ waiting: 7200 }));
    const { notBefore } = await sign(one, weaker, "ann");
    await sign(one, stronger, "bob", "cyd");
    expect(await one.policy()).toMatchObject({ number: 2, waiting: 7200 });
    await at(notBefore!, async () => {
      await one.files(1);
      expect(await one.policy()).toMatchObject({ number: 2, waiting: 7200 });
    });
    await expect(sign(one, weaker, "cyd")).rejects.toEqual(failing("DUPLICATE"));
    // Its announcement stands in the log for good.
    expect(await one.service.policies()).toHaveLength(2);
    await at(notBefore!, () => one.service.verifyLog());
    const forged = {
      table: "policies",
      column: "note",
      change: (note: string) => note.replace("waiting 0", "waiting 9"),
    };
    await backend.alter(one.folder, forged);
    await expect(one.service.verifyLog()).rejects.toEqual(NOT_VERIFIED);
  });

  test("goes on waiting if a log was to be closed, and was not", async () => {
    const one = await office({ waiting: 3600 });
    const weaker = await next(one, () => ({ waiting: 0 }));
    const { notBefore } = await sign(one, weaker, "ann", "bob");
    await one.service.beginClosing();
    await one.service.unfence([], { nothingNewer: true });
    await at(notBefore!, async () => {
      await one.files(1);
      expect(await one.policy()).toMatchObject({ number: 2, waiting: 0 });
      await one.service.verifyLog();
    });
  });

  test("comes into force by another process too, and not without its announcement", async () => {
    const one = await office({ waiting: 3600 });
    const { notBefore } = await sign(one, await next(one, () => ({ release: 1 })), "ann", "bob");
    const other = await openAuthority(one.folder);
    const { submission } = await one.file();
    await at(notBefore!, () => other.intake(submission));
    expect(await one.policy()).toMatchObject({ number: 2, release: 1 });
    await other.close();
  });
});

describe("an officer who joins", () => {
  test("has to sign, and does not count", async () => {
    const one = await office();
    const dan = newSigner("dan");
    const text = await next(one, withDan(dan));
    await expect(sign(one, text, dan)).rejects.toEqual(failing("NOT_ENTITLED"));
    expect(await sign(one, text, "ann", "bob")).toMatchObject({
      complete: false,
      joining: ["dan"],
      officers: ["ann", "bob"],
    });
    // Another key in dan's name is not dan's.
    const draft = (await one.service.policies()).at(-1)!.row.note;
    const forged = await addSignature(core, draft, newSigner("dan"));
    expect(await one.service.takePolicy(forged)).toMatchObject({ complete: false });
    expect(await sign(one, text, dan)).toMatchObject({ complete: true, joining: [] });
    expect((await one.policy()).officers.map(({ name }) => name)).toContain("dan");
    await one.service.verifyLog();
  });

  test("does not make up for an officer in force who has not signed", async () => {
    const one = await office();
    const dan = newSigner("dan");
    const text = await next(one, withDan(dan));
    expect(await sign(one, text, "ann", dan)).toMatchObject({
      complete: false,
      joining: [],
      officers: ["ann"],
      needed: 2,
    });
    expect((await one.policy()).number).toBe(1);
  });

  test("nor does one whose share key was exchanged count unless they sign for it", async () => {
    const one = await office();
    const text = await next(one, ({ officers }) => ({
      officers: officers.map((officer) =>
        officer.name === "cyd" ? { ...officer, share: spareKey(3) } : officer,
      ),
    }));
    expect(await sign(one, text, "ann", "bob")).toMatchObject({
      complete: false,
      joining: ["cyd"],
    });
    expect(await sign(one, text, "cyd")).toMatchObject({ complete: true });
  });
});

describe("limits", () => {
  test("the 1,025th policy is refused before it is written", async () => {
    const one = await office();
    const text = await next(one, () => ({}));
    const beyond = text.replace(/^number 2$/m, "number 1025");
    await expect(sign(one, beyond, "ann")).rejects.toEqual(failing("BAD_FORMAT"));
    await expect(next(one, () => ({ number: 1025 }))).rejects.toEqual(failing("LIMIT_EXCEEDED"));
  });

  test("a policy without room for its officers' signatures is refused while it is drafted", async () => {
    const one = await office();
    const [ann] = (await one.policy()).officers;
    const self = Array.from({ length: 64 }, (_, i) => `${i}`.padStart(3, "0").padEnd(255, "x"));
    const crowd = Array.from({ length: 4 }, (_, i) => ({
      ...ann!,
      name: `zed${i}`.padEnd(255, "z"),
      key: newSigner("z").publicKey,
      share: spareKey(4 + i),
      self: i < 3 ? self : self.slice(0, 59),
    }));
    const draft = next(one, ({ officers }) => ({ officers: [...officers, ...crowd] }));
    await expect(draft.then((text) => sign(one, text, "ann"))).rejects.toEqual(
      failing("LIMIT_EXCEEDED"),
    );
    expect(await one.service.policies()).toHaveLength(1);
  });

  test("a policy that names another note than the newest does not follow", async () => {
    const one = await office();
    const policy = await one.policy();
    const text = formatPolicy({ ...policy, number: 2, previous: policy.hash, waiting: 9 });
    await expect(sign(one, text, "ann")).rejects.toEqual(NOT_VERIFIED);
  });
});
