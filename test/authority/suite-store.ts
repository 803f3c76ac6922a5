import { randomBytes } from "node:crypto";
import type { Page, RecordStatus } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  Candidate,
  LogHead,
  NewEvent,
  ReceiverRow,
  RecordRow,
  ReleaseRow,
  RequestRow,
  Store,
  StoreWrites,
  TokenRow,
} from "#build/authority/store/store.js";

// What every store must do, whatever it is made of.

const bytes = (length: number) => new Uint8Array(randomBytes(length));

const time = (text: string) => new Date(`${text}T12:00:00Z`);

function recordRow(fields: Partial<RecordRow> = {}): RecordRow {
  return {
    hash: bytes(32),
    owner: "alice",
    serial: bytes(16),
    description: undefined,
    label: undefined,
    created: time("2026-01-31"),
    record: bytes(300),
    status: "unverified",
    escrowLeaf: undefined,
    verifiedLeaf: undefined,
    ...fields,
  };
}

function candidate(fingerprint = bytes(32)): Candidate {
  return { tag: bytes(32), wrap: { fingerprint, padding: "oaep", simpleBlob: bytes(268) } };
}

const DRAFT = { announceLeaf: undefined, leaf: undefined };

const byTag = (...all: Candidate[]) => all.sort((a, b) => Buffer.compare(a.tag!, b.tag!));
const byHash = <Row extends { hash: Uint8Array }>(...all: Row[]) =>
  all.sort((a, b) => Buffer.compare(a.hash, b.hash));

function requestRow(fields: Partial<RequestRow> = {}): RequestRow {
  return {
    hash: bytes(32),
    id: bytes(13).reduce((text, byte) => text + (byte % 36).toString(36), "id-"),
    bytes: bytes(200),
    status: "open",
    expires: time("2026-03-01"),
    leaf: 0,
    ...fields,
  };
}

function receiverRow(fields: Partial<ReceiverRow> = {}): ReceiverRow {
  return {
    id: Buffer.from(bytes(8)).toString("hex"),
    role: "operator",
    name: undefined,
    means: "mail",
    address: "ops@example.org",
    secret: undefined,
    created: time("2026-02-01"),
    ...fields,
  };
}

function newEvent(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    id: `evt_${Buffer.from(bytes(16)).toString("hex")}`,
    kind: "request",
    time: time("2026-02-02"),
    content: '{"request":"é"}',
    owners: [],
    officers: [],
    ...fields,
  };
}

/** Puts rows together with the leaves that they stand on; what the leaves say does not matter here. */
class Filler {
  constructor(readonly store: Store) {}

  /** Does `work` with a function that appends a leaf and gives its index. */
  async write<T>(
    work: (writes: StoreWrites, leaf: () => Promise<number>) => Promise<T>,
  ): Promise<T> {
    return this.store.write((writes) => {
      const append = async () => {
        const size = (await writes.head())?.size ?? 0;
        await writes.extendLog(size, [`leaf ${size}\n`], [], headOf(size + 1));
        return size;
      };
      return work(writes, append);
    });
  }

  /** A row that is not in the store yet, but its leaf is. */
  request(fields: Partial<RequestRow> = {}): Promise<RequestRow> {
    return this.write(async (_, leaf) => requestRow({ leaf: await leaf(), ...fields }));
  }

  record(fields: Partial<RecordRow> = {}, ...candidates: Candidate[]): Promise<RecordRow> {
    return this.write(async (writes, leaf) => {
      const row = recordRow({ escrowLeaf: await leaf(), ...fields });
      if (["verified", "released"].includes(row.status)) row.verifiedLeaf = await leaf();
      if ((await writes.ownerSecrets([row.owner]))[0] === undefined) {
        await writes.insertOwners([{ owner: row.owner, secret: bytes(32) }]);
      }
      await writes.insertRecords([row]);
      await writes.addCandidates(candidates.map((one) => ({ record: row.hash, ...one })));
      return row;
    });
  }
}

function headOf(size: number): LogHead {
  return { log: 0, size, root: bytes(32), checkpoint: `example.org/log\n${size}\n` };
}

export function storeSuite(name: string, open: () => Promise<Store>): void {
  describe(`the store of ${name}`, () => {
    let store: Store;
    let filler: Filler;
    const candidatesOf = async ({ hash }: RecordRow) => (await store.candidatesOf([hash]))[0];
    beforeAll(async () => {
      store = await open();
      filler = new Filler(store);
    });
    afterAll(() => store.close());

    test("settings come, change and go", async () => {
      const notes = await store.notesVersion();
      const both = async () => [
        await store.setting("fence"),
        (await store.notesAndSetting("fence")).setting,
      ];
      expect(await both()).toEqual([undefined, undefined]);
      await store.write((writes) => writes.setSetting("fence", "up"));
      await store.write((writes) => writes.setSetting("fence", "higher"));
      expect(await both()).toEqual(["higher", "higher"]);
      expect(await store.notesAndSetting("fence")).toEqual({ notes, setting: "higher" });
      await store.write((writes) => writes.setSetting("fence", undefined));
      expect(await both()).toEqual([undefined, undefined]);
    });

    test("nothing is wrong with it, as far as the database can tell", async () => {
      expect((await store.check()) ?? []).toEqual([]);
    });

    test("the log's head moves only from where it is", async () => {
      const before = (await store.head())?.size ?? 0;
      const head = headOf(before + 2);
      const nodes = [
        { level: 0, index: 1_000_000, hash: bytes(32) },
        { level: 40, index: 2, hash: bytes(32) },
      ];
      const leaves = ["é\n", "x".repeat(4096)];
      await store.write((writes) => writes.extendLog(before, leaves, nodes, head));
      expect(await store.head()).toEqual(head);
      expect(await store.checkpointOf(before)).toEqual(head);
      expect(await store.checkpointOf(before + 1)).toEqual(head);
      expect(await store.checkpointOf(before + 2)).toBeUndefined();
      expect(await store.leavesAt([before + 2, before + 1, before])).toEqual([
        undefined,
        leaves[1],
        leaves[0],
      ]);
      expect(await store.leaves(before, 100)).toEqual(leaves);
      expect(await store.leaves(before + 1, 1)).toEqual([leaves[1]]);
      expect(await store.nodes(0, [nodes[1]!, { level: 41, index: 2 }, nodes[0]!])).toEqual([
        nodes[1]!.hash,
        undefined,
        nodes[0]!.hash,
      ]);
      const stale = store.write((writes) =>
        writes.extendLog(before, ["x"], [], headOf(before + 1)),
      );
      await expect(stale).rejects.toMatchObject({ code: "CONFLICT" });
      const next = headOf(before + 3);
      await store.write((writes) => writes.extendLog(before + 2, ["x"], [], next));
      expect(await store.checkpointOf(before + 1)).toEqual(head);
      expect(await store.checkpoints(0, before, 10)).toEqual([head, next]);
      expect(await store.checkpoints(0, before + 2, 10)).toEqual([next]);
      expect(await store.head()).toEqual(next);
    });

    test("a record comes back as it went in, once", async () => {
      const row = await filler.record({ description: "Ledger “2025”" });
      expect(await store.record(row.hash)).toEqual(row);
      expect(await store.record(bytes(32))).toBeUndefined();
      const again = store.write((writes) => writes.insertRecords([{ ...row, serial: bytes(16) }]));
      await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
      expect(await store.record(row.hash)).toEqual(row);
    });

    test("a record stands on its newest leaf, under the first checkpoint over that", async () => {
      const row = await filler.record({});
      const before = (await store.recordLeaf(row.hash))!;
      expect(before.leaf).toBe(row.escrowLeaf);
      const verifiedLeaf = await filler.write(async (writes, leaf) => {
        const index = await leaf();
        await writes.updateRecords([{ hash: row.hash, status: "verified", verifiedLeaf: index }]);
        return index;
      });
      await filler.record({});
      for (const leaf of [before.leaf, verifiedLeaf]) {
        expect(leaf === before.leaf ? before : await store.recordLeaf(row.hash)).toEqual({
          leaf,
          text: `leaf ${leaf}\n`,
          head: await store.checkpointOf(leaf),
        });
      }
      expect(verifiedLeaf).toBeGreaterThan(before.leaf);
      expect(await store.recordLeaf(bytes(32))).toBeUndefined();
    });

    test("wraps stand side by side until one is kept", async () => {
      const [one, other] = [candidate(), candidate()];
      const row = await filler.record({}, one, other, one);
      expect(await candidatesOf(row)).toEqual(byTag(one, other));
      const wrong = candidate();
      await store.write(async (writes) => {
        await writes.addCandidates([{ record: row.hash, ...wrong }]);
        await writes.dropCandidates([{ record: row.hash, ...wrong }]);
      });
      expect(await candidatesOf(row)).toEqual(byTag(one, other));
      await filler.write(async (writes, leaf) => {
        const verifiedLeaf = await leaf();
        await writes.updateRecords([{ hash: row.hash, status: "verified", verifiedLeaf }]);
        await writes.keepCandidates([{ record: row.hash, ...other }]);
      });
      expect(await candidatesOf(row)).toEqual([other]);
      expect(await store.record(row.hash)).toMatchObject({
        status: "verified",
        escrowLeaf: row.escrowLeaf,
        verifiedLeaf: expect.any(Number),
      });
    });

    test("a record that nobody proves has a wrap without a tag, once, and never verifies", async () => {
      const wrap = { tag: undefined, wrap: candidate().wrap };
      const fields = { status: "unproven" as const, label: "№ 17" };
      const row = await filler.record(fields, wrap, wrap);
      expect(await store.record(row.hash)).toEqual(row);
      expect(await candidatesOf(row)).toEqual([wrap]);
      expect((await store.records({ status: "unproven" })).rows).toEqual([row]);
      const verify = filler.write(async (writes, leaf) =>
        writes.updateRecords([{ hash: row.hash, status: "unproven", verifiedLeaf: await leaf() }]),
      );
      await expect(verify).rejects.toThrow();
      await filler.write((writes) =>
        writes.updateRecords([{ hash: row.hash, status: "released", verifiedLeaf: undefined }]),
      );
      const released = { ...row, status: "released" };
      expect(await store.record(row.hash)).toEqual(released);
      await store.write((writes) => writes.dropCandidates([{ record: row.hash, ...wrap }]));
      expect(await candidatesOf(row)).toEqual([]);
      await store.write((writes) => writes.addCandidates([{ record: row.hash, ...wrap }]));
    });

    test("a record is found by the RSA block of a wrap, whatever stands before it", async () => {
      const block = bytes(256);
      const wrapOf = (head: Uint8Array): Candidate => {
        const simpleBlob = new Uint8Array([...head, ...block]);
        return { tag: bytes(32), wrap: { ...candidate().wrap, simpleBlob } };
      };
      const withBlock = async (block: Uint8Array, except: Uint8Array = bytes(32)) =>
        (await store.recordsWithBlocks([{ block, except }]))[0];
      expect(await withBlock(block)).toBeUndefined();
      const first = await filler.record({}, candidate(), wrapOf(bytes(12)));
      expect(await withBlock(block)).toEqual(first);
      expect(await withBlock(block, first.hash)).toBeUndefined();
      // One that was verified comes before any number of others.
      const verified = await filler.record({ status: "verified" }, wrapOf(bytes(12)));
      const last = await filler.record({}, wrapOf(bytes(12)));
      expect(await withBlock(block)).toEqual(verified);
      expect(await withBlock(block, last.hash)).toEqual(verified);
      expect(await withBlock(block.subarray(1))).toBeUndefined();
    });

    test("requests, approvals and releases", async () => {
      const record = await filler.record({ status: "verified" });
      const request = await filler.request();
      const approval = {
        hash: bytes(32),
        request: request.hash,
        note: "yes\n",
        denialLeaf: undefined,
      };
      const denial = await filler.write(async (writes, leaf) => {
        await writes.insertRequest(request);
        await writes.insertApproval(approval);
        const no = {
          hash: bytes(32),
          request: request.hash,
          note: "no\n",
          denialLeaf: await leaf(),
        };
        await writes.insertApproval(no);
        return no;
      });
      expect(await store.request(request.hash)).toEqual(request);
      expect(await store.requestById(request.id)).toEqual(request);
      expect(await store.requestById("other")).toBeUndefined();
      expect(await store.approvals(request.hash)).toEqual(
        byHash<{ hash: Uint8Array }>(approval, denial),
      );
      expect(await store.approvals(bytes(32))).toEqual([]);
      for (const twice of [
        (writes: StoreWrites) => writes.insertRequest({ ...request, id: "another" }),
        (writes: StoreWrites) =>
          writes.insertRequest({ ...requestRow({ leaf: 1 }), id: request.id }),
        (writes: StoreWrites) => writes.insertApproval({ ...approval, note: "other\n" }),
      ]) {
        await expect(store.write(twice)).rejects.toMatchObject({ code: "CONFLICT" });
      }

      const release = await filler.write(async (writes, leaf) => {
        const row: ReleaseRow = {
          request: request.hash,
          record: record.hash,
          wrap: candidate().wrap,
          leaf: await leaf(),
        };
        await writes.insertReleases([row]);
        await writes.setRequestStatus(request.hash, "released");
        return row;
      });
      expect(await store.releases(request.hash)).toEqual([release]);
      expect(await store.request(request.hash)).toEqual({ ...request, status: "released" });
      const second = filler.write(async (writes, leaf) =>
        writes.insertReleases([{ ...release, wrap: candidate().wrap, leaf: await leaf() }]),
      );
      await expect(second).rejects.toMatchObject({ code: "CONFLICT" });

      const others = [await filler.request(), await filler.request()];
      await store.write(async (writes) => {
        for (const row of others) await writes.insertRequest(row);
      });
      const expected = [...others.reverse(), request];
      const newest = await store.requests({}, { limit: 2 });
      expect(newest.rows.map((row) => row.id)).toEqual(expected.slice(0, 2).map((row) => row.id));
      const rest = await store.requests({}, { limit: 10, cursor: newest.next! });
      expect(rest.rows.map((row) => row.id)).toEqual([expected[2]!.id]);
      expect(rest.next).toBeUndefined();
      expect((await store.requests({ status: "released" })).rows.map((row) => row.id)).toEqual([
        request.id,
      ]);
      // Expired is what has no second left.
      const { expires } = request;
      const earlier = new Date(expires.getTime() - 1000);
      for (const [query, count] of [
        [{}, 3],
        [{ status: "open" as const }, 2],
        [{ after: expires }, 0],
        [{ after: earlier }, 3],
        [{ until: expires, status: "released" as const }, 1],
        [{ until: earlier }, 0],
      ] as const) {
        expect([query, await store.countRequests(query)]).toEqual([query, count]);
        expect((await store.requests(query)).rows).toHaveLength(count);
      }
    });

    test("a record is found by the RSA block of a wrap in which it was released", async () => {
      const [block, other] = [bytes(256), bytes(256)];
      const wrapOf = (block: Uint8Array) => ({
        ...candidate().wrap,
        simpleBlob: new Uint8Array([...bytes(12), ...block]),
      });
      const row = await filler.record({ status: "verified" }, candidate());
      const held = await filler.record({}, { ...candidate(), wrap: wrapOf(other) });
      for (let i = 0; i < 2; i++) {
        const request = await filler.request();
        await filler.write(async (writes, leaf) => {
          await writes.insertRequest(request);
          const about = { request: request.hash, record: row.hash };
          await writes.insertReleases([{ ...about, wrap: wrapOf(block), leaf: await leaf() }]);
        });
      }
      const found = await store.recordsWithBlocks([
        { block, except: bytes(32) },
        { block, except: row.hash },
        { block: other, except: bytes(32) },
        { block: block.subarray(1), except: bytes(32) },
      ]);
      expect(found).toEqual([row, undefined, held, undefined]);
    });

    test("policies and identities get their signatures and their leaf, and nothing else", async () => {
      for (const [put, list] of [
        ["putPolicy", "policies"],
        ["putIdentity", "identities"],
      ] as const) {
        const first = { number: 1, hash: bytes(32), note: "first\n", ...DRAFT };
        const second = { number: 2, hash: bytes(32), note: "second\n", ...DRAFT };
        await store.write(async (writes) => {
          await writes[put](second);
          await writes[put](first);
        });
        expect(await store[list]()).toEqual([first, second]);
        const signed = await filler.write(async (writes, leaf) => {
          const row = { ...first, note: "first\n\n— a signature\n", leaf: await leaf() };
          await writes[put](row);
          return row;
        });
        expect(await store[list]()).toEqual([signed, second]);
      }
      const twice = (put: "putPolicy" | "putIdentity") =>
        filler.write(async (writes, leaf) =>
          writes[put]({ number: 1, hash: bytes(32), note: "x\n", ...DRAFT, leaf: await leaf() }),
        );
      await expect(twice("putPolicy")).rejects.toMatchObject({ code: "CONFLICT" });
      await expect(twice("putIdentity")).rejects.toMatchObject({ code: "CONFLICT" });
    });

    test("what was rolled back leaves no version of the notes to what comes later", async () => {
      const draft = () => ({ number: 6, hash: bytes(32), note: "draft\n", ...DRAFT });
      const versions = [await store.notesVersion()];
      for (const isKept of [false, true, false, true]) {
        const written = store.write(async (writes) => {
          await writes.putPolicy(draft());
          versions.push(await writes.notesVersion());
          if (!isKept) throw new Error("on purpose");
        });
        await written.catch(() => {});
        expect(await store.notesVersion()).toBe(versions.at(isKept ? -1 : -2));
        expect((await store.notesAndSetting("fence")).notes).toBe(await store.notesVersion());
        if (!isKept) versions.push(await store.notesVersion());
      }
      expect(new Set(versions).size).toBe(5);
      await store.write((writes) => writes.dropDrafts());
    });

    test("drafts of one policy stand side by side until one is in force", async () => {
      const draft = () => ({ number: 7, hash: bytes(32), note: "draft\n", ...DRAFT });
      const [one, other] = [draft(), draft()];
      await store.write(async (writes) => {
        await writes.putPolicy(one);
        await writes.putPolicy(other);
      });
      const all = async () => (await store.policies()).filter(({ number }) => number === 7);
      expect(await all()).toEqual(byHash(one, other));
      const signed = await filler.write(async (writes, leaf) => {
        await writes.dropDrafts();
        const row = { ...other, leaf: await leaf() };
        await writes.putPolicy(row);
        return row;
      });
      expect(await all()).toEqual([signed]);
    });

    test("an announced policy keeps its leaf; vetoes and enrolments stand on theirs", async () => {
      const note = { number: 9, hash: bytes(32), note: "announced\n" };
      const request = await filler.request();
      const [policy, veto, ...enrolments] = await filler.write(async (writes, leaf) => {
        const row = { ...note, announceLeaf: await leaf(), leaf: undefined };
        await writes.putPolicy(row);
        await writes.insertRequest(request);
        const hash = bytes(32);
        const no = { hash, request: request.hash, note: "no\n", leaf: await leaf() };
        await writes.insertVeto(no);
        await writes.insertOwners([{ owner: "enrolled", secret: bytes(32) }]);
        const keys = [];
        for (let i = 0; i < 2; i++) {
          keys.push({ owner: "enrolled", control: bytes(32), leaf: await leaf() });
        }
        for (const key of [...keys].reverse()) await writes.insertEnrolment(key);
        return [row, no, ...keys] as const;
      });
      expect((await store.policies()).filter(({ number }) => number === 9)).toEqual([policy]);
      expect(await store.vetoes(request.hash)).toEqual([veto]);
      expect(await store.vetoes(bytes(32))).toEqual([]);
      expect(await store.enrolments(["nobody", "enrolled"])).toEqual([[], enrolments]);
      expect(await store.allEnrolments()).toEqual(enrolments);
      const from = policy.announceLeaf;
      expect(await store.entries(from, from + 3)).toEqual([
        { leaf: from, type: "announce", row: policy },
        { leaf: veto.leaf, type: "veto", row: veto },
        { leaf: from + 2, type: "enrol", row: enrolments[0] },
      ]);
      const again = store.write((writes) => writes.insertVeto(veto));
      await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
      // Its announcement stands in the log for good.
      await store.write((writes) => writes.dropDrafts());
      expect((await store.policies()).filter(({ number }) => number === 9)).toEqual([policy]);
    });

    test("a snapshot stays as it was, whatever is written meanwhile", async () => {
      await store.write((writes) => writes.setSetting("moment", "before"));
      await store.snapshot(async (reads) => {
        expect(await reads.setting("moment")).toBe("before");
        await store.write((writes) => writes.setSetting("moment", "after"));
        expect(await reads.setting("moment")).toBe("before");
      });
      expect(await store.setting("moment")).toBe("after");
    });

    test("a text with U+0000 is refused, wherever it stands", async () => {
      const refused = expect.objectContaining({ code: "BAD_ARGUMENT" });
      for (const work of [
        () => store.setting("a\0b"),
        () => store.records({ text: "led\0ger" }),
        () => store.records({ owner: "olivia\0" }),
        () => store.write((writes) => writes.setSetting("a", "b\0")),
      ]) {
        await expect(work()).rejects.toEqual(refused);
      }
      await store.write((writes) => writes.setSetting("a", "b"));
    });

    test("an owner has one secret", async () => {
      const secret = bytes(32);
      await store.write((writes) => writes.insertOwners([{ owner: "bob", secret }]));
      expect(await store.ownerSecrets(["Bob", "bob"])).toEqual([undefined, secret]);
      const again = store.write((writes) =>
        writes.insertOwners([{ owner: "bob", secret: bytes(32) }]),
      );
      await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
    });

    test("tokens are found by their hash alone, and revoked once and for good", async () => {
      const token = (fields: Partial<TokenRow> = {}): TokenRow => ({
        hash: bytes(32),
        scopes: ["submit", "recover"],
        owner: undefined,
        created: time("2026-01-02"),
        expires: undefined,
        revoked: undefined,
        ...fields,
      });
      const rows = [
        token({ created: time("2026-01-01"), owner: "Ångström 'x' \"y\"", scopes: ["admin"] }),
        token({ expires: time("2999-12-31") }),
        token({ created: time("2026-01-03"), revoked: time("2026-01-04"), scopes: ["read"] }),
      ];
      expect(await store.tokens()).toEqual([]);
      expect(await store.token(rows[0]!.hash)).toBeUndefined();
      await store.write(async (writes) => {
        for (const row of [...rows].reverse()) await writes.insertToken(row);
        expect(await writes.token(rows[1]!.hash)).toEqual(rows[1]);
      });
      expect(await store.tokens()).toEqual(rows);
      for (const row of rows) expect(await store.token(row.hash)).toEqual(row);
      expect(await store.token(bytes(32))).toBeUndefined();
      const again = store.write((writes) => writes.insertToken(rows[0]!));
      await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
      const revoked = time("2026-02-01");
      await store.write((writes) => writes.revokeToken(rows[0]!.hash, revoked));
      await store.write((writes) => writes.revokeToken(rows[0]!.hash, time("2026-03-01")));
      await store.write((writes) => writes.revokeToken(rows[2]!.hash, time("2026-03-01")));
      await store.write((writes) => writes.revokeToken(bytes(32), revoked));
      expect(await store.tokens()).toEqual([{ ...rows[0]!, revoked }, rows[1], rows[2]]);
      await expect(
        store.write(async (writes) => {
          await writes.insertToken(token());
          throw new Error("not now");
        }),
      ).rejects.toThrow("not now");
      expect(await store.tokens()).toHaveLength(3);
    });

    test("the largest checkpoint from outside counts", async () => {
      expect(await store.seenCheckpoint()).toBeUndefined();
      const [old, newest] = [headOf(5), headOf(9)];
      await store.write(async (writes) => {
        await writes.addSeenCheckpoint(newest);
        await writes.addSeenCheckpoint(old);
      });
      expect(await store.seenCheckpoint()).toEqual(newest);
    });

    test("every row says which leaf it stands on", async () => {
      const request = await filler.request();
      const from = (await store.head())!.size;
      const record = await filler.record({ status: "verified" });
      const [release, denial] = await filler.write(async (writes, leaf) => {
        await writes.insertRequest(request);
        const released = { request: request.hash, record: record.hash, wrap: candidate().wrap };
        const row = { ...released, leaf: await leaf() };
        await writes.insertReleases([row]);
        const no = {
          hash: bytes(32),
          request: request.hash,
          note: "no\n",
          denialLeaf: await leaf(),
        };
        await writes.insertApproval(no);
        return [row, no] as const;
      });
      const rows = await store.entries(from, from + 4);
      expect(rows).toEqual([
        { leaf: from, type: "escrow", row: record, isReleased: true },
        { leaf: from + 1, type: "verified", row: record, isReleased: true },
        { leaf: release.leaf, type: "release", row: release },
        { leaf: denial.denialLeaf, type: "denial", row: denial },
      ]);
      expect(await store.entries(from + 1, from + 2)).toEqual([rows[1]]);
      const note = { number: 8, hash: bytes(32), note: "n\n", announceLeaf: undefined };
      const [policy, identity] = await filler.write(async (writes, leaf) => {
        const both = [
          { ...note, leaf: await leaf() },
          { ...note, leaf: await leaf() },
        ] as const;
        await writes.putPolicy(both[0]);
        await writes.putIdentity(both[1]);
        return both;
      });
      expect(await store.entries(from + 4, from + 6)).toEqual([
        { leaf: from + 4, type: "policy", row: policy },
        { leaf: from + 5, type: "authority", row: identity },
      ]);
    });

    describe("events and their deliveries", () => {
      const NOON = time("2026-02-02");
      const later = (ms: number) => new Date(NOON.getTime() + ms);
      const put = async (...rows: ReceiverRow[]) => {
        await store.write(async (writes) => {
          for (const row of await writes.receivers()) await writes.removeReceiver(row.id);
          for (const row of rows) await writes.insertReceiver(row);
        });
      };
      const happen = (...events: NewEvent[]) =>
        store.write(async (writes) => {
          for (const event of events) await writes.addEvent(event);
        });
      const waiting = async (receiver?: ReceiverRow) =>
        (await store.deliveries("waiting", 100, receiver?.id)).map(({ event }) => event.id);

      test("receivers come, change and go, with what waits for them", async () => {
        const hook = receiverRow({ means: "webhook", secret: bytes(32), created: NOON });
        const ann = receiverRow({ role: "officer", name: "ann", address: "ann@example.org" });
        await put(hook, ann);
        expect(await store.receivers()).toEqual([ann, hook]);
        const again = store.write((writes) => writes.insertReceiver(ann));
        await expect(again).rejects.toMatchObject({ code: "CONFLICT" });
        await happen(newEvent({ officers: ["ann"] }));
        await store.write((writes) => writes.setReceiverAddress(ann.id, "ann@example.net"));
        const [delivery] = await store.deliveries("waiting", 1, ann.id);
        expect(delivery!.receiver).toEqual({ ...ann, address: "ann@example.net" });
        await store.write((writes) => writes.removeReceiver(ann.id));
        expect(await store.receivers()).toEqual([hook]);
        expect(await waiting(ann)).toEqual([]);
        expect(await waiting()).toHaveLength(1);
      });

      test("an event goes to operators, to the officers it names, and to its owners alone", async () => {
        const role = "owner" as const;
        const [ops, ann, bob] = [
          receiverRow(),
          receiverRow({ role: "officer", name: "ann" }),
          receiverRow({ role: "officer", name: "bob" }),
        ];
        const [olivia, oscar, namesake] = [
          receiverRow({ role, name: "olivia" }),
          receiverRow({ role, name: "oscar" }),
          receiverRow({ role, name: "ann" }),
        ];
        await put(ops, ann, bob, olivia, oscar, namesake);
        const many = Array.from({ length: 150 }, (_, i) => `owner ${i}`);
        const events = [
          newEvent({ officers: ["ann"], owners: ["olivia", "olivia", ...many] }),
          newEvent({ officers: undefined }),
          newEvent({ officers: ["nobody", ...many] }),
        ] as const;
        await happen(...events);
        const [first, all, none] = events.map(({ id }) => id);
        expect(await waiting(ops)).toEqual([first, all, none]);
        expect(await waiting(ann)).toEqual([first, all]);
        expect(await waiting(bob)).toEqual([all]);
        expect(await waiting(olivia)).toEqual([first]);
        expect(await waiting(oscar)).toEqual([]);
        expect(await waiting(namesake)).toEqual([]);
        const [delivery] = await store.deliveries("waiting", 1);
        const { owners: _, officers: __, ...event } = events[0];
        expect(delivery).toMatchObject({ event, state: "waiting", attempts: 0, due: NOON });
        expect(delivery!.reason).toBeUndefined();
        const concerned = await store.eventOwners(delivery!.event.number);
        expect(concerned).toEqual([...many, "olivia"].sort());
      });

      test("an event that is there, or whose transaction fails, is not told", async () => {
        await put(receiverRow());
        const event = newEvent();
        await happen(event);
        await expect(happen(event)).rejects.toMatchObject({ code: "CONFLICT" });
        const failed = store.write(async (writes) => {
          await writes.addEvent(newEvent());
          throw new Error("no");
        });
        await expect(failed).rejects.toThrow("no");
        expect(await waiting()).toEqual([event.id]);
      });

      test("the numbers of events go up, also between many writers", async () => {
        await put(receiverRow());
        const events = Array.from({ length: 20 }, () => newEvent());
        await Promise.all(events.map((event) => happen(event)));
        const told = await store.deliveries("waiting", 100);
        const numbers = told.map(({ event }) => event.number);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(told.map(({ event }) => event.id).sort()).toEqual(events.map(({ id }) => id).sort());
        expect(await store.deliveries("waiting", 3)).toEqual(told.slice(0, 3));
      });

      test("only the first one of a receiver is due, when its time has come", async () => {
        const [a, b] = [receiverRow(), receiverRow({ means: "webhook", secret: bytes(32) })];
        await put(a, b);
        const events = [newEvent(), newEvent(), newEvent()] as const;
        await happen(...events);
        const due = async (now: Date, means: ("mail" | "webhook")[] = ["mail", "webhook"]) =>
          (await store.dueDeliveries(means, now)).map(
            ({ receiver, event }) => `${receiver.id} ${event.id}`,
          );
        const of = ({ id }: ReceiverRow, event: number) => `${id} ${events[event]!.id}`;
        expect(await due(later(-1))).toEqual([]);
        expect((await due(NOON)).sort()).toEqual([of(a, 0), of(b, 0)].sort());
        expect(await due(NOON, ["mail"])).toEqual([of(a, 0)]);
        expect(await due(NOON, [])).toEqual([]);
        const [first] = await store.deliveries("waiting", 1, a.id);
        const name = { receiver: a.id, event: first!.event.number };
        const failure = { state: "waiting", attempts: 1, due: later(500), reason: "é" } as const;
        await store.noteFailed(name, failure);
        // The ones behind it wait with it.
        expect(await due(later(499), ["mail"])).toEqual([]);
        expect(await due(later(500), ["mail"])).toEqual([of(a, 0)]);
        expect(await store.delivery(name)).toMatchObject(failure);
        await store.noteFailed(name, { ...failure, state: "dead", attempts: 2 });
        expect(await due(later(500), ["mail"])).toEqual([of(a, 1)]);
        expect(await store.deliveries("dead", 10)).toMatchObject([{ attempts: 2 }]);
        const second = { receiver: a.id, event: first!.event.number + 1 };
        await store.noteDelivered(second);
        expect(await store.delivery(second)).toBeUndefined();
        expect(await due(NOON, ["mail"])).toEqual([of(a, 2)]);
        await store.write((writes) => writes.retryDelivery(name, later(1)));
        expect(await store.delivery(name)).toMatchObject({
          state: "waiting",
          attempts: 0,
          due: later(1),
          reason: undefined,
        });
        // It comes first again.
        expect(await due(NOON, ["mail"])).toEqual([]);
        expect(await due(later(1), ["mail"])).toEqual([of(a, 0)]);
      });

      test("one process holds a receiver, until it lets go or its time is over", async () => {
        const one = receiverRow();
        await put(one);
        await happen(newEvent());
        const hold = (holder: string, now: number, until: number) =>
          store.holdReceiver(one.id, holder, later(now), later(until));
        const isDue = async (now: number) =>
          (await store.dueDeliveries(["mail"], later(now))).length === 1;
        expect(await hold("a", 0, 100)).toBe(true);
        expect(await hold("b", 99, 200)).toBe(false);
        expect(await isDue(99)).toBe(false);
        expect(await hold("a", 50, 150)).toBe(true);
        expect(await hold("b", 149, 200)).toBe(false);
        expect([await isDue(149), await isDue(150)]).toEqual([false, true]);
        expect(await hold("b", 150, 300)).toBe(true);
        await store.freeReceiver(one.id, "a");
        expect(await hold("a", 151, 300)).toBe(false);
        await store.freeReceiver(one.id, "b");
        expect(await hold("a", 151, 300)).toBe(true);
        expect(await store.holdReceiver("0".repeat(16), "a", NOON, later(1))).toBe(false);
        const both = receiverRow();
        await put(both);
        const held = await Promise.all(
          ["a", "b", "c", "d"].map((who) => store.holdReceiver(both.id, who, NOON, later(9))),
        );
        expect(held.filter(Boolean)).toHaveLength(1);
      });
    });

    test("the log's rows are counted, whatever its head says", async () => {
      const before = await store.logExtent(0);
      const size = (await store.head())!.size;
      const node = { level: 50, index: 1, hash: bytes(32) };
      await store.write((writes) => writes.extendLog(size, ["x"], [node], headOf(size + 1)));
      expect(await store.logExtent(0)).toEqual({
        leaves: before.leaves + 1,
        nodes: before.nodes + 1,
        checkpoints: before.checkpoints + 1,
      });
      // What stands there already was not put there by an append.
      const again = store.write((writes) =>
        writes.extendLog(size + 1, ["x"], [node], headOf(size + 2)),
      );
      await expect(again).rejects.toMatchObject({ code: "FAULT" });
    });

    describe("many rows at once", () => {
      /** More than one statement takes. */
      const MANY = 150;
      const rows: RecordRow[] = [];
      const wraps: Candidate[] = [];
      const owners = Array.from({ length: MANY }, (_, i) => ({
        owner: `one of many ${i}`,
        secret: bytes(32),
      }));
      const backwards = <T>(of: readonly T[]) => [...of].reverse();
      let from: number;

      beforeAll(async () => {
        await store.write(async (writes) => {
          from = (await writes.head())?.size ?? 0;
          const leaves = owners.map(({ owner }) => owner);
          const nodes = owners.map((_, i) => ({ level: 60, index: from + i, hash: bytes(32) }));
          await writes.extendLog(from, leaves, nodes, headOf(from + MANY));
          expect(await writes.nodes(0, backwards(nodes))).toEqual(
            backwards(nodes).map(({ hash }) => hash),
          );
          for (const [i, { owner }] of owners.entries()) {
            rows.push(recordRow({ owner, escrowLeaf: from + i }));
            wraps.push(candidate());
          }
          await writes.insertOwners(owners);
          await writes.insertRecords(rows);
          await writes.addCandidates(rows.map(({ hash }, i) => ({ record: hash, ...wraps[i]! })));
        });
      });

      test("come in the order asked for, what is missing as such, the same twice", async () => {
        const hashes = [bytes(32), ...backwards(rows).map(({ hash }) => hash), rows[3]!.hash];
        expect(await store.recordsByHash(hashes)).toEqual([undefined, ...backwards(rows), rows[3]]);
        expect(await store.candidatesOf(hashes)).toEqual([
          [],
          ...backwards(wraps).map((wrap) => [wrap]),
          [wraps[3]],
        ]);
        // Of three, two are read with one statement and one with another.
        const thrice = [rows[0]!.hash, rows[1]!.hash, rows[0]!.hash];
        expect(await store.candidatesOf(thrice)).toEqual([[wraps[0]], [wraps[1]], [wraps[0]]]);
        const queries = backwards(wraps).map(({ wrap }) => ({
          block: wrap.simpleBlob.subarray(12),
          except: bytes(32),
        }));
        expect(await store.recordsWithBlocks(queries)).toEqual(backwards(rows));
        const names = ["nobody", ...backwards(owners).map(({ owner }) => owner)];
        expect(await store.ownerSecrets(names)).toEqual([
          undefined,
          ...backwards(owners).map(({ secret }) => secret),
        ]);
        expect(await store.leavesAt([from + MANY, from + 149, from + 1])).toEqual([
          undefined,
          owners[149]!.owner,
          owners[1]!.owner,
        ]);
      });

      test("of none ask for nothing", async () => {
        await store.write(async (writes) => {
          const read = [
            "recordsByHash",
            "candidatesOf",
            "recordsWithBlocks",
            "ownerSecrets",
          ] as const;
          for (const name of [...read, "leavesAt", "enrolments"] as const) {
            expect(await writes[name]([])).toEqual([]);
          }
          expect(await writes.nodes(0, [])).toEqual([]);
          for (const name of [
            "insertOwners",
            "insertRecords",
            "updateRecords",
            "addCandidates",
            "keepCandidates",
            "dropCandidates",
            "insertReleases",
          ] as const) {
            await writes[name]([]);
          }
        });
      });

      test("change each by itself", async () => {
        const request = await filler.request();
        const more = candidate();
        const release = await store.write(async (writes) => {
          // The request stands on a leaf too.
          const size = from + MANY + 1;
          const leaves = rows.map((_, i) => `verified ${i}`);
          const head = await writes.head();
          expect(head?.size).toBe(size);
          await writes.extendLog(size, [...leaves, ...leaves], [], headOf(size + 2 * MANY));
          await writes.updateRecords(
            rows.map(({ hash }, i) => ({
              hash,
              status: i % 2 === 0 ? "verified" : "released",
              verifiedLeaf: size + i,
            })),
          );
          await writes.addCandidates(rows.map(({ hash: record }) => ({ record, ...more })));
          await writes.keepCandidates(
            rows.slice(0, 75).map(({ hash: record }, i) => ({ record, ...wraps[i]! })),
          );
          await writes.dropCandidates(
            rows.slice(75).map(({ hash: record }, i) => ({ record, ...wraps[75 + i]! })),
          );
          await writes.insertRequest(request);
          const { wrap } = more;
          const releases = rows.map(({ hash: record }, i) => ({
            request: request.hash,
            record,
            wrap,
            leaf: size + MANY + i,
          }));
          await writes.insertReleases(releases);
          return releases;
        });
        const after = await store.recordsByHash(rows.map(({ hash }) => hash));
        expect(after).toEqual(
          rows.map((row, i) => ({
            ...row,
            status: i % 2 === 0 ? "verified" : "released",
            verifiedLeaf: from + MANY + 1 + i,
          })),
        );
        expect(await store.candidatesOf(rows.map(({ hash }) => hash))).toEqual(
          rows.map((_, i) => [i < 75 ? wraps[i] : more]),
        );
        const given = await store.releases(request.hash);
        expect(given).toHaveLength(MANY);
        expect(new Set(given.map(({ leaf }) => leaf))).toEqual(
          new Set(release.map(({ leaf }) => leaf)),
        );
        // One of them twice: nothing of it is there.
        const fresh = bytes(32);
        const twice = store.write((writes) =>
          writes.insertOwners([{ owner: "fresh", secret: fresh }, owners[7]!]),
        );
        await expect(twice).rejects.toMatchObject({ code: "CONFLICT" });
        expect(await store.ownerSecrets(["fresh"])).toEqual([undefined]);
      });
    });

    describe("transactions", () => {
      test("what fails leaves nothing, and the next one works", async () => {
        const row = recordRow();
        const failing = filler.write(async (writes, leaf) => {
          await writes.insertOwners([{ owner: "carol", secret: bytes(32) }]);
          await writes.insertRecords([{ ...row, owner: "carol", escrowLeaf: await leaf() }]);
          throw new Error("on purpose");
        });
        await expect(failing).rejects.toThrow("on purpose");
        expect(await store.record(row.hash)).toBeUndefined();
        expect(await store.ownerSecrets(["carol"])).toEqual([undefined]);
        await filler.record({ owner: "carol" });
      });

      test("a row without its leaf is not taken", async () => {
        const size = (await store.head())!.size;
        await store.write((writes) => writes.insertOwners([{ owner: "dave", secret: bytes(32) }]));
        const row = recordRow({ owner: "dave", escrowLeaf: size });
        await expect(store.write((writes) => writes.insertRecords([row]))).rejects.toThrow();
        expect(await store.record(row.hash)).toBeUndefined();
      });

      test("a conflict ends one, whatever its work makes of it", async () => {
        await store.write((writes) => writes.insertOwners([{ owner: "erin", secret: bytes(32) }]));
        const going = store.write(async (writes) => {
          await writes.setSetting("ended", "no");
          await writes.insertOwners([{ owner: "erin", secret: bytes(32) }]).catch(() => {});
          await expect(writes.setting("ended")).rejects.toMatchObject({ code: "DISPOSED" });
          const late = writes.setSetting("ended", "not yet");
          await expect(late).rejects.toMatchObject({ code: "DISPOSED" });
        });
        await expect(going).rejects.toMatchObject({ code: "CONFLICT" });
        expect(await store.setting("ended")).toBeUndefined();
      });

      test("nobody sees what is not committed", async () => {
        let seen: unknown = "not looked";
        await store.write(async (writes) => {
          await writes.setSetting("colour", "red");
          expect(await writes.setting("colour")).toBe("red");
          seen = await store.setting("colour");
        });
        expect(seen).toBeUndefined();
        expect(await store.setting("colour")).toBe("red");
      });

      test("they come one after the other, whoever asks", async () => {
        await store.write((writes) => writes.setSetting("count", "0"));
        await Promise.all(
          Array.from({ length: 50 }, () =>
            store.write(async (writes) => {
              const count = Number(await writes.setting("count"));
              await new Promise((resolve) => setImmediate(resolve));
              await writes.setSetting("count", String(count + 1));
            }),
          ),
        );
        expect(await store.setting("count")).toBe("50");
      });

      test("afterwards nothing can be written through them", async () => {
        const kept = await store.write(async (writes) => writes);
        await expect(kept.setSetting("late", "yes")).rejects.toMatchObject({ code: "DISPOSED" });
        expect(await store.setting("late")).toBeUndefined();
      });
    });

    test("that was closed says so, whatever is asked of it", async () => {
      const other = await open();
      await other.close();
      const asked = [
        async () => other.setting("late"),
        async () => other.notesVersion(),
        async () => other.write(async () => {}),
        async () => other.snapshot(async () => {}),
      ];
      for (const ask of asked) await expect(ask()).rejects.toMatchObject({ code: "DISPOSED" });
    });

    describe("search", () => {
      const key = bytes(32);
      const serial = bytes(16);
      const rows: RecordRow[] = [];
      const found = async (query: Parameters<Store["records"]>[0]) =>
        (await store.records({ owner: "searcher", ...query })).rows.map((row) => row.description);

      beforeAll(async () => {
        const add = async (
          description: string | undefined,
          created: string,
          status: RecordStatus = "unverified",
          ...more: Candidate[]
        ) => {
          const fields = { description, created: time(created), status, owner: "searcher" };
          rows.push(await filler.record({ ...fields, serial }, ...more));
        };
        await add("Straße 100%", "2026-01-01");
        await add("strasse_10", "2026-02-01", "verified", candidate(key), candidate(key));
        await add(undefined, "2026-03-01");
        await add("ÉTUDE", "2026-04-01", "verified");
        const request = await filler.request();
        await filler.write(async (writes, leaf) => {
          await writes.insertRequest(request);
          const { wrap } = candidate(key);
          const record = rows[3]!.hash;
          const release = { request: request.hash, record, wrap, leaf: await leaf() };
          await writes.insertReleases([release]);
        });
      });

      test.each([
        ["nothing in particular", {}, ["ÉTUDE", undefined, "strasse_10", "Straße 100%"]],
        ["a serial", { serial }, ["ÉTUDE", undefined, "strasse_10", "Straße 100%"]],
        ["another serial", { serial: bytes(16) }, []],
        ["another owner", { owner: "nobody" }, []],
        ["a key, wrapped for or released to", { fingerprint: key }, ["ÉTUDE", "strasse_10"]],
        ["another key", { fingerprint: bytes(32) }, []],
        ["a status", { status: "unverified" as const }, [undefined, "Straße 100%"]],
        ["a date on", { from: time("2026-02-01") }, ["ÉTUDE", undefined, "strasse_10"]],
        ["before a date", { before: time("2026-02-01") }, ["Straße 100%"]],
        [
          "dates between",
          { from: time("2026-02-01"), before: time("2026-04-01") },
          [undefined, "strasse_10"],
        ],
        ["a text in another case", { text: "STRA" }, ["strasse_10", "Straße 100%"]],
        ["a percent sign", { text: "0%" }, ["Straße 100%"]],
        ["an underscore", { text: "_" }, ["strasse_10"]],
        ["an accent composed otherwise", { text: "e\u0301tude" }, ["ÉTUDE"]],
        ["a text that is SQL", { text: "' OR 1 --" }, []],
        [
          "several things",
          { text: "stra", status: "verified" as const, fingerprint: key },
          ["strasse_10"],
        ],
      ])("by %s", async (_, query, expected) => {
        expect(await found(query)).toEqual(expected);
      });

      test("by a label as by a description, but by nothing across both", async () => {
        const fields = { owner: "labeller", description: "Key of", label: "Ölfeld" };
        const { hash } = await filler.record(fields);
        const hashes = async (text: string) =>
          (await store.records({ owner: "labeller", text })).rows.map((row) => row.hash);
        for (const text of ["KEY", "öLf"]) expect(await hashes(text)).toEqual([hash]);
        for (const text of ["of ölfeld", "ofölfeld"]) expect(await hashes(text)).toEqual([]);
      });

      test("by a text of two characters, too, while there are few records", async () => {
        const fields = { owner: "short", description: "№ 17", label: "7½" };
        const { hash } = await filler.record(fields);
        for (const text of ["17", "½", "№ 17"]) {
          const { rows } = await store.records({ text });
          expect(rows.map((row) => row.hash)).toContainEqual(hash);
        }
        expect((await store.records({ text: "½", status: "released" })).rows).toEqual([]);
      });

      test("by nothing that is no part of a query", async () => {
        const strange = { owner: "searcher", "1 = 1 OR owner": "x" } as never;
        expect((await store.records(strange)).rows).toHaveLength(4);
      });

      test("by a whole label, letter by letter", async () => {
        const { hash } = await filler.record({ label: "No. 4711" });
        await filler.record({ label: "No. 47112" });
        const hashes = async (label: string) =>
          (await store.records({ label })).rows.map((row) => row.hash);
        expect(await hashes("No. 4711")).toEqual([hash]);
        for (const label of ["no. 4711", "4711", ""]) expect(await hashes(label)).toEqual([]);
      });

      test("pages meet, whatever comes meanwhile", async () => {
        const owner = "pager";
        const hashes: Uint8Array[] = [];
        for (let i = 0; i < 7; i++) hashes.unshift((await filler.record({ owner })).hash);
        const pages: Uint8Array[][] = [];
        let cursor: string | undefined;
        do {
          const options = cursor === undefined ? { limit: 3 } : { limit: 3, cursor };
          const page = await store.records({ owner }, options);
          pages.push(page.rows.map((row) => row.hash));
          cursor = page.next;
          await filler.record({ owner });
        } while (cursor !== undefined);
        expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
        expect(pages.flat()).toEqual(hashes);
      });

      test("pages go by the leaf that a record came with, however the rows were written", async () => {
        const owner = "reader of leaves";
        const first = await store.write(async (writes) => {
          const size = (await writes.head())!.size;
          await writes.extendLog(size, ["a", "b", "c", "d"], [], headOf(size + 4));
          await writes.insertOwners([{ owner, secret: bytes(32) }]);
          await writes.insertRecords([
            recordRow({ owner, escrowLeaf: size + 2 }),
            recordRow({ owner, escrowLeaf: size, verifiedLeaf: size + 3, status: "verified" }),
            recordRow({ owner, verifiedLeaf: size + 1, status: "verified" }),
          ]);
          return size;
        });
        const leavesOf = ({ rows }: Page<RecordRow>) =>
          rows.map(({ escrowLeaf, verifiedLeaf }) => (escrowLeaf ?? verifiedLeaf)! - first);
        const page = await store.records({ owner }, { limit: 2 });
        expect(leavesOf(page)).toEqual([2, 1]);
        expect(leavesOf(await store.records({ owner }, { cursor: page.next! }))).toEqual([0]);
      });

      test("a page that ends exactly says that nothing follows", async () => {
        expect((await store.records({ owner: "searcher" }, { limit: 4 })).next).toBeUndefined();
      });

      test.each([{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { cursor: "" }, { cursor: "1;" }])(
        "%j is refused",
        async (options) => {
          await expect(store.records({}, options)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
        },
      );

      test("records are counted by status", async () => {
        const count = async (status: RecordStatus) =>
          (await store.records({ status }, { limit: 1000 })).rows.length;
        expect(await store.countRecords()).toEqual({
          unverified: await count("unverified"),
          verified: await count("verified"),
          unproven: await count("unproven"),
          released: await count("released"),
        });
        expect(await count("released")).toBeGreaterThan(0);
      });
    });
  });
}
