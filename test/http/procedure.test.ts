import { createHash } from "node:crypto";
import { join } from "node:path";
import { open } from "twinwrap";
import {
  addReleased,
  handIn,
  handInDecision,
  handInVeto,
  recordsByHash,
  recordsOfOwner,
  recordsToAsk,
  recordsWithSerial,
  standingFor,
  standingOf,
  takeRelease,
} from "twinwrap/client";
import { amend, inspectHead } from "twinwrap/envelope";
import {
  addSignature,
  decodeReceipt,
  decodeRelease,
  encodeAuthority,
  encodeReceipt,
  encodeRelease,
  encodeRequest,
  formatPolicy,
  parseCheckpoint,
  signNote,
  signVeto,
  verifyConsistency,
  writeControlPublicKey,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalClient } from "#build/authority/client.js";
import { questionRows } from "#build/client/officer.js";
import { certificateForLocalhost } from "../../.tools/certificate.mjs";
import { backend } from "../authority/backend.js";
import {
  copiesOf,
  core,
  failing,
  newOwner,
  type Office,
  openAuthority,
  PASSPHRASE,
  unwrap,
} from "../authority/office.js";
import { newSigner } from "../escrow/signers.js";
import {
  bodyOf,
  closeServices,
  hex,
  idOf,
  JSON_BODY,
  listOf,
  partyAt,
  rootOf,
  type Served,
  serveOffice,
  TEXT_BODY,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// The whole procedure over sockets: what goes over them is what stands in the files.

const office = useOpenOffices();
afterAll(closeServices);

let one: Office;
let served: Served;
let tokens: Record<"submit" | "recover" | "read" | "officer" | "admin", string>;
beforeAll(async () => {
  one = await office();
  served = await serveOffice(one);
  tokens = {
    submit: await tokenFor(one, "submit"),
    recover: await tokenFor(one, "recover"),
    read: await tokenFor(one, "read"),
    officer: await tokenFor(one, "officer"),
    admin: await tokenFor(one, "admin"),
  };
});
const asked = async (token: string, path: string, body?: string | Uint8Array, headers = {}) =>
  served.ask(path, { token, body, headers });

describe("by plain calls", () => {
  test("who the authority is, for everybody, and not again while nothing changed", async () => {
    const now = await served.ask("/v1/authority");
    const file = Buffer.from(encodeAuthority(await one.service.file()));
    expect([now.status, now.headers["content-type"]]).toEqual([200, "application/json"]);
    expect(now.body.equals(file)).toBe(true);
    const headers = { "if-none-match": String(now.headers.etag) };
    const again = await served.ask("/v1/authority", { headers });
    expect([again.status, again.body.length, again.headers.etag]).toEqual([
      304,
      0,
      now.headers.etag,
    ]);
    const other = await served.ask("/v1/authority", { headers: { "if-none-match": '"x"' } });
    expect(other.status).toBe(200);
  });

  test("one submission: taken in, then there; its receipt is the file's", async () => {
    const file = await one.file();
    const first = await asked(tokens.submit, "/v1/records", bodyOf(file), JSON_BODY);
    expect([first.status, first.json.status]).toEqual([201, 201]);
    const receipt = Buffer.from(encodeReceipt((await one.service.receipt(file.record))!));
    expect(JSON.stringify(first.json.receipt)).toBe(receipt.toString());
    expect(Buffer.from(first.json.record, "base64url").equals(file.record)).toBe(true);
    const again = await asked(tokens.submit, "/v1/records", bodyOf(file), JSON_BODY);
    expect([again.status, again.json.status]).toEqual([200, 200]);
    for (const name of [hex(file.record), Buffer.from(file.record).toString("base64url")]) {
      const got = await asked(tokens.read, `/v1/records/${name}/receipt`);
      expect([got.status, got.body.equals(receipt)]).toEqual([200, true]);
      const stored = await asked(tokens.read, `/v1/records/${name}`);
      expect([stored.status, stored.json.status]).toEqual([200, "verified"]);
    }
  });

  test("a list: each has a result of its own, and a wrong one harms no other", async () => {
    const [good, bad, other] = [await one.file(), await one.file(), await one.file()];
    const wrong = { ...bad, submission: { ...bad.submission, wrap: good.submission.wrap } };
    const got = await asked(tokens.submit, "/v1/records", listOf(good, wrong, other), JSON_BODY);
    expect(got.status).toBe(200);
    expect(got.json.map(({ status }: { status: number }) => status)).toEqual([201, 422, 201]);
    expect(got.json[1].error).toMatchObject({ code: "DECRYPTION_FAILED", status: 422 });
    expect(got.json[0].record).toBe(Buffer.from(good.record).toString("base64url"));
    expect(() => decodeReceipt(Buffer.from(JSON.stringify(got.json[2].receipt)))).not.toThrow();
  });

  test("records are found by everything that they have", async () => {
    const description = "Zürich, 100 % _ 'quoted' \"twice\"";
    const file = await one.file({ description, owner: "Ångström&Co." });
    await one.take(file.submission);
    const found = async (query: Record<string, string>) => {
      const got = await asked(tokens.read, `/v1/records?${new URLSearchParams(query)}`);
      expect([query, got.status]).toEqual([query, 200]);
      return got.json.rows.map((row: { record: { owner: string } }) => row.record.owner);
    };
    const { serial, created } = file.submission.record;
    const fingerprint = hex(file.submission.wrap.fingerprint);
    const day = created.toISOString().slice(0, 19);
    const owner = "Ångström&Co.";
    for (const query of [
      { owner },
      { serial: hex(serial) },
      { text: "zürich, 100 % _ 'quoted'" },
      { owner, fingerprint },
      { owner, status: "verified" },
      { owner, from: `${day}Z` },
      { owner, before: "2999-01-01T00:00:00Z" },
      { owner, limit: "1" },
    ]) {
      expect(await found(query)).toEqual([owner]);
    }
    for (const query of [
      { owner, status: "released" },
      { owner, before: `${day}Z` },
      { owner, text: "elsewhere" },
      { label: description },
      { owner: "ångström&co." },
    ]) {
      expect(await found(query)).toEqual([]);
    }
  });

  test("pages go on where the one before ended", async () => {
    const files = await one.files(5, { owner: "paged" });
    const seen: string[] = [];
    let cursor = "";
    for (let pages = 0; pages < 3; pages++) {
      const query = new URLSearchParams({ owner: "paged", limit: "2", ...(cursor && { cursor }) });
      const { json } = await asked(tokens.read, `/v1/records?${query}`);
      seen.push(...json.rows.map((row: { record: { serial: string } }) => row.record.serial));
      cursor = json.next;
    }
    expect(cursor).toBeUndefined();
    const serials = files.map(({ submission }) =>
      Buffer.from(submission.record.serial).toString("base64url"),
    );
    expect(seen).toEqual(serials.reverse());
  });

  test("a request, the officers' words, and the release: the bytes of the files", async () => {
    const files = await one.files(2);
    const request = one.request(files);
    const body = Buffer.from(encodeRequest(request));
    const first = await asked(tokens.recover, "/v1/requests", body, JSON_BODY);
    expect([first.status, first.json.status]).toEqual([200, "open"]);
    expect(JSON.stringify(first.json.request)).toBe(body.toString());
    const again = await asked(tokens.recover, "/v1/requests", body, JSON_BODY);
    expect([again.status, again.text]).toEqual([200, first.text]);
    const path = `/v1/requests/${idOf(request)}`;
    const waits = await asked(tokens.recover, `${path}/release`);
    expect([waits.status, waits.json.for]).toEqual([202, "approvals"]);
    expect(Number(waits.headers["retry-after"])).toBeGreaterThan(0);
    expect((await asked(tokens.recover, `${path}/release`, "")).status).toBe(202);
    const ann = await one.word("ann", request);
    const said = await asked(tokens.officer, `${path}/notes`, ann, TEXT_BODY);
    expect([said.status, said.json.approvals]).toEqual([200, [ann]]);
    expect((await asked(tokens.officer, `${path}/notes`, ann, TEXT_BODY)).text).toBe(said.text);
    const last = await asked(tokens.officer, `${path}/notes`, await one.word("bob", request), {
      ...TEXT_BODY,
    });
    expect([last.status, last.json.status]).toEqual([200, "released"]);
    const release = Buffer.from(encodeRelease((await one.service.released(idOf(request)))!));
    for (const body of [undefined, ""]) {
      const got = await asked(tokens.recover, `${path}/release`, body);
      expect([got.status, got.body.equals(release)]).toEqual([200, true]);
    }
    const { releases } = decodeRelease(release);
    const opened = releases.map(({ wrap }) => hex(unwrap(wrap, newOwner.node.privateKey)));
    expect(opened.sort()).toEqual(files.map(({ sessionKey }) => hex(sessionKey)).sort());
    const list = await asked(tokens.officer, "/v1/requests?status=released");
    expect(list.json.rows.map(({ id }: { id: string }) => id)).toContain(idOf(request));
  });

  test("a request that was denied is over", async () => {
    const { request, id } = await one.asked(await one.files(1));
    const path = `/v1/requests/${id}`;
    for (const name of ["ann", "bob"]) {
      const note = await one.word(name, request, { decision: "deny" });
      expect((await asked(tokens.officer, `${path}/notes`, note, TEXT_BODY)).status).toBe(200);
    }
    for (const body of [undefined, ""]) {
      const got = await asked(tokens.recover, `${path}/release`, body);
      expect([got.status, got.json.code]).toEqual([410, "CLOSED"]);
    }
  });

  test("a word about another request than the path's is not taken", async () => {
    const [a, b] = [await one.asked(await one.files(1)), await one.asked(await one.files(1))];
    const note = await one.word("ann", a.request);
    const got = await asked(tokens.officer, `/v1/requests/${b.id}/notes`, note, TEXT_BODY);
    expect([got.status, got.json.code]).toEqual([400, "BAD_ARGUMENT"]);
    expect((await one.service.standing(a.id)).decision.count.approving).toEqual([]);
  });

  test("policies are shown, and signed", async () => {
    const own = await office();
    const there = await serveOffice(own);
    const token = await tokenFor(own, "officer");
    const policy = await own.policy();
    const text = formatPolicy({
      ...policy,
      number: 2,
      previous: await own.newest(),
      waiting: 60,
    });
    const [ann, bob] = ["ann", "bob"].map((name) => own.officers.get(name)!);
    const headers = TEXT_BODY;
    const post = (body: string) => there.ask("/v1/policy/notes", { token, headers, body });
    const first = await post(await signNote(core, text, ann!));
    expect([first.status, first.headers["content-type"]]).toEqual([
      200,
      "text/plain; charset=utf-8",
    ]);
    const all = await there.ask("/v1/policy", { token });
    expect(all.json.policies).toHaveLength(2);
    expect(all.json.policies[1]).toBe(first.text);
    // What is in force is answered as before: the first answer may have been lost.
    const whole = await addSignature(core, first.text, bob!);
    const second = await post(whole);
    expect([second.status, (await own.policy()).number]).toEqual([200, 2]);
    expect((await post(whole)).text).toBe(second.text);
  });

  test("the log, as everybody can follow it", async () => {
    const note = await served.ask("/log/0/checkpoint");
    expect([note.status, note.headers["content-type"]]).toEqual([200, "text/plain; charset=utf-8"]);
    const { size, root } = parseCheckpoint(note.text);
    const width = size % 256;
    expect(size).toBe(width);
    const entries = await served.ask(`/log/0/tile/entries/000.p/${width}`);
    expect(entries.headers["cache-control"]).toMatch(/immutable/);
    const leaves: Buffer[] = [];
    for (let at = 0; at < entries.body.length; ) {
      const length = entries.body.readUInt16BE(at);
      leaves.push(entries.body.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    expect(leaves.map(String)).toEqual(await one.leaves());
    const hashes = await served.ask(`/log/0/tile/0/000.p/${width}`);
    const expected = leaves.map((leaf) =>
      createHash("sha256").update(Buffer.of(0)).update(leaf).digest(),
    );
    expect(hashes.body.equals(Buffer.concat(expected))).toBe(true);
    expect(Buffer.from(rootOf(leaves)).equals(root)).toBe(true);
    for (const path of [
      `/log/0/tile/0/000.p/${width + 1}`,
      "/log/0/tile/0/000",
      "/log/0/tile/1/000.p/1",
      "/log/1/checkpoint",
      "/log/1/tile/0/000.p/1",
      "/log/00/checkpoint",
      "/log/0/tile/63/000",
      "/log/0/tile/0/x999/999.p/1",
    ]) {
      const got = await served.ask(path);
      expect([path, got.status, got.json?.code]).toEqual([path, 404, "NOT_FOUND"]);
      expect(got.headers["cache-control"]).toBe("no-store");
    }
  });

  test("whether it lives and serves", async () => {
    expect((await served.ask("/healthz")).text).toBe("alive\n");
    expect((await served.ask("/readyz")).text).toBe("ready\n");
    const head = await served.ask("/v1/authority", { method: "HEAD" });
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });

  test("by injected calls, without a socket, the same", async () => {
    const file = await one.file();
    const authorization = `Bearer ${tokens.submit}`;
    const posted = await served.app.inject({
      method: "POST",
      url: "/v1/records",
      headers: { authorization, ...JSON_BODY },
      payload: bodyOf(file),
    });
    expect(posted.statusCode).toBe(201);
    const got = await served.app.inject({ url: "/v1/authority" });
    expect(got.rawPayload.equals((await served.ask("/v1/authority")).body)).toBe(true);
  });
});

describe.each(["http", "https"] as const)("by the client, over %s", (scheme) => {
  let there: Served;
  let ca: string | undefined;
  beforeAll(async () => {
    if (scheme === "http") {
      there = served;
      return;
    }
    const tls = await certificateForLocalhost();
    ca = tls.cert;
    const pem = { cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) };
    there = await serveOffice(one, { tls: pem, ca });
  });
  const trusting = () => (ca === undefined ? {} : { ca });
  const party = (token: string) => partyAt(one, there, token, trusting());

  test("a file is escrowed, asked for, approved, released, and opens with the new key", async () => {
    const owner = await party(await tokenFor(one, ["submit", "recover"], { owner: "olivia" }));
    const officer = await party(tokens.officer);
    const file = await one.file();
    const receipt = await handIn(owner, file.submission);
    expect(receipt).toEqual(await one.service.receipt(file.record));
    expect(await handIn(owner, file.submission)).toEqual(receipt);
    const head = await inspectHead(file.bytes, { core });
    const { records } = await recordsToAsk(owner, head);
    expect(records).toEqual([file.record]);
    const { serial } = file.submission.record;
    for await (const { hash } of recordsWithSerial(owner, serial))
      expect(hash).toEqual(file.record);
    expect((await recordsOfOwner(owner, "olivia")).length).toBeGreaterThan(0);
    const request = one.request([file]);
    const id = idOf(request);
    await owner.client.ask(request);
    expect(await owner.client.released(id)).toBeUndefined();
    await handInDecision(officer, id, await one.word("ann", request));
    const last = await handInDecision(officer, id, await one.word("cyd", request));
    expect(last.status).toBe("released");
    const release = await owner.client.released(id);
    const recovery = await takeRelease(owner, release!, { id });
    const { patch } = await amend(file.bytes, addReleased(recovery));
    const amended = Buffer.from(file.bytes);
    amended.set(patch!.bytes, patch!.offset);
    const opened = await open(amended, { key: newOwner.privateKey });
    expect(Buffer.from(await opened.bytes()).toString()).toBe("some text");
  });

  test("says the same as the port over the folder", async () => {
    const files = await one.files(3, { owner: `same-${scheme}` });
    const { id } = await one.asked(files);
    const [local, remote] = [new LocalClient(one.service), (await party(tokens.read)).client];
    const owner = `same-${scheme}`;
    expect(await remote.file()).toEqual(await local.file());
    expect(await remote.policies()).toEqual(await local.policies());
    expect(await remote.checkpoint()).toBe(await local.checkpoint());
    expect(await remote.standing(id)).toEqual(await local.standing(id));
    const one_ = files[0]!.record;
    expect(await remote.record(one_)).toEqual(await local.record(one_));
    expect(await remote.receipt(one_)).toEqual(await local.receipt(one_));
    expect(await remote.record(new Uint8Array(32))).toBeUndefined();
    expect(await remote.receipt(new Uint8Array(32))).toBeUndefined();
    for (const page of [{}, { limit: 2 }, { limit: 1, cursor: undefined }]) {
      expect(await remote.records({ owner }, page)).toEqual(await local.records({ owner }, page));
      expect(await remote.requests({}, page)).toEqual(await local.requests({}, page));
    }
    const far = new Date("2030-01-01T00:00:00Z");
    const query = { status: "open", after: new Date(0), until: far } as const;
    expect(await remote.requests(query)).toEqual(await local.requests(query));
    await expect(remote.standing("a".repeat(26))).rejects.toEqual(failing("NOT_FOUND"));
    expect(await recordsByHash(await party(tokens.read), [one_])).toHaveLength(1);
  });

  test("shows by tiles that the log goes on, from any size to any other", async () => {
    const remote = (await party(tokens.read)).client;
    const { size } = parseCheckpoint((await remote.checkpoint())!);
    const leaves = (await one.leaves()).slice(0, size).map((leaf) => Buffer.from(leaf));
    const rootAt = (length: number) => rootOf(leaves.slice(0, length));
    for (const [from, to] of [
      [1, 2],
      [1, size],
      [size - 1, size],
      [Math.floor(size / 2), size],
      [size, size],
    ] as const) {
      const proof = await remote.consistency(from, to);
      verifyConsistency(core, from, rootAt(from), to, rootAt(to), proof);
      expect(proof).toEqual(await new LocalClient(one.service).consistency(from, to));
    }
  });

  test("an enrolled owner vetoes", async () => {
    const name = `vera-${scheme}`;
    const signer = newSigner(name);
    const token = await tokenFor(one, ["submit", "recover"], { owner: name });
    const owner = await party(token);
    const control = writeControlPublicKey(signer.publicKey);
    const file = await one.file({ owner: name });
    await handIn(owner, file.submission);
    await there.client(token).enrol(control);
    const { request, id } = await one.asked([file]);
    const standing = await standingOf(owner, id);
    expect([standing.enrolled, standing.vetoes]).toEqual([[name], []]);
    const note = await signVeto(core, signer, request);
    expect((await handInVeto(owner, id, note)).vetoes).toEqual([name]);
    expect((await handInVeto(owner, id, note)).vetoes).toEqual([name]);
    await one.approve(request, "ann", "bob");
    expect(await owner.client.released(id)).toBeUndefined();
  });

  test("an enrolled owner vetoes a request for records of several, and sees their own", async () => {
    const name = `vito-${scheme}`;
    const signer = newSigner(name);
    const token = await tokenFor(one, ["submit", "recover"], { owner: name });
    const owner = await party(token);
    const [mine, theirs] = [await one.file({ owner: name }), await one.file()];
    await one.take(theirs.submission);
    await handIn(owner, mine.submission);
    await there.client(token).enrol(writeControlPublicKey(signer.publicKey));
    const { request, id } = await one.asked([theirs, mine]);
    const seen = await standingFor(owner, id, name);
    expect(seen.records.map(({ record }) => record.owner)).toEqual([name]);
    expect(new Map(questionRows(core, seen)).get("shown")).toBe(
      "1 of 2 records: the others are not this owner's",
    );
    const note = await signVeto(core, signer, request);
    const after = await handInVeto(owner, id, note);
    expect([after.vetoes, after.decision.approved]).toEqual([[name], false]);
    // Nobody decides for all from a part, and nobody takes others' records for theirs.
    await expect(standingOf(owner, id)).rejects.toEqual(failing("NOT_VERIFIED"));
    await expect(standingFor(owner, id, "somebody")).rejects.toEqual(failing("NOT_VERIFIED"));
    expect((await standingOf(await party(await tokenFor(one, "officer")), id)).vetoes).toEqual([
      name,
    ]);
  });
});

test("over more than one tile the log goes on too", async () => {
  const locked = await office();
  await locked.service.close();
  await locked.open();
  const there = await serveOffice(locked);
  await locked.take(...copiesOf(await locked.file(), 300));
  const remote = there.client();
  const { size, root } = parseCheckpoint((await remote.checkpoint())!);
  expect(size).toBeGreaterThan(300);
  const leaves = (await locked.leaves()).map((leaf) => Buffer.from(leaf));
  for (const from of [1, 255, 256, 257, size - 1]) {
    const before = rootOf(leaves.slice(0, from));
    const proof = await remote.consistency(from, size);
    verifyConsistency(core, from, before, size, root, proof);
  }
  expect((await there.ask("/log/0/tile/1/000.p/1")).body).toHaveLength(32);
  expect((await there.ask("/log/0/tile/0/000")).body).toHaveLength(256 * 32);
});

test("a key that is locked is waited for, and a release follows once it is open", async () => {
  const own = await office();
  const files = await own.files(1);
  const { request, id } = await own.asked(files);
  await own.service.close();
  await own.open();
  const there = await serveOffice(own);
  const token = await tokenFor(own, ["recover", "officer"]);
  for (const name of ["ann", "bob"]) {
    const body = await own.word(name, request);
    const got = await there.ask(`/v1/requests/${id}/notes`, { token, body, headers: TEXT_BODY });
    expect(got.status).toBe(200);
  }
  const path = `/v1/requests/${id}/release`;
  for (const body of [undefined, ""]) {
    const got = await there.ask(path, { token, body });
    expect([got.status, got.json.for]).toEqual([202, "key"]);
  }
  await own.service.unlock(PASSPHRASE);
  // Looking changes nothing.
  expect((await there.ask(path, { token })).status).toBe(202);
  expect((await there.ask(path, { token, body: "" })).status).toBe(200);
  expect((await there.ask(path, { token })).status).toBe(200);
});

test("a waiting period is told, and how long it still is", async () => {
  const own = await office({ waiting: 3600 });
  const there = await serveOffice(own);
  const { request, id } = await own.asked(await own.files(1));
  await own.approve(request, "ann", "bob");
  const token = await tokenFor(own, "recover");
  const got = await there.ask(`/v1/requests/${id}/release`, { token, body: "" });
  const { leaf } = await own.service.standing(id);
  expect([got.status, got.json.for]).toEqual([202, "notbefore"]);
  expect(new Date(got.json.notbefore)).toEqual(leaf.notbefore);
  expect(got.headers["retry-after"]).toBe("60");
});

test("an authority whose log may not grow says so, and shows what can be shown", async () => {
  const own = await office();
  const [file] = await own.files(1);
  const copy = join(own.folder, "..", "copy");
  await backend.copy(own.folder, copy);
  const service = await openAuthority(copy);
  const there = await serveOffice({ service });
  const token = await tokenFor({ service }, ["submit", "read"]);
  expect((await there.ask("/readyz")).text).toMatch(/ready, but its log may not grow/);
  const path = `/v1/records/${hex(file!.record)}`;
  expect((await there.ask(path, { token })).status).toBe(200);
  for (const refused of [
    await there.ask(`${path}/receipt`, { token }),
    await there.ask("/v1/records", { token, headers: JSON_BODY, body: bodyOf(await own.file()) }),
  ]) {
    expect([refused.status, refused.json.code]).toEqual([503, "FENCED"]);
  }
  await service.close();
});
