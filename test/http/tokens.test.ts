import { encodeOwnerFile, encodeRequest, signVeto, writeControlPublicKey } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalClient } from "#build/authority/client.js";
import { SCOPES, type Scope } from "#build/authority/scopes.js";
import { ROUTES } from "#build/http/routes.js";
import {
  at,
  core,
  failing,
  type Office,
  openAuthority,
  type TestFile,
} from "../authority/office.js";
import { newSigner } from "../escrow/signers.js";
import {
  bodyOf,
  closeServices,
  type Got,
  hex,
  idOf,
  JSON_BODY,
  listOf,
  PROBLEM,
  type Served,
  serveOffice,
  TEXT_BODY,
  tokenFor,
  useOpenOffices,
} from "./served.js";

// Who may call what, and what they see.

const office = useOpenOffices();
afterAll(closeServices);

let one: Office;
let served: Served;
beforeAll(async () => {
  one = await office();
  served = await serveOffice(one, { times: { slow: 0 } });
});
const refused = ({ status, headers, json }: Got) => [status, headers["content-type"], json?.code];
const UNKNOWN = [401, PROBLEM, "UNAUTHENTICATED"];
const FORBIDDEN = [403, PROBLEM, "FORBIDDEN"];
const ABSENT = [404, PROBLEM, "NOT_FOUND"];

/** A path of each route; what it names is not there. */
const pathOf = (url: string) =>
  url
    .replace(":hash", "0".repeat(64))
    .replace(":id", "a".repeat(26))
    .replace(":log", "0")
    .replace("*", "0/000");

describe("a call without a token that is good", () => {
  const GUARDED = ROUTES.filter(({ who }) => who !== "everybody");

  test("is refused on every route but the open ones, before its body is read", async () => {
    const open = ROUTES.filter(({ who }) => who === "everybody").map(({ url }) => url);
    expect(open).toEqual([
      "/v1/authority",
      "/log/:log/checkpoint",
      "/log/:log/tile/*",
      "/healthz",
      "/readyz",
    ]);
    for (const { method, url } of GUARDED) {
      const body = method === "POST" ? "{" : undefined;
      const got = await served.ask(pathOf(url), { method, body, headers: JSON_BODY });
      expect([url, ...refused(got)]).toEqual([url, ...UNKNOWN]);
      expect(got.headers["www-authenticate"]).toBe('Bearer realm="twinwrap"');
    }
  });

  test("is refused whatever it is that stands there, and is not told what is wrong with it", async () => {
    const good = await tokenFor(one, "read");
    const all = await one.service.tokens();
    for (const text of [
      `twinwrap_${"A".repeat(43)}`,
      good.slice(0, -1),
      `${good}A`,
      good.toUpperCase(),
      good.replace("twinwrap_", ""),
      hex(all[0]!.hash),
      all[0]!.id,
      "'; DROP TABLE tokens; --",
      "__proto__",
      "x".repeat(4000),
    ]) {
      const got = await served.ask("/v1/records", { headers: { authorization: `Bearer ${text}` } });
      expect([text, ...refused(got)]).toEqual([text, ...UNKNOWN]);
    }
    for (const authorization of [good, `Basic ${good}`, `Token ${good}`, "Bearer", "Bearer  "]) {
      const got = await served.ask("/v1/records", { headers: { authorization } });
      expect(refused(got)).toEqual(UNKNOWN);
    }
    expect((await served.ask(`/v1/records?access_token=${good}`)).status).toBe(401);
    expect((await served.ask("/v1/records", { token: good })).status).toBe(200);
  });

  test("is refused with the same words whether its token was revoked, has expired or never was", async () => {
    const expires = new Date(Math.floor(Date.now() / 1000) * 1000 + 60_000);
    const [expiring, revoked] = [
      await tokenFor(one, "read", { expires }),
      await tokenFor(one, "read"),
    ];
    const ask = (token: string) => served.ask("/v1/records", { token });
    expect((await ask(expiring)).status).toBe(200);
    expect((await ask(revoked)).status).toBe(200);
    const ids = await Promise.all(
      [expiring, revoked].map(async (text) => (await one.service.token(text))!.id),
    );
    await one.service.revokeToken(ids[1]!);
    const before = await at(new Date(expires.getTime() - 1000), () => ask(expiring));
    expect(before.status).toBe(200);
    const answers = [
      await at(expires, () => ask(expiring)),
      await ask(revoked),
      await ask(`twinwrap_${"A".repeat(43)}`),
    ];
    for (const got of answers) expect(refused(got)).toEqual(UNKNOWN);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  test("is refused at once by every process once the token was revoked by one of them", async () => {
    const other = await openAuthority(one.folder);
    try {
      const there = await serveOffice({ service: other });
      const token = await tokenFor(one, "read");
      for (const each of [served, there]) {
        expect((await each.ask("/v1/records", { token })).status).toBe(200);
      }
      await one.service.revokeToken((await other.token(token))!.id);
      for (const each of [served, there]) {
        expect(refused(await each.ask("/v1/records", { token }))).toEqual(UNKNOWN);
      }
    } finally {
      await closeServices();
      await other.close();
      served = await serveOffice(one, { times: { slow: 0 } });
    }
  });
});

test("a token is for the routes of its scopes alone", async () => {
  const tokens = Object.fromEntries(
    await Promise.all(SCOPES.map(async (scope) => [scope, await tokenFor(one, scope)])),
  ) as Record<Scope, string>;
  for (const { method, url, who } of ROUTES) {
    if (who === "everybody") continue;
    for (const scope of SCOPES) {
      const body = method === "POST" ? "{" : undefined;
      const headers = JSON_BODY;
      const got = await served.ask(pathOf(url), { method, token: tokens[scope], body, headers });
      const isIn = who.includes(scope);
      expect([url, scope, got.json?.code === "FORBIDDEN"]).toEqual([url, scope, !isIn]);
      if (!isIn) expect(refused(got)).toEqual(FORBIDDEN);
    }
  }
  // Looking at a release is for whoever reads; releasing is not.
  const { request, id } = await one.asked(await one.files(1));
  const path = `/v1/requests/${id}/release`;
  expect((await served.ask(path, { token: tokens.read })).status).toBe(202);
  expect(refused(await served.ask(path, { token: tokens.read, body: "" }))).toEqual(FORBIDDEN);
  // A word takes the scope of whoever says it.
  const headers = TEXT_BODY;
  const word = await one.word("ann", request);
  const notes = `/v1/requests/${id}/notes`;
  const said = await served.ask(notes, { token: tokens.recover, body: word, headers });
  expect(refused(said)).toEqual(FORBIDDEN);
  const veto = await signVeto(core, newSigner("olivia"), request);
  const vetoed = await served.ask(notes, { token: tokens.officer, body: veto, headers });
  expect(refused(vetoed)).toEqual(FORBIDDEN);
  expect((await one.service.standing(id)).decision.count.approving).toEqual([]);
});

describe("a token that is bound to an owner", () => {
  let mine: TestFile[];
  let theirs: TestFile[];
  let token: string;
  const SECRET = "the others' description";
  beforeAll(async () => {
    token = await tokenFor(one, ["submit", "recover", "read", "officer"], { owner: "mia" });
    mine = await one.files(3, { owner: "mia" });
    theirs = [await one.file({ owner: "theo", description: SECRET })];
    theirs.push(...(await one.files(2, { owner: "theo" })));
    await one.take(theirs[0]!.submission);
    mine.push(...(await one.files(1, { owner: "mia" })));
  });
  const ask = (path: string, body?: string | Uint8Array, headers = JSON_BODY) =>
    served.ask(path, { token, body, headers });

  test("sees no record and no receipt of others, as if there was none", async () => {
    for (const { record } of mine) {
      expect((await ask(`/v1/records/${hex(record)}`)).status).toBe(200);
      expect((await ask(`/v1/records/${hex(record)}/receipt`)).status).toBe(200);
    }
    for (const end of ["", "/receipt"]) {
      const absent = await ask(`/v1/records/${"0".repeat(64)}${end}`);
      expect(refused(absent)).toEqual(ABSENT);
      for (const { record } of theirs) {
        expect((await ask(`/v1/records/${hex(record)}${end}`)).text).toBe(absent.text);
      }
    }
  });

  test("finds none of others by any search, and by no cursor", async () => {
    const { record, wrap } = theirs[0]!.submission;
    const unbound = new LocalClient(one.service);
    const cursors = ["0", "1", "5", "50", "9007199254740991", "9999999999999999"];
    const { next } = await unbound.records({ owner: "theo" }, { limit: 1 });
    const dated = await unbound.records({ from: new Date(0) }, { limit: 1 });
    cursors.push(next!, dated.next!);
    const queries: Record<string, string>[] = [
      {},
      { serial: hex(record.serial) },
      { text: "others" },
      { text: SECRET },
      { text: "o" },
      { label: "x" },
      { fingerprint: hex(wrap.fingerprint) },
      { status: "verified" },
      { status: "unverified" },
      { from: "2000-01-01T00:00:00Z" },
      { before: "2999-01-01T00:00:00Z" },
      { from: "2000-01-01T00:00:00Z", status: "verified", fingerprint: hex(wrap.fingerprint) },
      { owner: "mia" },
    ];
    for (const query of queries) {
      for (const page of [{}, { limit: "1" }, ...cursors.map((cursor) => ({ cursor }))]) {
        const got = await ask(`/v1/records?${new URLSearchParams({ ...query, ...page })}`);
        if (got.status !== 200) {
          // A cursor of the other order.
          expect([query, page, got.json.code]).toEqual([query, page, "BAD_ARGUMENT"]);
          continue;
        }
        for (const row of got.json.rows) expect(row.record.owner).toBe("mia");
      }
    }
    for (const owner of ["theo", "nobody", "MIA", "mia "]) {
      const got = await ask(`/v1/records?${new URLSearchParams({ owner })}`);
      expect([owner, ...refused(got)]).toEqual([owner, ...FORBIDDEN]);
    }
    expect((await ask("/v1/records?owner=mia&owner=theo")).status).toBe(400);
  });

  test("hands in for its owner alone, and of a list for none but it", async () => {
    const [own, other] = [await one.file({ owner: "mia" }), await one.file({ owner: "theo" })];
    expect(refused(await ask("/v1/records", bodyOf(other)))).toEqual(FORBIDDEN);
    const got = await ask("/v1/records", listOf(other, own, other));
    expect(got.json.map(({ status }: { status: number }) => status)).toEqual([403, 201, 403]);
    expect(got.json[0].error.code).toBe("FORBIDDEN");
    expect(await one.service.recordsByHash([other.record])).toEqual([]);
    // One that is there already is no more visible so.
    expect((await ask("/v1/records", bodyOf(theirs[0]!))).json.code).toBe("FORBIDDEN");
  });

  test("asks for its owner's records alone, and learns of no others", async () => {
    const request = one.request(mine.slice(0, 2));
    expect((await ask("/v1/requests", Buffer.from(encodeRequest(request)))).status).toBe(200);
    const unknown = { ...theirs[0]!, record: new Uint8Array(32) };
    const answers: string[] = [];
    for (const files of [[theirs[0]!], [unknown], [mine[0]!, theirs[0]!], [mine[0]!, unknown]]) {
      const asked = one.request(files);
      const got = await ask("/v1/requests", Buffer.from(encodeRequest(asked)));
      expect(refused(got)).toEqual(FORBIDDEN);
      answers.push(got.text);
      await expect(one.service.standing(idOf(asked))).rejects.toEqual(failing("NOT_FOUND"));
    }
    expect(new Set(answers).size).toBe(1);
  });

  test("sees nothing of others' requests, and of those for a mix of owners its own part", async () => {
    const [own, foreign, mixed] = [
      await one.asked([mine[0]!]),
      await one.asked([theirs[0]!]),
      await one.asked([mine[0]!, theirs[0]!]),
    ];
    for (const { request } of [own, foreign, mixed]) await one.approve(request, "ann", "bob");
    for (const { id } of [own, foreign, mixed]) await one.service.release(id);
    const absent = await ask(`/v1/requests/${"a".repeat(26)}`);
    for (const end of ["", "/release"]) {
      expect((await ask(`/v1/requests/${own.id}${end}`)).status).toBe(200);
      const got = await ask(`/v1/requests/${foreign.id}${end}`);
      expect([got.status, got.text]).toEqual([404, absent.text]);
      const mix = await ask(`/v1/requests/${mixed.id}${end}`);
      if (end !== "") expect(refused(mix)).toEqual(FORBIDDEN);
      expect(mix.text).not.toMatch(/theo|others' desc/);
    }
    const { json } = await ask(`/v1/requests/${mixed.id}`);
    expect(json.records).toHaveLength(1);
    expect(json.records).toEqual((await ask(`/v1/requests/${own.id}`)).json.records);
    const released = await ask(`/v1/requests/${foreign.id}/release`, "");
    expect([released.status, released.text]).toEqual([404, absent.text]);
    expect(refused(await ask(`/v1/requests/${mixed.id}/release`, ""))).toEqual(FORBIDDEN);
    expect(refused(await ask("/v1/requests"))).toEqual(FORBIDDEN);
    for (const { request, id } of [foreign, mixed]) {
      const note = await one.word("cyd", request);
      expect((await ask(`/v1/requests/${id}/notes`, note, TEXT_BODY)).status).not.toBe(200);
    }
  });

  test("vetoes what is asked for with a record of its owner, and sees no more by that", async () => {
    const signer = newSigner("mia");
    const control = writeControlPublicKey(signer.publicKey);
    expect((await ask("/v1/enrolments", control, TEXT_BODY)).status).toBe(201);
    await one.service.enrolOwner("theo", newSigner("theo").publicKey);
    const mixed = await one.asked([theirs[1]!, mine[1]!]);
    const veto = await signVeto(core, signer, mixed.request);
    const got = await ask(`/v1/requests/${mixed.id}/notes`, veto, TEXT_BODY);
    expect([got.status, got.json.enrolled]).toEqual([200, ["mia"]]);
    expect(got.json.records.map((row: { record: { owner: string } }) => row.record.owner)).toEqual([
      "mia",
    ]);
    expect(got.text).not.toContain("theo");
    expect((await one.approve(mixed.request, "ann", "bob")).decision.approved).toBe(false);
    const foreign = await one.asked([theirs[1]!]);
    const other = await signVeto(core, signer, foreign.request);
    const absent = await ask(`/v1/requests/${"a".repeat(26)}`);
    const refusal = await ask(`/v1/requests/${foreign.id}/notes`, other, TEXT_BODY);
    expect([refusal.status, refusal.text]).toEqual([404, absent.text]);
  });
});

describe("an owner is enrolled", () => {
  const enrol = (token: string, control: Uint8Array, query = "") =>
    served.ask(`/v1/enrolments${query}`, { token, body: control, headers: TEXT_BODY });
  const control = () => writeControlPublicKey(newSigner("x").publicKey);

  test("once, by a token that is bound to them; a lost answer is asked for again", async () => {
    const token = await tokenFor(one, "submit", { owner: "ella" });
    const [first, other] = [control(), control()];
    const made = await enrol(token, first);
    expect([made.status, made.headers["cache-control"]]).toEqual([201, "no-store"]);
    const { origin, fingerprint } = one.service.authority;
    const secret = new Uint8Array(Buffer.from(made.json.secret, "base64url"));
    const file = encodeOwnerFile({ authority: origin, fingerprint, owner: "ella", secret });
    expect(made.body.equals(Buffer.from(file))).toBe(true);
    const before = (await one.count()).enrol;
    const again = await enrol(token, first);
    expect([again.status, again.text]).toEqual([200, made.text]);
    expect((await one.count()).enrol).toBe(before);
    const refusal = await enrol(token, other);
    expect([refusal.status, refusal.json.code]).toEqual([403, "NOT_ENTITLED"]);
    expect((await enrol(token, first, "?owner=ella")).status).toBe(200);
    expect(refused(await enrol(token, first, "?owner=emil"))).toEqual(FORBIDDEN);
    // Only an administrator replaces a key.
    const admin = await tokenFor(one, "admin");
    const replaced = await enrol(admin, other, "?owner=ella");
    expect([replaced.status, replaced.json.secret]).toEqual([201, made.json.secret]);
    expect((await enrol(token, first)).json.code).toBe("NOT_ENTITLED");
  });

  test("by nobody whose token is bound to none, unless they administer", async () => {
    for (const scope of ["submit", "recover"] as const) {
      const token = await tokenFor(one, scope);
      expect(refused(await enrol(token, control(), "?owner=nils"))).toEqual(FORBIDDEN);
      expect((await enrol(token, control())).json.code).toBe("BAD_ARGUMENT");
    }
    const bound = await tokenFor(one, "admin", { owner: "nora" });
    expect(refused(await enrol(bound, control(), "?owner=nils"))).toEqual(FORBIDDEN);
    expect((await enrol(bound, control())).status).toBe(201);
    const admin = await tokenFor(one, "admin");
    expect((await enrol(admin, control())).json.code).toBe("BAD_ARGUMENT");
    expect((await enrol(admin, control(), "?owner=nils")).status).toBe(201);
    expect((await one.service.owners()).map(({ owner }) => owner)).toContain("nils");
  });

  test("with a public Ed25519 key and nothing else", async () => {
    const token = await tokenFor(one, "submit", { owner: "pia" });
    for (const body of ["", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"]) {
      const got = await served.ask("/v1/enrolments", { token, body, headers: TEXT_BODY });
      expect([body, Math.floor(got.status / 100)]).toEqual([body, 4]);
    }
    expect((await one.service.owners()).map(({ owner }) => owner)).not.toContain("pia");
    const ann = writeControlPublicKey(one.officers.get("ann")!.publicKey);
    expect((await enrol(token, ann)).json.code).toBe("BAD_ARGUMENT");
  });

  test("by one of two who come at the same time with different keys", async () => {
    const token = await tokenFor(one, "recover", { owner: "quin" });
    const got = await Promise.all([enrol(token, control()), enrol(token, control())]);
    expect(got.map(({ status }) => status).sort()).toEqual([201, 403]);
  });
});

describe("guessing", () => {
  test("is held back after a few, in numbers that are bounded, and logged with its address", async () => {
    const there = await serveOffice(one, { limits: { calls: 2 }, times: { slow: 3_600_000 } });
    const guess = (n: number) =>
      there.ask("/v1/records", { token: `twinwrap_${String(n).padStart(43, "A")}` });
    const quick: Got[] = [];
    for (let n = 0; n < 5; n++) quick.push(await guess(n));
    expect(quick.map(({ status }) => status)).toEqual(Array(5).fill(401));
    // Of three, whichever come first, two wait for an hour; whoever comes then is told to.
    let answered = 0;
    const guesses = [guess(6), guess(7), guess(8)];
    const held = guesses.map((one) => one.finally(() => answered++).catch(() => {}));
    const first = await Promise.race(guesses);
    const last = await guess(9);
    for (const { status, headers, json } of [first, last]) {
      expect([status, json.code, Number(headers["retry-after"]) > 0]).toEqual([429, "BUSY", true]);
    }
    expect(answered).toBe(1);
    // Meanwhile others are served, from the same address too.
    const token = await tokenFor(one, "read");
    expect((await there.ask("/v1/records", { token })).status).toBe(200);
    const lines = there.log.map((line) => JSON.parse(line)).filter(({ status }) => status === 401);
    expect(lines.length).toBe(5);
    for (const line of lines) expect(line).toMatchObject({ level: 40, address: "127.0.0.1" });
    expect(there.log.join("")).not.toContain("twinwrap_");
    await closeServices();
    await Promise.all(held);
  });
});
