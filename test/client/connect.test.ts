// A program reaches an authority's service with connectAuthority.
import type { FastifyInstance } from "fastify";
import { open, seal } from "twinwrap";
import {
  connectAuthority,
  Escrower,
  handInDecision,
  makeAsked,
  needConfirmed,
  recordsToAsk,
  replaceReleased,
  signDecision,
  standingOf,
  takeRelease,
  Unreachable,
} from "twinwrap/client";
import { inspectHead, rewrap } from "twinwrap/envelope";
import { checkFile, isRecoverable } from "twinwrap/escrow";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { encodeConnection } from "#build/escrow/connection.js";
import { build } from "#build/http/server.js";
import {
  core,
  failing,
  NOT_VERIFIED,
  newOwner,
  type Office,
  owner,
  useOffices,
} from "../authority/office.js";

const make = useOffices({ isOpen: true });
const running: FastifyInstance[] = [];
afterAll(async () => {
  for (const app of running) await app.close();
});

/** A service on a free port of this machine. */
async function serve({ service }: Office) {
  const app = await build({ service });
  running.push(app);
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const { text: token } = await service.addToken({
    scopes: ["submit", "recover", "read", "officer"],
    owner: undefined,
    expires: undefined,
  });
  return { app, url, token, authority: await service.file() };
}

let office: Office;
let reach: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  office = await make();
  reach = await serve(office);
});
const given = () => ({ url: reach.url, authority: reach.authority, token: reach.token });

describe("a service that is there", () => {
  test("takes a key in, and gives it back once its officers approve", async () => {
    // As a connection file has it, whose secret is not asked for.
    const owned = { id: "olivia", secret: new Uint8Array(32).fill(7) };
    const party = await connectAuthority(core, encodeConnection({ ...given(), owner: owned }));
    expect([party.authority.origin, party.isNewer]).toEqual([
      office.service.authority.origin,
      false,
    ]);
    const escrower = new Escrower([party], "olivia");
    const file = await (
      await seal(Buffer.from("debit"), { to: [owner.publicKey], escrows: escrower.make })
    ).bytes();
    const head = await inspectHead(file);
    const reports = await checkFile(core, head, party.authority, party.view);
    expect(isRecoverable(reports, party.authority)).toBe(true);

    const { records } = await recordsToAsk(party, head);
    const recipient = newOwner.publicKey;
    const { request, id } = makeAsked(party, { requester: "Olivia", recipient, records });
    await party.client.ask(request);
    expect(await party.client.released(id)).toBeUndefined();
    for (const name of ["ann", "bob"]) {
      const about = { decision: "approve", identity: "met" } as const;
      const question = await standingOf(party, id);
      const note = await signDecision(core, question, office.officers.get(name)!, about);
      await handInDecision(party, id, note);
    }
    const release = await party.client.released(id);
    const recovery = await takeRelease(party, release!, { request });
    needConfirmed(recovery);
    const { patch } = await rewrap(file, replaceReleased(recovery, newOwner.privateKey));
    const now = Buffer.from(file);
    now.set(patch!.bytes, patch!.offset);
    const opened = await open(now, { key: newOwner.privateKey });
    expect(Buffer.from(await opened.bytes()).toString()).toBe("debit");
  });

  test("is another authority, or one that knows less: refused; one that knows more: told", async () => {
    const other = await serve(await make());
    await expect(connectAuthority(core, { ...given(), url: other.url })).rejects.toEqual(
      NOT_VERIFIED,
    );
    const { policies, identities } = reach.authority;
    const earlier = { identities, policies: policies.slice(0, -1) };
    const party = await connectAuthority(core, { ...given(), authority: earlier });
    expect([party.isNewer, party.file]).toEqual([true, reach.authority]);
    const forgetful: typeof fetch = async (...call) => {
      const response = await fetch(...call);
      const text = await response.text();
      const file = { ...JSON.parse(text), policies: undefined };
      return new Response(JSON.stringify(file), response);
    };
    await expect(connectAuthority(core, given(), { fetch: forgetful })).rejects.toThrow(/behind/);
  });

  test("is called as an engine's own fetch calls it, with the token and nothing else of the file", async () => {
    const calls: { url: string; headers: unknown }[] = [];
    const watching: typeof fetch = (url, init) => {
      calls.push({ url: String(url), headers: init?.headers });
      return fetch(url, init);
    };
    const party = await connectAuthority(core, given(), { fetch: watching });
    await party.client.policies();
    const headers = { authorization: `Bearer ${reach.token}` };
    expect(calls).toEqual([
      { url: `${reach.url}/v1/authority`, headers },
      { url: `${reach.url}/v1/policy`, headers },
    ]);
  });
});

describe("arguments", () => {
  test.each([
    ["no address", { url: "keys.example.org" }],
    ["plain HTTP elsewhere", { url: "http://keys.example.org" }],
    ["a token that is none", { token: "two words" }],
    ["a token over lines", { token: "one\r\nx-more: 1" }],
    ["no notes", { authority: undefined }],
  ])("%s", async (_, change) => {
    const wrong = { ...given(), ...change } as ReturnType<typeof given>;
    await expect(connectAuthority(core, wrong)).rejects.toEqual(failing("BAD_ARGUMENT"));
  });

  test("options that there are not, and bytes that are no connection file", async () => {
    const options = { patient: true } as object;
    await expect(connectAuthority(core, given(), options)).rejects.toEqual(failing("BAD_ARGUMENT"));
    await expect(connectAuthority(core, Buffer.from("{}"))).rejects.toEqual(failing("BAD_FORMAT"));
  });
});

describe("a service that is away", () => {
  afterEach(() => vi.useRealTimers());

  test("is no reason to wait longer than the caller has patience", async () => {
    const refusing = () => Promise.reject(new TypeError("fetch failed"));
    const connecting = connectAuthority(core, given(), { patience: 0, fetch: refusing });
    const error = await connecting.catch((error) => error);
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.code).toBe("UNAVAILABLE");
  });

  test.each([
    [10_000, 10_000],
    [0, 30_000],
    [30_000, 30_000],
    [3_600_000, 30_000],
  ])(
    "one that says nothing is hung up on: patience %i ms, after %i ms",
    async (patience, limit) => {
      const ends = new Set<number>();
      vi.useFakeTimers();
      const stop = new AbortController();
      let called = () => {};
      const isCalled = new Promise<void>((resolve) => {
        called = resolve;
      });
      const silent = (_: unknown, { signal }: { signal?: AbortSignal | null } = {}) =>
        new Promise<Response>((_, reject) => {
          const begin = Date.now();
          called();
          signal!.addEventListener("abort", () => {
            ends.add(Date.now() - begin);
            reject(new DOMException("aborted", "AbortError"));
          });
        });
      const options = { patience, fetch: silent as typeof fetch, signal: stop.signal };
      const connecting = connectAuthority(core, given(), options).catch((error) => error);
      await isCalled;
      await vi.advanceTimersByTimeAsync(limit - 1);
      expect([...ends]).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect([...ends]).toEqual([limit]);
      stop.abort();
      const { code } = await connecting;
      expect(code).toBe(patience > limit ? "ABORTED" : "UNAVAILABLE");
    },
  );

  test("ends when the caller says so", async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(connectAuthority(core, given(), { signal: stop.signal })).rejects.toEqual(
      failing("ABORTED"),
    );
  });
});
