import { addSignature, signNote, signVeto } from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import type { Deliverer, Message } from "#build/authority/deliveries.js";
import { Deliveries, MAX_ATTEMPTS } from "#build/authority/deliveries.js";
import { nextPolicy } from "#build/authority/policies.js";
import type { AuthorityService } from "#build/authority/service.js";
import type { ReceiverRow, Store, StoreWrites } from "#build/authority/store/store.js";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { at, core, failing, type Office, openAuthority, storeOf, useOffices } from "./office.js";

// What is told of, to whom, and how often.

const office = useOffices({ isOpen: true });

/** Everything that waits for the receivers of a kind, in order. */
async function told(service: AuthorityService, name?: string) {
  const waiting = await service.deliveries("waiting");
  return waiting
    .filter(({ receiver }) => receiver.name === name)
    .map(({ kind, content }) => ({ kind, ...content }));
}

const kinds = async (service: AuthorityService, name?: string) =>
  (await told(service, name)).map(({ kind }) => kind);

const mail = (role: "officer" | "owner", name: string) =>
  ({ who: { role, name }, means: "mail", address: `${name}@example.org` }) as const;

const OPERATOR = { means: "mail", address: "ops@example.org" } as const;

describe("an event", () => {
  let one: Office;
  beforeAll(async () => {
    one = await office();
    const [olivia, oscar] = ["olivia", "oscar"];
    await one.files(1, { owner: oscar });
    await one.files(1, { owner: olivia });
    for (const owner of [olivia, oscar]) await one.service.addReceiver(mail("owner", owner));
    for (const officer of ["ann", "bob"]) await one.service.addReceiver(mail("officer", officer));
    await one.service.addReceiver(OPERATOR);
  });

  test("is written for a request, each word about it, and what comes of it", async () => {
    const { service } = one;
    const control = newSigner("olivia");
    await service.enrolOwner("olivia", control.publicKey);
    const files = await one.files(1, { owner: "olivia" });
    const { request, id, hash } = await one.asked(files);
    const vetoed = await one.asked(files, { requester: "Mallory" });
    await service.takeVeto(await signVeto(core, control, vetoed.request));
    await one.approve(request, "ann");
    await service.takeApproval(await one.word("cyd", request, { decision: "deny" }));
    await one.approve(request, "bob");
    await service.release(id);
    const leaves = await one.leaves();
    const about = (what: object) => expect.objectContaining({ policy: 1, ...what });
    const expected = [
      about({ kind: "enrol" }),
      about({ kind: "request", request: id }),
      about({ kind: "request", request: vetoed.id }),
      about({ kind: "veto", request: vetoed.id }),
      about({ kind: "approval", request: id }),
      about({ kind: "denial", request: id }),
      about({ kind: "approval", request: id }),
      about({ kind: "release", request: id, basis: "quorum", status: "released" }),
    ];
    for (const name of [undefined, "ann", "bob", "olivia"]) {
      expect(await told(service, name)).toEqual(expected);
    }
    // Nothing of this is of oscar.
    expect(await told(service, "oscar")).toEqual([]);
    for (const { kind, log, leaf } of await told(service)) {
      if (kind === "approval") expect([log, leaf]).toEqual([undefined, undefined]);
      else expect(leaves[leaf!]).toContain(`\ntype ${kind}\n`);
    }
    expect(leaves.filter((leaf) => leaf.includes(Buffer.from(hash).toString("hex")))).toHaveLength(
      3,
    );
    // Whoever asked, what for, and whose it is, stands in none of it.
    const texts = JSON.stringify(
      await service.deliveries("waiting").then((all) => all.map(({ content }) => content)),
    );
    expect(texts).not.toMatch(/Olivia|Mallory|some file|olivia/);
    // The same again changes nothing, so there is nothing to tell.
    await service.takeRequest(request);
    await service.takeVeto(await signVeto(core, control, vetoed.request));
    await service.takeApproval(await one.word("ann", request)).catch(() => {});
    await service.release(id);
    await service.enrolOwner("olivia", control.publicKey);
    expect(await told(service)).toEqual(expected);
  });

  test("of a request that ends by a denial says so", async () => {
    const { service } = one;
    const { request } = await one.asked(await one.files(1, { owner: "oscar" }));
    const before = (await told(service)).length;
    for (const name of ["ann", "bob"]) {
      await service.takeApproval(await one.word(name, request, { decision: "deny" }));
    }
    const statuses = (await told(service)).slice(before).map(({ kind, status }) => [kind, status]);
    expect(statuses).toEqual([
      ["denial", undefined],
      ["denial", "denied"],
    ]);
    expect(await kinds(service, "oscar")).toEqual(["request", "denial", "denial"]);
  });

  test("is there if, and only if, its transaction is", async () => {
    const { folder } = one;
    let isFailing = false;
    // Everything was written, then the disk fails.
    const within = (store: Store): Store =>
      new Proxy(store, {
        get(of, name) {
          const member = Reflect.get(of, name) as unknown;
          if (name !== "write") return typeof member === "function" ? member.bind(of) : member;
          return (work: (writes: StoreWrites) => Promise<unknown>) =>
            of.write(async (writes) => {
              const done = await work(writes);
              if (isFailing) throw new Error("the disk fails");
              return done;
            });
        },
      });
    const service = await openAuthority(folder, {}, within);
    try {
      const before = await told(service);
      const request = one.request(await one.files(1, { owner: "olivia" }));
      isFailing = true;
      await expect(service.takeRequest(request)).rejects.toThrow("the disk fails");
      expect(await told(service)).toEqual(before);
      isFailing = false;
      const { id } = await service.takeRequest(request);
      expect((await told(service)).at(-1)).toMatchObject({ kind: "request", request: id });
    } finally {
      await service.close();
    }
  });
});

test("policies are told to the officers before and after: announced, and in force", async () => {
  const one = await office({ waiting: 3600 });
  const { service } = one;
  for (const officer of ["ann", "cyd"]) await service.addReceiver(mail("officer", officer));
  await service.addReceiver(OPERATOR);
  const dan = newSigner("dan");
  const policy = await one.policy();
  const add = [{ name: "dan", publicKey: dan.publicKey, shareKey: spareKey(5) }];
  // Whoever joins makes it weaker, so it waits.
  const text = nextPolicy(policy, await one.newest(), { remove: ["cyd"], add });
  const signers = [...["ann", "bob"].map((name) => one.officers.get(name)!), dan];
  for (const signer of signers) await service.takePolicy(await signNote(core, text, signer));
  const waits = expect.objectContaining({
    kind: "announce",
    policy: 2,
    notBefore: expect.any(String),
  });
  expect(await told(service, "cyd")).toEqual([waits]);
  await expect(service.addReceiver(mail("officer", "dan"))).rejects.toEqual(failing("NOT_FOUND"));
  await at(new Date(Date.now() + 3_700_000), async () => {
    await service.takeRequest(one.request(await one.files(1)));
    const now = expect.objectContaining({ kind: "policy", policy: 2, leaf: expect.any(Number) });
    expect(await told(service, "cyd")).toEqual([waits, now]);
    expect(await kinds(service, "ann")).toEqual(["announce", "policy", "request"]);
    expect(await kinds(service)).toEqual(["announce", "policy", "request"]);
    await service.addReceiver(mail("officer", "dan"));
  });
});

test("a fence is told once, and the end of a log", async () => {
  const one = await office();
  const { service } = one;
  await service.addReceiver(OPERATOR);
  const { note } = await service.beginClosing();
  await service.beginClosing();
  expect(await told(service)).toEqual([{ kind: "fence", reason: "closing" }]);
  let closing = note;
  for (const name of ["ann", "bob"])
    closing = await addSignature(core, closing, one.officers.get(name)!);
  await service.takeClosing(closing);
  expect((await told(service)).at(-1)).toMatchObject({
    kind: "authority",
    identity: 2,
    log: 1,
    leaf: 0,
  });
});

describe("receivers", () => {
  let one: Office;
  beforeAll(async () => {
    one = await office();
  });

  test("are officers in force and owners who are known, at addresses that are some", async () => {
    const { service } = one;
    const add = service.addReceiver.bind(service);
    await expect(add(mail("officer", "mallory"))).rejects.toEqual(failing("NOT_FOUND"));
    await expect(add(mail("owner", "olivia"))).rejects.toEqual(failing("NOT_FOUND"));
    for (const address of [
      "",
      "ann",
      "ann@",
      "@example.org",
      "ann@example.org\r\nBcc: eve@example.org",
      "ann@example.org\n",
      "ann@example.org,eve@example.org",
      "Ann <ann@example.org>",
      "ann@ex ample.org",
      "änn@example.org",
      `${"a".repeat(250)}@example.org`,
      '"a b"@example.org',
    ]) {
      await expect(add({ means: "mail", address }), address).rejects.toEqual(
        failing("BAD_ARGUMENT"),
      );
    }
    for (const address of [
      "",
      "example.org",
      "http://example.org/hook",
      "http://127.0.0.1.example.org/",
      "ftp://example.org/",
      "https://user@example.org/",
      "https://:secret@example.org/",
      "https://example.org/#part",
      `https://example.org/${"a".repeat(2048)}`,
    ]) {
      const webhook = { means: "webhook", address } as const;
      await expect(add(webhook), address).rejects.toEqual(failing("BAD_ARGUMENT"));
    }
    const who = { role: "owner", name: "olivia" } as const;
    const hook = { who, means: "webhook", address: "https://example.org/" } as const;
    await expect(add(hook)).rejects.toEqual(failing("BAD_ARGUMENT"));
    expect(await service.receivers()).toEqual([]);
  });

  test("have one mail address each, and as many webhooks as they like", async () => {
    const { service } = one;
    const { receiver, secret } = await service.addReceiver(mail("officer", "ann"));
    expect(secret).toBeUndefined();
    const other = { ...mail("officer", "ann"), address: "ann@example.net" };
    const again = await service.addReceiver(other);
    expect(again.receiver).toEqual({ ...receiver, address: "ann@example.net" });
    const hooks = ["https://example.org/a?b=c", "http://localhost:1/b"];
    for (const address of hooks) {
      const made = await service.addReceiver({ means: "webhook", address });
      expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(made.receiver).toMatchObject({ address, role: "operator" });
    }
    const all = await service.receivers();
    expect(all.map(({ address }) => address).sort()).toEqual(["ann@example.net", ...hooks].sort());
    expect(JSON.stringify(all)).not.toContain("secret");
    await expect(service.removeReceiver("")).rejects.toEqual(failing("NOT_FOUND"));
    for (const { id } of all) expect(await service.removeReceiver(id)).toMatchObject({ id });
    await expect(service.removeReceiver(all[0]!.id)).rejects.toEqual(failing("NOT_FOUND"));
  });
});

describe("deliveries", () => {
  /** Receives what it is sent, or fails. */
  class Listener {
    readonly got: string[] = [];
    readonly messages: Message[] = [];
    failure: ((receiver: ReceiverRow) => string | undefined) | undefined;

    deliverer(): Deliverer {
      return {
        means: ["mail", "webhook"],
        send: async (receiver, message) => {
          const failure = this.failure?.(receiver);
          if (failure !== undefined) throw new Error(failure);
          this.got.push(`${receiver.address} ${message.content.request}`);
          this.messages.push(message);
        },
        random: () => 0.5,
      };
    }
  }

  async function ready() {
    const one = await office();
    await one.service.addReceiver({ means: "mail", address: "a@example.org" });
    await one.service.addReceiver({ means: "mail", address: "b@example.org" });
    const ask = async (count: number) => {
      const ids: string[] = [];
      for (const file of await one.files(count)) ids.push((await one.asked([file])).id);
      return ids;
    };
    return { one, ask, listener: new Listener() };
  }

  const from = (listener: Listener, address: string) =>
    listener.got.filter((line) => line.startsWith(address)).map((line) => line.split(" ")[1]);

  test("are made in order, once, whoever looks", async () => {
    const { one, ask, listener } = await ready();
    const ids = await ask(5);
    const many = [1, 2, 3].map(() => one.service.deliverer(listener.deliverer()));
    await Promise.all(many.map((deliveries) => deliveries.look()));
    await one.elsewhere({}, (service) => service.deliverer(listener.deliverer()).look());
    expect(from(listener, "a@")).toEqual(ids);
    expect(from(listener, "b@")).toEqual(ids);
    expect(await one.service.deliveries("waiting")).toEqual([]);
    const events = listener.messages.map(({ id }) => id);
    expect(new Set(events).size).toBe(5);
    expect(events.every((id) => /^evt_[0-9a-f]{32}$/.test(id))).toBe(true);
  });

  test("that fail are tried again later, and hold up what is behind them for that receiver alone", async () => {
    const { one, ask, listener } = await ready();
    const ids = await ask(2);
    listener.failure = ({ address }) =>
      address.startsWith("a@") ? "no \r\n\u001b[31mway é" : undefined;
    const deliveries = one.service.deliverer(listener.deliverer());
    const begin = Date.now();
    await at(new Date(begin), () => deliveries.look());
    expect([from(listener, "a@"), from(listener, "b@")]).toEqual([[], ids]);
    const [first, second] = await one.service.deliveries("waiting");
    expect(first).toMatchObject({
      attempts: 1,
      due: new Date(begin + 5000),
      reason: "no  [31mway  ",
    });
    expect(second).toMatchObject({ attempts: 0, reason: undefined });
    listener.failure = undefined;
    await at(new Date(begin + 4999), () => deliveries.look());
    expect(from(listener, "a@")).toEqual([]);
    await at(new Date(begin + 5000), () => deliveries.look());
    expect(from(listener, "a@")).toEqual(ids);
  });

  test("are given up after so many attempts, and later ones go on; they can be begun again", async () => {
    const { one, ask, listener } = await ready();
    const [id] = await ask(1);
    listener.failure = ({ address }) => (address.startsWith("a@") ? "no" : undefined);
    const deliveries = one.service.deliverer(listener.deliverer());
    let now = Date.now();
    const begin = now;
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      await at(new Date(now), () => deliveries.look());
      const [waits] = await one.service.deliveries("waiting");
      if (waits === undefined) break;
      expect(waits.attempts).toBe(attempt);
      pauses.push((waits.due.getTime() - now) / 1000);
      now = waits.due.getTime();
    }
    expect(pauses.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect([pauses.length, Math.max(...pauses)]).toEqual([MAX_ATTEMPTS - 1, 3600]);
    expect(Math.round((now - begin) / 3_600_000)).toBe(20);
    const [dead] = await one.service.deliveries("dead");
    expect(dead).toMatchObject({ state: "dead", attempts: MAX_ATTEMPTS, content: { request: id } });
    listener.failure = undefined;
    const [later] = await ask(1);
    await at(new Date(now), () => deliveries.look());
    expect(from(listener, "a@")).toEqual([later]);
    expect(await one.service.retryDelivery(dead!.id)).toMatchObject({ id: dead!.id, attempts: 0 });
    await at(new Date(now + 1), () => deliveries.look());
    expect(from(listener, "a@")).toEqual([later, id]);
    expect(await one.service.deliveries("dead")).toEqual([]);
    await expect(one.service.retryDelivery(dead!.id)).rejects.toEqual(failing("NOT_FOUND"));
    await expect(one.service.retryDelivery("12")).rejects.toEqual(failing("BAD_ARGUMENT"));
  });

  test("of a receiver whom another process holds wait until it is done, or gone", async () => {
    const { one, ask, listener } = await ready();
    const ids = await ask(1);
    const store = storeOf(one.service);
    const now = Date.now();
    for (const { id } of await one.service.receivers()) {
      expect(await store.holdReceiver(id, "another", new Date(now), new Date(now + 60_000))).toBe(
        true,
      );
    }
    const deliveries = one.service.deliverer(listener.deliverer());
    await at(new Date(now + 59_999), () => deliveries.look());
    expect(listener.got).toEqual([]);
    await at(new Date(now + 60_000), () => deliveries.look());
    expect(from(listener, "a@")).toEqual(ids);
  });

  test("that somebody else has tried meanwhile are not tried again before their time", async () => {
    const { one, ask, listener } = await ready();
    await ask(1);
    listener.failure = () => "no";
    const store = storeOf(one.service);
    const first = new Deliveries(store, listener.deliverer());
    const slow = new Proxy(store, {
      get(of, name) {
        const member = Reflect.get(of, name) as unknown;
        if (name !== "dueDeliveries")
          return typeof member === "function" ? member.bind(of) : member;
        const ask: Store["dueDeliveries"] = async (...about) => {
          const due = await of.dueDeliveries(...about);
          await first.look();
          return due;
        };
        return ask;
      },
    });
    await new Deliveries(slow, listener.deliverer()).look();
    const waiting = await one.service.deliveries("waiting");
    expect(waiting.map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  test("say whom they concern to owners alone, each of themselves", async () => {
    const { one, listener } = await ready();
    await one.files(1, { owner: "olivia" });
    for (const [role, name] of [
      ["officer", "ann"],
      ["owner", "olivia"],
    ] as const) {
      await one.service.addReceiver(mail(role, name));
    }
    await one.asked([...(await one.files(1, { owner: "oscar" })), ...(await one.files(1))]);
    await one.service.deliverer(listener.deliverer()).look();
    expect(listener.messages.map(({ owner }) => owner).sort()).toEqual([
      "olivia",
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("by means that are not at hand wait", async () => {
    const { one, ask, listener } = await ready();
    await ask(1);
    const deliverer = { ...listener.deliverer(), means: ["webhook"] as const };
    await one.service.deliverer(deliverer).look();
    expect(listener.got).toEqual([]);
    expect(await one.service.deliveries("waiting")).toHaveLength(2);
  });

  test("end with the process: what is on its way is the last", async () => {
    const { one, ask, listener } = await ready();
    const [first] = await ask(3);
    const { send, ...rest } = listener.deliverer();
    const deliveries = one.service.deliverer({
      ...rest,
      send: async (receiver, message) => {
        deliveries.end();
        await send(receiver, message);
      },
    });
    await deliveries.look();
    expect([...new Set(listener.got.map((line) => line.split(" ")[1]))]).toEqual([first]);
    // Nobody is held.
    await one.service.deliverer(listener.deliverer()).look();
    expect(await one.service.deliveries("waiting")).toEqual([]);
  });
});
