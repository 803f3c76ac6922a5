import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AuthorityFile,
  addSignature,
  decodeLeaf,
  encodeLeaf,
  type Receipt,
  requestId,
  type Signer,
  signCheckpoint,
  signVeto,
  verifyAuthority,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import type { AuthorityService } from "#build/authority/service.js";
import { type LogFiles, type Look, type LookOptions, lookAtLog } from "#build/client/watch.js";
import { decodeWatched, encodeWatched, type Watched } from "#build/client/watch-state.js";
import { newSigner, SeedKey } from "../escrow/signers.js";
import { RecursiveTree } from "../escrow/tree.js";
import { core, failing, NOT_VERIFIED, type Office, useOffices } from "./office.js";

// What somebody sees who follows a log from outside: of a log that is in order, and of every kind of log that is not.
// The trees of forged logs are made by an independent tree, and signed with the log's own key.

const office = useOffices({ isOpen: true });

/** A log as its authority shows it. */
function filesOf(service: AuthorityService): LogFiles {
  return {
    checkpointOf: (log) => service.checkpointOf(log),
    entries: async (log, index, width) =>
      (await service.tile({ log, level: "entries", index, width }))!,
    consistency: (from, to) => service.consistency(from, to),
  };
}

async function aboutOf(service: AuthorityService) {
  const file = await service.file();
  return { file, authority: await verifyAuthority(core, file) };
}

async function look(
  service: AuthorityService,
  before?: Watched,
  options: LookOptions = {},
): Promise<Look> {
  const seen = await lookAtLog(core, await aboutOf(service), filesOf(service), before, options);
  // As from one process to the next.
  return { ...seen, watched: decodeWatched(encodeWatched(seen.watched)) };
}

const brief = ({ sights }: Pick<Look, "sights">) =>
  sights.map(({ type, request, number, alarm }) => [
    type,
    request ?? number,
    ...(alarm === undefined ? [] : [alarm]),
  ]);

/** What a log could be made of by whoever has its key. */
class Forger implements LogFiles {
  leaves: (string | Uint8Array)[];
  readonly #signer: Signer;
  /** What tiles hold, if not that. */
  shown: (string | Uint8Array)[] | undefined;

  private constructor(leaves: string[], signer: Signer) {
    this.leaves = leaves;
    this.#signer = signer;
  }

  static async of(one: Office): Promise<Forger> {
    const key = await SeedKey.read(readFileSync(join(one.folder, "log.pem")));
    return new Forger(await one.leaves(), key.signer(one.service.authority.origin));
  }

  async checkpointOf(): Promise<string> {
    const { leaves } = this;
    const tree = new RecursiveTree((i) => Buffer.from(leaves[Number(i)]!));
    const size = leaves.length;
    const checkpoint = { origin: this.#signer.name, size, root: tree.root(size) };
    return signCheckpoint(core, checkpoint, this.#signer);
  }

  async entries(_: number, index: number, width: number): Promise<Uint8Array> {
    const texts = (this.shown ?? this.leaves).slice(index * 256, index * 256 + width);
    return Buffer.concat(
      texts.flatMap((text) => {
        const bytes = Buffer.from(text);
        return [Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes];
      }),
    );
  }

  async consistency(from: number, to: number): Promise<Uint8Array[]> {
    const { leaves } = this;
    return new RecursiveTree((i) => Buffer.from(leaves[Number(i)]!)).proof(from, to);
  }
}

const leafAt = (seconds: number, fields: object) =>
  encodeLeaf({ time: new Date(seconds * 1000), ...fields } as never);
const timeOf = (text: string) => decodeLeaf(text).time.getTime() / 1000;
const bytes32 = (text: string) => createHash("sha256").update(text).digest();

describe("a log in order", () => {
  test("is told of once, leaf by leaf", async () => {
    const one = await office();
    const { service } = one;
    const files = await one.files(3);
    const first = await look(service);
    expect(brief(first)).toEqual([
      ["authority", 1],
      ["policy", 1],
    ]);
    expect(first.leaves).toBe(5);
    const again = await look(service, first.watched);
    expect([again.sights, again.leaves]).toEqual([[], 0]);
    expect(again.watched).toEqual(first.watched);
    const { request, id } = await one.asked(files);
    const other = await one.asked(files.slice(1), { requester: "another" });
    await one.approve(request, "ann");
    await service.takeApproval(await one.word("cyd", request, { decision: "deny" }));
    await one.approve(request, "bob");
    await service.release(id);
    const control = newSigner("olivia");
    await service.enrolOwner("olivia", control.publicKey);
    await service.takeVeto(await signVeto(core, control, other.request));
    const next = await look(service, again.watched);
    expect(brief(next)).toEqual([
      ["request", id],
      ["request", other.id],
      ["denial", id],
      ["release", id],
      ["release", id],
      ["release", id],
      ["enrol", undefined],
      ["veto", other.id],
    ]);
    const leaves = await one.leaves();
    for (const { index, time, log, type } of next.sights) {
      expect(leaves[index!]).toContain(`\ntype ${type}\ntime ${time}\n`);
      expect(log).toBe(service.authority.origin);
    }
    expect(next.sights[3]).toMatchObject({
      basis: "quorum",
      record: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await look(service, next.watched)).sights).toEqual([]);
    // From the beginning it is the same.
    expect((await look(service)).sights).toEqual([...first.sights, ...next.sights]);
  });

  test("tells an owner of what is theirs, and of what is everybody's", async () => {
    const one = await office();
    const { service } = one;
    const [olivia, oscar] = [newSigner("olivia"), newSigner("oscar")];
    await service.enrolOwner("oscar", oscar.publicKey);
    const { secret: ownerSecret } = await service.enrolOwner("olivia", olivia.publicKey);
    const mine = await one.files(1, { owner: "olivia" });
    const theirs = await one.files(1, { owner: "oscar" });
    const asked = await one.asked([...mine, ...theirs]);
    const other = await one.asked(theirs);
    let seen = await look(service, undefined, { ownerSecret });
    expect(brief(seen)).toEqual([
      ["authority", 1],
      ["policy", 1],
      ["enrol", undefined],
      ["request", asked.id],
    ]);
    // Words about a request come later, when its leaf was seen long before.
    await service.takeVeto(await signVeto(core, oscar, other.request));
    await service.takeVeto(await signVeto(core, olivia, asked.request));
    await one.approve(asked.request, "ann", "bob", "cyd");
    await service.release(asked.id);
    for (const name of ["ann", "bob"]) {
      await service.takeApproval(await one.word(name, other.request, { decision: "deny" }));
    }
    seen = await look(service, seen.watched, { ownerSecret });
    expect(brief(seen)).toEqual([
      ["veto", asked.id],
      ["release", asked.id],
    ]);
    expect(seen.sights.at(-1)).toMatchObject({ basis: "emergency" });
  });

  test("of several tiles is followed over their edges", async () => {
    const one = await office();
    const forger = await Forger.of(one);
    const about = await aboutOf(one.service);
    const [start, now] = [forger.leaves.length, timeOf(String(forger.leaves.at(-1)))];
    const request = (i: number) => bytes32(`request ${i}`);
    const all = Array.from({ length: 2100 }, (_, i) =>
      leafAt(now, { type: "denial", request: request(i), approval: bytes32("approval") }),
    );
    let watched: Watched | undefined;
    let at = start;
    const found: (string | undefined)[] = [];
    for (const size of [start, 255, 256, 257, 258, 511, 512, 767, 1800, 2048, 2100]) {
      forger.leaves = [...forger.leaves.slice(0, start), ...all.slice(0, size - start)];
      const seen = await lookAtLog(core, about, forger, watched);
      watched = decodeWatched(encodeWatched(seen.watched));
      expect(seen.leaves).toBe(size - (at === start && size === start ? 0 : at));
      at = size;
      found.push(
        ...seen.sights.filter(({ type }) => type === "denial").map((sight) => sight.request),
      );
    }
    expect(found).toEqual(all.slice(0, 2100 - start).map((_, i) => requestId(request(i))));
    // A leaf of the last tile that was seen is another one now.
    forger.leaves[2050] = all[0]!;
    forger.leaves.push(all[0]!);
    await expect(lookAtLog(core, about, forger, watched)).rejects.toEqual(NOT_VERIFIED);
  });

  test("that has ended goes on in the next one, and what it kept stays", async () => {
    const one = await office();
    const { service } = one;
    const [before] = await one.take((await one.file()).submission);
    const seen = await look(service);
    await one.asked(await one.files(1));
    const { note } = await service.beginClosing();
    for (const name of ["ann", "bob"]) {
      await service.takeClosing(await addSignature(core, note, one.officers.get(name)!));
    }
    const receipts = [{ name: "before.receipt", receipt: before!.receipt }];
    const next = await look(service, seen.watched, { receipts });
    expect(brief(next)).toEqual([
      ["request", expect.any(String)],
      ["authority", 2],
    ]);
    expect(next.sights.map(({ log }) => log)).toEqual([
      service.authority.origin,
      `${service.authority.origin}/2`,
    ]);
    const last = await look(service, next.watched, { receipts });
    expect([last.sights, last.leaves]).toEqual([[], 0]);
    // A checkpoint of the log that ended is none of the one in use.
    const old = { ...filesOf(service), checkpointOf: () => service.checkpointOf(0) };
    await expect(lookAtLog(core, await aboutOf(service), old, undefined)).rejects.toThrow(
      `is one of ${service.authority.origin}`,
    );
  });
});

describe("a log that is not in order", () => {
  let one: Office;
  let about: { file: AuthorityFile; authority: AuthorityService["authority"] };
  let watched: Watched;
  let receipt: Receipt;
  let forger: Forger;
  beforeAll(async () => {
    one = await office();
    const [taken] = await one.take((await one.file()).submission);
    receipt = taken!.receipt;
    about = await aboutOf(one.service);
    watched = (await look(one.service)).watched;
  });
  const forge = async () => {
    forger = await Forger.of(one);
  };
  const again = (options: LookOptions = {}) => lookAtLog(core, about, forger, watched, options);
  const rejecting = (message: RegExp) =>
    expect.objectContaining({ code: "NOT_VERIFIED", message: expect.stringMatching(message) });

  test("because it shrank", async () => {
    await forge();
    forger.leaves.pop();
    await expect(again()).rejects.toEqual(
      rejecting(/rolled back: it has 2 leaves, but 3 were seen/),
    );
    forger.leaves.length = 0;
    await expect(again()).rejects.toEqual(NOT_VERIFIED);
  });

  test("because it has another leaf at the same size, or goes on from one", async () => {
    await forge();
    const last = forger.leaves[2]!;
    forger.leaves[2] = leafAt(timeOf(String(last)), {
      type: "enrol",
      owner: bytes32("o"),
      control: bytes32("c"),
    });
    await expect(again()).rejects.toEqual(rejecting(/forked or rewritten/));
    forger.leaves.push(last);
    await expect(again()).rejects.toEqual(rejecting(/forked or rewritten/));
  });

  test("because the leaves that it shows are not those that it signed", async () => {
    await forge();
    const [first, second, third] = forger.leaves as [string, string, string];
    const unknown = third.replace("type escrow", "type later");
    const hidden = leafAt(timeOf(third), {
      type: "enrol",
      owner: bytes32("o"),
      control: bytes32("c"),
    });
    forger.leaves.push(hidden);
    for (const shown of [
      [first, second, third, unknown],
      [first, second, hidden, third],
      [first, second, third],
      [first, second, third, hidden, hidden],
      [first, second, third, ""],
    ]) {
      forger.shown = shown.slice();
      if (shown.length > 4)
        forger.entries = async () => Forger.prototype.entries.call(forger, 0, 0, 5);
      await expect(again()).rejects.toEqual(NOT_VERIFIED);
      forger.entries = Forger.prototype.entries;
    }
    forger.shown = undefined;
    expect((await again()).leaves).toBe(1);
  });

  test("because another key signed it, or it is another log's", async () => {
    const other = await Forger.of(await office());
    await expect(lookAtLog(core, about, other, watched)).rejects.toEqual(NOT_VERIFIED);
  });

  test("because its clock is ahead", async () => {
    await forge();
    const now = new Date();
    const seconds = Math.floor(now.getTime() / 1000);
    const later = (by: number) =>
      leafAt(seconds + by, { type: "enrol", owner: bytes32("o"), control: bytes32("c") });
    forger.leaves.push(later(299));
    expect((await again({ now })).sights).toHaveLength(1);
    forger.leaves.push(later(302), later(400));
    const { sights } = await again({ now });
    expect(sights.filter(({ alarm }) => alarm !== undefined)).toMatchObject([
      { type: "clock", index: 4, alarm: expect.stringContaining("(and 1 more)") },
    ]);
    // Times that go back.
    forger.leaves.push(later(350));
    expect((await again({ now })).sights.filter(({ alarm }) => alarm !== undefined)).toHaveLength(
      2,
    );
  });

  test("because keys went out that nobody may have asked for, or too early, or too late", async () => {
    await forge();
    const seconds = timeOf(String(forger.leaves.at(-1)));
    const policy = bytes32("policy");
    const request = (name: string) => ({
      type: "request",
      request: bytes32(name),
      policy,
      expires: new Date((seconds + 100) * 1000),
      notbefore: new Date((seconds + 10) * 1000),
      owners: [bytes32("somebody")],
    });
    const release = (name: string, basis: "quorum" | "emergency") => ({
      type: "release",
      record: bytes32("record"),
      owner: bytes32("somebody"),
      request: bytes32(name),
      policy,
      approvals: bytes32("approvals"),
      recipient: bytes32("recipient"),
      basis,
    });
    forger.leaves.push(
      leafAt(seconds, release("unknown", "emergency")),
      leafAt(seconds, request("early")),
      leafAt(seconds + 9, release("early", "quorum")),
      leafAt(seconds + 9, release("early", "emergency")),
      leafAt(seconds + 10, release("early", "quorum")),
      leafAt(seconds + 99, release("early", "quorum")),
      leafAt(seconds + 100, release("early", "emergency")),
    );
    const now = new Date((seconds + 100) * 1000);
    const { sights } = await again({ now });
    const releases = sights.filter(({ type }) => type === "release");
    expect(releases.map(({ alarm }) => alarm)).toEqual([
      expect.stringContaining("no request"),
      expect.stringContaining("had to wait until"),
      undefined,
      undefined,
      undefined,
      expect.stringContaining("had expired"),
    ]);
    // Whoever watches for an owner is told of it, whosever it is.
    const owner = await again({ now, ownerSecret: bytes32("secret") });
    expect(owner.sights.map(({ alarm }) => typeof alarm)).toEqual(["string", "string", "string"]);
  });

  test("because a leaf is none; one of a later type is told and counted", async () => {
    await forge();
    const last = String(forger.leaves.at(-1));
    const later = last.replace(/^type .*$/m, "type rotate").replace(/^(owner|record) .*\n/gm, "");
    forger.leaves.push(later, "no leaf\n", Buffer.from([0xff, 0xfe]));
    const seen = await again();
    expect(seen.leaves).toBe(3);
    expect(seen.sights).toMatchObject([
      { type: "unknown", name: "rotate", index: 3 },
      { type: "malformed", index: 4, alarm: expect.any(String) },
      { type: "malformed", index: 5, alarm: expect.any(String) },
    ]);
    expect(seen.sights[0]!.alarm).toBeUndefined();
    // They stay in the tree.
    const { watched: after } = seen;
    expect((await lookAtLog(core, about, forger, after)).sights).toEqual([]);
  });

  test("because the leaf of a receipt is not in it", async () => {
    await forge();
    const receipts = [{ name: "my.receipt", receipt }];
    expect((await again({ receipts })).sights).toEqual([]);
    // A log that goes on is compared by a proof.
    forger.leaves.push(String(forger.leaves.at(-1)));
    expect((await again({ receipts })).sights.filter(({ alarm }) => alarm !== undefined)).toEqual(
      [],
    );
    // Whoever saw nothing of it before has nothing but the receipt.
    forger.leaves[2] = String(forger.leaves[0]);
    const fresh = await lookAtLog(core, about, forger, undefined, { receipts });
    expect(fresh.sights.at(-1)).toMatchObject({
      type: "receipt",
      alarm: expect.stringContaining("my.receipt"),
    });
    forger.leaves.length = 2;
    const short = await lookAtLog(core, about, forger, undefined, { receipts });
    expect(short.sights.at(-1)).toMatchObject({
      type: "receipt",
      alarm: expect.stringMatching(/it has 2 leaves, but signed 3/),
    });
  });

  test("because what was seen is not kept", async () => {
    const lost = await office();
    await lost.files(1);
    const forged = await Forger.of(lost);
    // Somebody saw a leaf, and hid it from the authority's officers.
    forged.leaves.push(String(forged.leaves[0]));
    const before = await lookAtLog(core, await aboutOf(lost.service), forged, undefined);
    const { note } = await lost.service.beginClosing();
    for (const name of ["ann", "bob"]) {
      await lost.service.takeClosing(await addSignature(core, note, lost.officers.get(name)!));
    }
    const { sights, watched: after } = await look(lost.service, before.watched);
    expect(sights[0]).toMatchObject({
      type: "lost",
      alarm: expect.stringMatching(/kept 3 leaves, but 4 were seen/),
    });
    expect((await look(lost.service, after)).sights).toEqual([]);
  });
});

test("what is kept between two looks is read as it was written, or refused", async () => {
  const one = await office();
  await one.asked(await one.files(1));
  const { watched } = await look(one.service);
  expect(watched.requests).toHaveLength(1);
  const text = Buffer.from(encodeWatched(watched)).toString();
  for (const [from, to] of [
    ['"size":4', '"size":1'],
    ['"whole":0', '"whole":3'],
    ["twinwrap/watch/v1", "twinwrap/watch/v2"],
    ['"theirs":1', '"theirs":2'],
    ['"logs":[', '"logs":[{},'],
  ] as const) {
    expect(text).toContain(from);
    const changed = Buffer.from(text.replace(from, to));
    if (from === '"size":4') {
      // It is a state that never was: the next look finds out.
      const state = decodeWatched(changed);
      await expect(look(one.service, state)).rejects.toEqual(NOT_VERIFIED);
    } else expect(() => decodeWatched(changed), to).toThrow(failing("BAD_FORMAT"));
  }
});
