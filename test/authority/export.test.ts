import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { TwinwrapError } from "twinwrap";
import {
  addSignature,
  encodeReceipt,
  encodeRelease,
  formatPolicy,
  makeBlobSubmission,
  signNote,
  signVeto,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupDirectory, importDirectory } from "#build/authority/copies.js";
import { exportStore } from "#build/authority/export.js";
import { LineReader } from "#build/authority/export-lines.js";
import { piecesOf } from "#build/authority/pieces.js";
import type { AuthorityService } from "#build/authority/service.js";
import type { StoreReads } from "#build/authority/store/store.js";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { havePostgres } from "../postgres.js";
import { isQuick, some, stride } from "../quick.js";
import { type Backend, backend, postgres, sqlite } from "./backend.js";
import { core, failing, Office, openAuthority, PASSPHRASE, storeOf } from "./office.js";

// Everything that a store holds, as one stream, and a store from it: nothing gets lost on the way, and nothing comes in
// that was not signed.

const parent = mkdtempSync(join(tmpdir(), "twinwrap-export-"));
let one: Office;
let given: { receipts: Map<string, Uint8Array>; releases: Map<string, Uint8Array> };
let whole: Buffer;
let lines: string[];
beforeAll(async () => {
  one = await Office.make({ unproven: "taken", waiting: 3600 });
  given = await fill(one);
  whole = await exported(one.service);
  lines = whole.toString().split("\n").slice(0, -1);
});
afterAll(async () => {
  await one?.remove();
  rmSync(parent, { recursive: true, force: true });
});

/** Does all there is to do with an authority, so that it has rows of all kinds. @returns what it gave out */
async function fill(office: Office) {
  const olivia = newSigner("olivia");
  const early = await office.file({ description: "Grüße, 100 %_!\u0001\n" });
  const other = await office.file();
  const { wrap } = other.submission;
  // Not verified, with two wraps; the wrong one goes when they are opened.
  await office.take(early.submission, { ...early.submission, wrap });
  const forged = await office.file({ owner: "oscar" });
  await office.take(
    { ...forged.submission, wrap: other.submission.wrap },
    { ...forged.submission, wrap: early.submission.wrap },
  );
  await office.unlock();
  const { origin: authority } = office.service.authority;
  const blob = makeBlobSubmission(core, {
    authority,
    owner: "Óscar 'quote' \"two\"".replaceAll(" ", "-"),
    wrap: (await office.file()).submission.wrap,
    label: "№ 1 % _",
  });
  const unproven = await office.service.intake(blob);
  const { wrap: unused } = (await office.file()).submission;
  await office.service.intake(
    makeBlobSubmission(core, { authority, owner: "oscar", wrap: unused }),
  );
  await office.service.enrolOwner("olivia", olivia.publicKey);
  await office.service.enrolOwner("olivia", newSigner("olivia").publicKey);
  await office.service.enrolOwner("olivia", olivia.publicKey);
  const files = await office.files(4);
  const ids: string[] = [];
  const release = async (records: readonly { record: Uint8Array }[]) => {
    const { request, id } = await office.asked(records as never);
    await office.approve(request, "ann", "bob", "cyd");
    await office.service.release(id);
    ids.push(id);
  };
  await release([files[0]!, unproven]);
  await release([files[0]!]);
  const denied = await office.asked([files[1]!]);
  for (const name of ["ann", "bob"]) {
    const note = await office.word(name, denied.request, { decision: "deny" });
    await office.service.takeApproval(note);
  }
  const vetoed = await office.asked([files[2]!]);
  await office.approve(vetoed.request, "ann");
  await office.service.takeVeto(await signVeto(core, olivia, vetoed.request));
  // A checkpoint that was seen, then the end of the log, and another one.
  const { proof } = (await office.service.receipt(files[3]!.record))!;
  await office.service.unfence([proof.slice(proof.indexOf("\n\n") + 2)], { nothingNewer: true });
  const { note } = await office.service.beginClosing();
  for (const name of ["ann", "bob"]) {
    await office.service.takeClosing(await addSignature(core, note, office.officers.get(name)!));
  }
  await office.unlock();
  const late = await office.files(2);
  await release([late[0]!, files[3]!]);
  const open = await office.asked(late);
  await office.approve(open.request, "bob");
  // Two drafts of the next policy, of which one waits.
  const { officers, ...policy } = await office.policy();
  const next = { ...policy, number: 2, previous: await office.newest() };
  const dan = newSigner("dan");
  const joined = { name: "dan", key: dan.publicKey, share: spareKey(5), self: [] };
  const [ann, bob] = ["ann", "bob"].map((name) => office.officers.get(name)!);
  const weaker = formatPolicy({ ...next, officers: [...officers, joined] });
  await office.service.takePolicy(await signNote(core, weaker, ann!, bob!, dan));
  const stronger = formatPolicy({ ...next, officers, waiting: 7200 });
  await office.service.takePolicy(await signNote(core, stronger, ann!));
  await office.service.close();
  await office.open();
  const waiting = await office.files(1, { owner: "o".repeat(255) });
  const mail = { means: "mail", address: "somebody+else@example.org" } as const;
  await office.service.addReceiver({ means: "webhook", address: "https://example.org/?a=b" });
  for (const [role, name] of [
    ["officer", "ann"],
    ["owner", "olivia"],
  ] as const) {
    await office.service.addReceiver({ ...mail, who: { role, name } });
  }
  const receipts = new Map<string, Uint8Array>();
  for (const { record } of [early, unproven, ...files, ...late, ...waiting]) {
    const receipt = (await office.service.receipt(record))!;
    receipts.set(Buffer.from(record).toString("hex"), encodeReceipt(receipt));
  }
  const releases = new Map<string, Uint8Array>();
  for (const id of ids) releases.set(id, encodeRelease((await office.service.released(id))!));
  return { receipts, releases };
}

async function exported(service: AuthorityService, move = false): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await service.export(async (piece) => void pieces.push(piece), { move });
  return Buffer.concat(pieces);
}

let copies = 0;
async function imported(bytes: Uint8Array, keys: string, on: Backend = backend) {
  const folder = join(parent, `copy-${copies++}`);
  const place = await on.place();
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  }
  const about = { folder, place };
  const made = importDirectory(pieces(), folder, { keys, ...place });
  return { about, made: made.then((result) => ({ ...about, ...result })) };
}

const copy = async (...about: Parameters<typeof imported>) => (await imported(...about)).made;

/** The same lines with a checksum that fits. */
function summed(changed: readonly string[]): Buffer {
  const text = changed.map((line) => `${line}\n`).join("");
  const sum = createHash("sha256").update(text).digest("hex");
  return Buffer.from(`${text}${JSON.stringify(["end", sum])}\n`);
}

/** All but what says whether it was moved, and the checksum. */
const content = (bytes: Buffer) => bytes.toString().split("\n").slice(1, -2);

const ways: [string, Backend][] = [["SQLite", sqlite]];
if (havePostgres) ways.push(["PostgreSQL", postgres]);

describe("a copy of a store", () => {
  test("has rows of all kinds", () => {
    const kinds = lines.map((line) => JSON.parse(line)[0]);
    expect([...new Set(kinds)]).toEqual([
      ...["twinwrap/v1/authority-export", "identity", "policy", "seen", "log", "leaf"],
      ...[
        "checkpoint",
        "record",
        "enrolment",
        "release",
        "request",
        "approval",
        "veto",
        "receiver",
        "end",
      ].sort((a, b) => kinds.indexOf(a) - kinds.indexOf(b)),
    ]);
    const of = (kind: string) => lines.map((line) => JSON.parse(line)).filter(([k]) => k === kind);
    expect(new Set(of("record").map(([, , , status]) => status)).size).toBe(4);
    expect(new Set(of("request").map(([, , status]) => status)).size).toBe(4);
    expect(of("record").map((line) => line.at(-1).length)).toContain(2);
    expect(of("policy").map(([, leaf, announced]) => [leaf !== null, announced !== null])).toEqual(
      expect.arrayContaining([
        [true, false],
        [false, true],
        [false, false],
      ]),
    );
    expect(of("log")).toHaveLength(2);
  });

  test.each(ways)("in %s, and one of that copy, hold the same", async (_, on) => {
    const there = await copy(whole, one.folder, on);
    expect(there.isMoved).toBe(false);
    const service = await openAuthority(there.folder);
    expect(await exported(service)).toEqual(whole);
    const back = await copy(await exported(service), there.folder);
    const again = await openAuthority(back.folder);
    expect(await exported(again)).toEqual(whole);
    for (const one of [service, again]) {
      // As after a restore.
      expect(await one.isFenced()).toBe(true);
      for (const [record, receipt] of given.receipts) {
        const found = (await one.receipt(new Uint8Array(Buffer.from(record, "hex"))))!;
        expect(encodeReceipt(found)).toEqual(receipt);
      }
      for (const [id, release] of given.releases) {
        expect(encodeRelease((await one.released(id))!)).toEqual(release);
      }
      await one.verifyLog();
      await one.unlock(PASSPHRASE);
      await one.verifyAll();
      await one.close();
    }
  });

  test("goes on once somebody vouches for it", async () => {
    const { folder } = await copy(whole, one.folder);
    const service = await openAuthority(folder);
    const { submission } = await one.file();
    await expect(service.intake(submission)).rejects.toEqual(failing("FENCED"));
    await service.unfence([], { nothingNewer: true });
    await service.intake(submission);
    await service.close();
  });

  test("is as of one moment, whatever comes in meanwhile", async () => {
    const { folder } = await copy(whole, one.folder);
    const service = await openAuthority(folder);
    await service.unfence([], { nothingNewer: true });
    const before = await exported(service);
    const pieces: Uint8Array[] = [];
    const { submission } = await one.file();
    let taken = false;
    await service.export(async (piece) => {
      if (!taken) {
        taken = true;
        await service.intake(submission);
      }
      pieces.push(piece);
    });
    expect(Buffer.concat(pieces)).toEqual(before);
    expect(await exported(service)).not.toEqual(before);
    await service.close();
  });
});

describe("a move", () => {
  let source: { folder: string };
  let service: AuthorityService;
  const begin = async () => {
    source = await copy(whole, one.folder);
    service = await openAuthority(source.folder);
    await service.unfence([], { nothingNewer: true });
  };

  test("fences its source for good, and its copy goes on at once", async () => {
    await begin();
    const before = await exported(service);
    const moved = await exported(service, true);
    expect(content(moved)).toEqual(content(before));
    const there = await copy(moved, source.folder);
    expect(there.isMoved).toBe(true);
    const next = await openAuthority(there.folder);
    const { submission } = await one.file();
    const taken = await next.intake(submission);
    expect(await next.receipt(taken.record)).toBeDefined();
    await next.verifyLog();
    await next.close();
    for (const again of [false, true]) {
      if (again) service = await openAuthority(source.folder);
      await expect(service.intake(submission)).rejects.toThrow(/was moved into another store/);
      // It still shows what it gave out, and its move can be made again.
      expect(await service.receipt(taken.record)).toBeUndefined();
      expect(await exported(service, true)).toEqual(moved);
      await service.close();
    }
    // What was moved is fenced in a backup too, and where that is restored.
    const backup = join(parent, `copy-${copies++}`);
    await backupDirectory(there.folder, backup);
    const restored = join(parent, `copy-${copies++}`);
    await backend.restore(backup, restored);
    const third = await openAuthority(restored);
    await expect(third.intake(submission)).rejects.toEqual(failing("FENCED"));
    await third.close();
  });

  test("that comes to nothing ends when somebody vouches for its source", async () => {
    await begin();
    await exported(service, true);
    await service.unfence([], { nothingNewer: true });
    await service.intake((await one.file()).submission);
    await service.close();
  });

  test("of a store that is fenced for another reason is refused", async () => {
    const { folder } = await copy(whole, one.folder);
    const fenced = await openAuthority(folder);
    const pieces: unknown[] = [];
    const refused = fenced.export(async (piece) => void pieces.push(piece), { move: true });
    await expect(refused).rejects.toEqual(failing("FENCED"));
    // Nor if it was fenced since somebody looked.
    const late = exportStore({ core, store: storeOf(fenced) }, async () => {}, { move: true });
    await expect(late).rejects.toEqual(failing("FENCED"));
    await fenced.close();
    await begin();
    await service.beginClosing();
    await expect(exported(service, true)).rejects.toThrow(/closing this log/);
    await service.close();
  });

  test("whose output fails leaves its source as it was", async () => {
    await begin();
    const full = new Error("no space left");
    const sink = () => Promise.reject(full);
    await expect(service.export(sink, { move: true })).rejects.toBe(full);
    // Whoever reads fails, after any piece but the last, which says that all of them are there.
    const count = await (async () => {
      let pieces = 0;
      for await (const _ of piecesOf((sink) => service.export(sink))) pieces++;
      return pieces;
    })();
    expect(count).toBeGreaterThan(1);
    for (let at = 1; at < count; at++) {
      let left = at;
      const reading = async () => {
        for await (const _ of piecesOf((sink) => service.export(sink, { move: true }))) {
          if (--left === 0) throw full;
        }
      };
      await expect(reading()).rejects.toBe(full);
      expect(await service.isFenced()).toBe(false);
    }
    await service.intake((await one.file()).submission);
    await service.close();
  });
});

/** An export is read before any store sees it: on the slower store a part of the damaged ones is enough. */
const PARSED = backend.file === "store.sqlite" ? 1 : isQuick ? 2 : 15;
const thinned = <T>(all: readonly T[], quick: number) =>
  some(all, quick).filter((_, i) => i % PARSED === 0);

/** What a refusal says, and that nothing is left of what was begun. */
async function refusal(bytes: Uint8Array, keys = one.folder): Promise<TwinwrapError> {
  const { about, made } = await imported(bytes, keys);
  const error = await made.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(TwinwrapError);
  expect(existsSync(about.folder)).toBe(false);
  expect(readdirSync(parent).filter((name) => name.startsWith("."))).toEqual([]);
  expect(await backend.found(about.place)).toEqual([]);
  const { message } = error as TwinwrapError;
  // One line, of what and where; no folder that is gone again, nor what a database has to say.
  expect(message).toMatch(/^[^\n]{10,400}$/);
  expect(message).not.toMatch(/\.twinwrap-|SQLITE|constraint|duplicate key/);
  return error as TwinwrapError;
}

const BAD_FORMAT = failing("BAD_FORMAT");

describe("an export that was damaged on its way", () => {
  test("is refused where it is cut, at any line and any byte", async () => {
    for (const [at] of thinned([...lines.entries()], 30)) {
      const cut = Buffer.from(
        lines
          .slice(0, at)
          .map((line) => `${line}\n`)
          .join(""),
      );
      expect(await refusal(cut)).toEqual(BAD_FORMAT);
    }
    for (let at = 0; at < whole.length; at += 1997 * stride(20) * PARSED) {
      expect(await refusal(whole.subarray(0, at))).toEqual(BAD_FORMAT);
    }
    for (const cut of [1, 2, 66]) {
      expect(await refusal(whole.subarray(0, -cut))).toEqual(BAD_FORMAT);
    }
  });

  test.each<[string, () => Uint8Array, RegExp]>([
    ["nothing", () => new Uint8Array(), /its end is missing/],
    ["no newline", () => Buffer.from(whole.toString().replaceAll("\n", " ")), /end is missing/],
    ["a line of 5 MB", () => Buffer.concat([Buffer.alloc(5e6, "x"), whole]), /a line is too long/],
    ["5 MB of spaces in it", () => summed([`${lines[0]}${" ".repeat(5e6)}`]), /too long/],
    ["no UTF-8", () => Buffer.concat([Buffer.from([0xc3, 0x28, 10]), whole]), /it is no UTF-8/],
    ["half a character", () => Buffer.concat([whole, Buffer.from([0xc3])]), /it is no UTF-8/],
    ["a byte order mark", () => Buffer.concat([Buffer.from("\ufeff"), whole]), /^line 1 .*no JSON/],
    ["more behind its end", () => Buffer.concat([whole, whole]), /something stands behind its end/],
    ["an empty line behind", () => Buffer.concat([whole, Buffer.from("\n")]), /behind its end/],
    ["no line but the end", () => summed([]), /it has no log/],
    ["the first line alone", () => summed(lines.slice(0, 1)), /it has no log/],
    ["arrays in arrays", () => summed([lines[0]!, "[".repeat(1e6)]), /^line 2 .*no JSON/],
    [
      "whole arrays in arrays",
      () => summed([`["${"twinwrap/v1/authority-export"}",${"[".repeat(1e6)}${"]".repeat(1e6)}]`]),
      /^line 1 .*member 2 is neither true nor false/,
    ],
    [
      "another checksum",
      () => Buffer.from(whole.toString().replace(/(.)"]\n$/, (_, c) => `${c === "0" ? 1 : 0}"]\n`)),
      /its checksum is another one/,
    ],
    [
      "other spaces",
      () => Buffer.from(whole.toString().replace('",false]', '", false]')),
      /checksum/,
    ],
  ])("is refused with %s", async (_, bytes, why) => {
    const error = await refusal(bytes());
    expect(error).toEqual(BAD_FORMAT);
    expect(error.message).toMatch(why);
  });

  test("is refused without a line, with one twice, or with two in each other's place", async () => {
    const body = lines.slice(0, -1);
    let refused = 0;
    for (const [at] of thinned([...body.entries()], 13)) {
      const [line, next] = [body[at]!, body[at + 1] ?? ""];
      const changes = {
        without: body.filter((_, i) => i !== at),
        twice: [...body.slice(0, at), line, ...body.slice(at)],
        swapped: [...body.slice(0, at), next, line, ...body.slice(at + 2)],
      };
      for (const [how, changed] of Object.entries(changes)) {
        const about = `${how}, line ${at + 1}: ${line.slice(0, 80)}`;
        if (await survives(changed, about)) expect(passes(how, line, next), about).toBe(true);
        else refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  });

  /**
   * What nothing shows: approvals that stand on no leaf, drafts, which checkpoints were signed, tokens, who is
   * told, the order of rows.
   */
  function passes(how: string, line: string, next: string): boolean {
    if (how === "without")
      return /^\["(approval",null|seen|policy",null,null|checkpoint|token|receiver)/.test(line);
    if (how === "twice") return line.startsWith('["seen');
    const row =
      /^\["(identity|policy|record|enrolment|request|approval|veto|release|token|receiver)"/;
    return row.test(line) && row.test(next);
  }
});

/** What an audit finds. */
const audit = (service: AuthorityService): Promise<Error | undefined> =>
  service.verifyLog().then(
    () => undefined,
    (error) => error,
  );

/** A changed export: refused, or whole for all that anybody can see. */
async function survives(changed: readonly string[] | Buffer, about: string): Promise<boolean> {
  const bytes = Buffer.isBuffer(changed) ? changed : summed(changed);
  const { about: where, made } = await imported(bytes, one.folder);
  const error = await made.then(
    () => undefined,
    (error) => error,
  );
  if (error === undefined) {
    // Its log was verified on the way in, and an audit finds what its rows say beside it. If it finds nothing, the copy
    // can be worked with.
    const service = await openAuthority(where.folder);
    const found = await audit(service);
    if (found !== undefined) {
      expect(found, `${about}: ${found.stack}`).toBeInstanceOf(TwinwrapError);
      await service.close();
      rmSync(where.folder, { recursive: true });
      return false;
    }
    await exported(service);
    await service.closing();
    await service.policies();
    await service.close();
    rmSync(where.folder, { recursive: true });
    return true;
  }
  expect(error, `${about}: ${error.stack}`).toBeInstanceOf(TwinwrapError);
  expect(existsSync(where.folder)).toBe(false);
  expect(await backend.found(where.place)).toEqual([]);
  expect(error.message, about).not.toMatch(/\.twinwrap-|SQLITE|constraint|duplicate key/);
  expect(error.message, about).toMatch(/^((lines? \d+.* of )?the export|the keys in)/);
  return false;
}

/** A list with another item at one place. */
function replaced<T>(list: readonly T[], at: number, item: T): T[] {
  return list.map((one, i) => (i === at ? item : one));
}

/** One line of each kind, by its place. */
const samples = () => {
  const kinds = new Map<string, number>();
  for (const [at, line] of lines.slice(0, -1).entries()) kinds.set(JSON.parse(line)[0], at);
  return [...kinds];
};

describe("an export that was forged", () => {
  test("with a member of another kind is refused, or is as good", async () => {
    const odd: unknown[] = [null, true, -1, 1.5, 2 ** 31, 2 ** 53, 1e300, "", "x", "\0", "\ud800"];
    odd.push([], {}, [[]], "A".repeat(44), "\u{1f511}".repeat(70_000));
    const changes: [string, string[]][] = [];
    const body = lines.slice(0, -1);
    for (const [kind, at] of samples()) {
      const members = JSON.parse(lines[at]!);
      for (const [i] of members.entries()) {
        for (const value of odd) {
          const changed = JSON.stringify(replaced(members, i, value));
          changes.push([
            `${kind} ${i} ${JSON.stringify(value).slice(0, 20)}`,
            replaced(body, at, changed),
          ]);
        }
      }
      for (const changed of [members.slice(0, -1), [...members, null]]) {
        changes.push([
          `${kind}, ${changed.length} members`,
          replaced(body, at, JSON.stringify(changed)),
        ]);
      }
    }
    let passed = 0;
    const chosen = thinned(changes, 23);
    for (const [about, changed] of chosen) if (await survives(changed, about)) passed++;
    expect(passed).toBeLessThan(chosen.length / 10);
  });

  test.each<[string, string, number, unknown, RegExp]>([
    [
      "an owner ID without end",
      "record",
      5,
      "\u{1f511}".repeat(70_000),
      /owner ID is not 1 to 255/,
    ],
    ["an owner ID with a space", "record", 5, "olivia o", /owner ID has a space/],
    ["a label without end", "record", 9, "x".repeat(256), /label is not 1 to 255/],
    ["an ID that is none", "request", 4, "x".repeat(4000), /ID is 26 letters/],
    ["an enrolment of nobody", "enrolment", 2, "", /owner ID is not 1 to 255/],
  ])("with %s is refused: keys of a store have a length", async (_, kind, i, value, why) => {
    const at = lines.findIndex((line) => line.startsWith(`["${kind}"`));
    const line = JSON.stringify(replaced(JSON.parse(lines[at]!), i, value));
    const error = await refusal(summed(replaced(lines.slice(0, -1), at, line)));
    expect(error).toEqual(BAD_FORMAT);
    expect(error.message).toMatch(why);
    expect(error.message).toContain(`line ${at + 1} of the export`);
  });

  test("by changing any characters is refused, or is as good", async () => {
    const change = fc.record({
      at: fc.nat({ max: whole.length - 1 }),
      length: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 2000 })),
      by: fc.oneof(
        fc.string({ unit: "binary", maxLength: 4 }),
        fc.constantFrom('"', "]", "null", "9", "\n", '["leaf","x"]\n'),
      ),
      isSummed: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, length, by, isSummed }) => {
        const bytes = Buffer.concat([
          whole.subarray(0, at),
          Buffer.from(by),
          whole.subarray(at + length),
        ]);
        if (bytes.equals(whole)) return;
        const changed = isSummed ? bytes.toString().split("\n").slice(0, -2) : bytes;
        const isWhole = await survives(changed, `${at} ${length} ${JSON.stringify(by)}`);
        if (!isSummed) expect(isWhole).toBe(false);
      }),
      { numRuns: Math.ceil(600 / stride(15) / PARSED) },
    );
  });

  const last = (kind: string) => lines.findLastIndex((line) => line.startsWith(`["${kind}"`));
  /** The order of receivers is that of their IDs, which are random. */
  const mailed = () =>
    lines.findLastIndex((line) => /^\["receiver","[0-9a-f]+","owner"/.test(line));
  const without = (line: number, change: (members: unknown[]) => unknown) =>
    replaced(lines.slice(0, -1), line, JSON.stringify(change(JSON.parse(lines[line]!))));
  test.each<[string, () => string[], RegExp]>([
    [
      "a leaf that was altered",
      () => without(last("leaf"), ([k, leaf]) => [k, `${leaf}x\n`]),
      /^line \d+ of the export: the leaves up to \d+ are not those that were signed$/,
    ],
    [
      "a checkpoint of another size",
      () =>
        without(last("checkpoint"), ([k, note]) => [
          k,
          (note as string).replace(/\n\d+\n/, "\n99\n"),
        ]),
      /^line \d+ .*not those that were signed$/,
    ],
    [
      "a signature that was altered",
      () =>
        without(last("checkpoint"), ([k, note]) => [
          k,
          (note as string).replace(/.{9}\n$/, "AAAAAAAA=\n"),
        ]),
      /^line \d+ of the export: /,
    ],
    [
      "no checkpoint at the end",
      () => lines.slice(0, -1).filter((_, i) => i !== last("checkpoint")),
      /^line \d+ .*: leaves before it have no checkpoint/,
    ],
    [
      "a log that is missing",
      () =>
        lines
          .slice(0, -1)
          .filter((line, i) => i < last("log") || !/^\["(log|leaf|checkpoint)"/.test(line)),
      /^line \d+ .*(does not fit|a log is missing)/,
    ],
    [
      "a row on a leaf that is not there",
      () => without(last("request"), ([k, leaf, ...more]) => [k, Number(leaf) + 999, ...more]),
      /^line \d+ of the export: it does not fit what comes before$/,
    ],
    [
      "a record on a leaf that is not there",
      () => without(last("record"), ([k, leaf, ...more]) => [k, Number(leaf) + 999, ...more]),
      /^lines? \d+.* of the export: it does not fit/,
    ],
    [
      "a record twice",
      () => [...lines.slice(0, -1), lines[last("record")]!],
      /^lines? \d+.* of the export: the record is in the store already$/,
    ],
    [
      "a release of no request",
      () =>
        without(last("release"), ([k, leaf, , ...more]) => [
          k,
          leaf,
          Buffer.alloc(32).toString("base64"),
          ...more,
        ]),
      /^line \d+ .* does not fit/,
    ],
    [
      "a policy of another number",
      () => without(last("policy"), ([k, l, a, n, ...more]) => [k, l, a, Number(n) + 1, ...more]),
      /number or hash are not those of the note/,
    ],
    [
      "a row that nobody knows",
      () => [...lines.slice(0, -1), '["receipt"]'],
      /there is no such row as "receipt"/,
    ],
    [
      "a receiver with another ID",
      () => without(mailed(), ([k, , ...more]) => [k, "0123456789ABCDEF", ...more]),
      /a receiver's ID has 16/,
    ],
    ...[
      ["without a name", 3, null],
      ["at two addresses", 5, "ann@example.org,bob@example.org"],
      ["whose mail has a secret", 6, "AAAA"],
    ].map(([what, member, value]): [string, () => string[], RegExp] => [
      `a receiver ${what}`,
      () => without(mailed(), (members) => replaced(members, Number(member), value)),
      /nobody can be told so/,
    ]),
    [
      "a policy behind the log",
      () => [...lines.slice(0, -1), lines[last("policy")]!],
      /notes come before the log/,
    ],
    [
      "a leaf behind the rows",
      () => [...lines.slice(0, -1), lines[last("leaf")]!],
      /a leaf stands in no log/,
    ],
    [
      "a log behind the rows",
      () => [...lines.slice(0, -1), '["log",2]'],
      /a log comes before all rows/,
    ],
  ])("is refused with %s", async (_, changed, why) => {
    const error = await refusal(summed(changed()));
    expect(error.message).toMatch(why);
  });

  test.each<[string, () => string[]]>([
    [
      "a row on another row's leaf",
      () => without(last("veto"), ([k, leaf, ...more]) => [k, Number(leaf) - 1, ...more]),
    ],
    [
      "another owner's secret",
      () =>
        without(last("record"), (members) =>
          replaced(members, 6, Buffer.alloc(32, 1).toString("base64")),
        ),
    ],
    ["a row that is missing", () => lines.slice(0, -1).filter((_, i) => i !== last("release"))],
  ])("is found by an audit, with %s", async (_, changed) => {
    const { folder } = await copy(summed(changed()), one.folder);
    const service = await openAuthority(folder);
    expect(await audit(service)).toMatchObject({ message: expect.stringMatching(/leaf/) });
    await service.close();
    // A backup of it does not restore.
    const backup = join(parent, `copy-${copies++}`);
    await backupDirectory(folder, backup);
    const restored = join(parent, `copy-${copies++}`);
    await expect(backend.restore(backup, restored)).rejects.toThrow(
      /^what was to be copied does not verify: .*leaf/,
    );
    expect(existsSync(restored)).toBe(false);
  });

  test("says that it was moved: nobody but whoever has the keys can use that", async () => {
    // Its checksum finds accidents. Who hands it in has the folder with the keys.
    const moved = replaced(lines.slice(0, -1), 0, '["twinwrap/v1/authority-export",true]');
    expect((await copy(summed(moved), one.folder)).isMoved).toBe(true);
  });
});

describe("an import", () => {
  test("with the keys of another authority is refused", async () => {
    const other = await Office.make();
    try {
      const error = await refusal(whole, other.folder);
      expect(error).toEqual(failing("WRONG_AUTHORITY"));
      expect(error.message).toBe(`the keys in ${other.folder} are of another authority`);
    } finally {
      await other.remove();
    }
  });

  test("into a folder or a store that has something is refused, and leaves that alone", async () => {
    const { folder } = await copy(whole, one.folder);
    const again = importDirectory(
      piecesOf((sink) => one.service.export(sink)),
      folder,
      {
        keys: one.folder,
        ...(await backend.place()),
      },
    );
    await expect(again).rejects.toEqual(failing("CONFLICT"));
    const taken = await backend.place();
    const made = join(parent, `copy-${copies++}`);
    await importDirectory(
      piecesOf((sink) => one.service.export(sink)),
      made,
      { keys: one.folder, ...taken },
    );
    const found = await backend.found(taken);
    if (taken.store !== undefined) {
      const second = importDirectory(
        piecesOf((sink) => one.service.export(sink)),
        join(parent, "none"),
        { keys: one.folder, ...taken },
      );
      await expect(second).rejects.toEqual(failing("CONFLICT"));
    }
    expect(await backend.found(taken)).toEqual(found);
    for (const there of [folder, made]) {
      const service = await openAuthority(there);
      expect(await exported(service)).toEqual(whole);
      await service.close();
    }
    // An empty folder is as good as none.
    const empty = join(parent, `copy-${copies++}`);
    mkdirSync(empty);
    await importDirectory(
      piecesOf((sink) => one.service.export(sink)),
      empty,
      { keys: one.folder, ...(await backend.place()) },
    );
    writeFileSync(join(parent, "file"), "x");
    const onto = importDirectory(
      piecesOf((sink) => one.service.export(sink)),
      join(parent, "file"),
      { keys: one.folder, ...(await backend.place()) },
    );
    await expect(onto).rejects.toEqual(failing("CONFLICT"));
  });

  test("without keys, or from what fails, leaves nothing", async () => {
    expect(await refusal(whole, join(parent, "nowhere"))).toEqual(BAD_FORMAT);
    const broken = new Error("the disk fails");
    async function* failingPieces() {
      yield whole.subarray(0, whole.length >> 1);
      throw broken;
    }
    const place = await backend.place();
    const folder = join(parent, `copy-${copies++}`);
    await expect(
      importDirectory(failingPieces(), folder, { keys: one.folder, ...place }),
    ).rejects.toBe(broken);
    expect(existsSync(folder)).toBe(false);
    expect(await backend.found(place)).toEqual([]);
  });
});

test("an export reads no further than its reader takes, so its memory does not grow with the store", async () => {
  // Each read is of a page; what could grow is what waits for its reader.
  let reads = 0;
  const store = new Proxy(storeOf(one.service), {
    get(target, name) {
      if (name !== "snapshot") return Reflect.get(target, name);
      return (work: (reads: StoreReads) => Promise<void>) =>
        target.snapshot((inner) =>
          work(
            new Proxy(inner, {
              get(within, name) {
                reads++;
                const member = Reflect.get(within, name);
                return typeof member === "function" ? member.bind(within) : member;
              },
            }),
          ),
        );
    },
  });
  const pieces = piecesOf((sink) => exportStore({ core, store }, sink));
  const lengths: number[] = [];
  for await (const { length } of pieces) {
    lengths.push(length);
    const before = reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reads).toBe(before);
  }
  expect(lengths.length).toBeGreaterThan(1);
  expect(Math.max(...lengths)).toBeLessThan(200_000);
});

describe("a line", () => {
  const read = (members: unknown[], how: (line: LineReader) => unknown) => {
    const line = LineReader.of(JSON.stringify(members), "line 1");
    const value = how(line);
    line.end();
    return value;
  };
  type Kind = "text" | "number" | "time" | "boolean" | "bytes";

  test.each<[Kind, unknown[], unknown[]]>([
    ["text", ["", "ü\u{1f511}"], [1, null, "\0", "a\0b", "\ud800", ["x"], undefined]],
    ["number", [0, 2 ** 53 - 1], [-1, 1.5, 2 ** 53, 1e300, "1", null, true, undefined]],
    ["time", [0, -1, 8.64e12], [8.64e12 + 1, -9e12, 1.5, "0", null, undefined]],
    ["boolean", [true, false], [0, "true", null, undefined]],
    ["bytes", ["", "AAE="], ["AAE", "AAF=", "AA-_", "=", "A", 1, null, undefined]],
  ])("has a %s, or is refused", (kind, right, wrong) => {
    for (const value of right) expect(() => read([value], (line) => line[kind]())).not.toThrow();
    for (const value of wrong) {
      const members = value === undefined ? [] : [value];
      expect(() => read(members, (line) => line[kind]())).toThrow(
        expect.objectContaining({
          code: "BAD_FORMAT",
          message: expect.stringMatching(/^line 1: member 1 is n/),
        }),
      );
    }
    expect(() => read([right[0], null], (line) => line[kind]())).toThrow(
      "line 1: it has too many members",
    );
  });
});

test("tokens go along: what let in before lets in there, and what was revoked does not", async () => {
  const own = await Office.make();
  try {
    const { service } = own;
    const expires = new Date("2999-12-31T23:59:59Z");
    const good = await service.addToken({ scopes: ["submit", "read"], owner: "olivia", expires });
    const bad = await service.addToken({ scopes: ["admin"] });
    await service.revokeToken(bad.token.id);
    const stream = await exported(service);
    // None of them is in it: only what they are known by.
    for (const { text } of [good, bad]) expect(stream.toString()).not.toContain(text.slice(9));
    const { folder } = await copy(stream, own.folder);
    const there = await openAuthority(folder);
    try {
      expect(await there.tokens()).toEqual(await service.tokens());
      expect(await there.token(good.text)).toEqual(good.token);
      expect(await there.token(bad.text)).toBeUndefined();
    } finally {
      await there.close();
    }
    const all = stream.toString().split("\n").slice(0, -2);
    const wrong = summed(all.map((line) => line.replace('"admin"', '"root"')));
    await expect(copy(wrong, own.folder)).rejects.toThrow(/scopes are/);
  } finally {
    await own.remove();
  }
});
