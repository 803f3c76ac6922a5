import { spawnSync } from "node:child_process";
import { loadCore } from "twinwrap/core";
import * as escrow from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { messagePieces } from "#build/escrow/message.js";
import { some } from "../quick.js";
import { proveRelease, requestEntry, TestLog } from "./client-material.js";
import { fill, ONE_OFFICER, OTHER_SPKI, releaseEntry, SPKI, signer, spareKey } from "./material.js";

// Messages as people get them: mail programs and editors change a text. What is signed is not weakened: the bytes
// that come out are compared with those that went in.

const core = await loadCore();
const log = signer("office", 1);
const ann = signer("ann", 2);
const testLog = new TestLog(core, "office", log);

const created = new Date("2026-02-01T00:00:00Z");
const submission = await escrow.makeSubmission(core, {
  sessionKey: fill(1),
  authority: { origin: "office", wrapKey: readPublicKey(SPKI), padding: "oaep" },
  owner: "alice",
  file: {
    serial: fill(1, 16),
    hash: fill(2),
    salt: fill(3, 24),
    commitment: fill(4),
    description: `Minutes of the board, "May": ${"all that was said there and then ".repeat(4)}\n(two pages)`,
  },
});
const receipt = await testLog.receipt(escrow.recordHash(core, submission.record));
const request = escrow.makeRequest({
  authority: "office",
  requester: "Alice Müller, on the phone",
  recipient: readPublicKey(OTHER_SPKI),
  records: [fill(1), fill(2)],
  created,
});
const requestLeaf = testLog.add(requestEntry(core, request));
const releaseLeaf = testLog.add(releaseEntry(created));
const release = await proveRelease(testLog, request, requestLeaf, [
  {
    record: fill(1),
    wrap: { fingerprint: fill(7), padding: "oaep", simpleBlob: fill(8, 268) },
    leaf: releaseLeaf,
  },
]);
const policyText = escrow.formatPolicy({
  authority: "office",
  ...ONE_OFFICER,
  officers: [{ name: "ann", key: ann.publicKey, share: spareKey(1), self: ["alice"] }],
});
const policy = await escrow.signNote(core, policyText, log, ann);
/** As it stands in authority.json. */
const identity = await escrow.signNote(
  core,
  escrow.formatIdentity({
    origin: "office",
    number: 1,
    previous: escrow.policyHash(core, policyText),
    log,
    wrapKeys: [readPublicKey(SPKI)],
    paddings: ["oaep"],
    ended: [],
  }),
  log,
);
/** One that ends a log: officers sign it by file. */
const closing = await escrow.signNote(
  core,
  escrow.formatIdentity({
    origin: "office",
    number: 2,
    previous: fill(5),
    log: signer("office-2", 4),
    wrapKeys: [readPublicKey(SPKI), readPublicKey(OTHER_SPKI)],
    paddings: ["oaep", "pkcs1-v1_5"],
    ended: [{ ...log, kept: { size: 3, root: fill(1) }, end: { size: 17, root: fill(2) } }],
  }),
  signer("office-2", 4),
  log,
);
const owner = escrow.encodeOwnerFile({
  authority: "office",
  fingerprint: fill(6),
  owner: "alice",
  secret: fill(7),
});
const approval = await escrow.signApproval(core, ann, request, fill(9), {
  decision: "approve",
  identity: `${"met at the counter and seen the passport, ".repeat(3)}number 17`,
  date: created,
});
const veto = await escrow.signVeto(core, signer("alice", 3), request, { date: created });
const checkpoint = receipt.proof.slice(receipt.proof.indexOf("\n\n") + 2);

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
const MESSAGES: [string, string][] = [
  ["submission", text(escrow.encodeSubmission(submission))],
  ["receipt", text(escrow.encodeReceipt(receipt))],
  ["request", text(escrow.encodeRequest(request))],
  ["release", text(escrow.encodeRelease(release))],
  ["authority", text(escrow.encodeAuthority({ identities: [identity], policies: [policy] }))],
  ["owner", text(owner)],
  ["approval", approval],
  ["veto", veto],
  ["policy", policy],
  ["identity", closing],
  ["checkpoint", checkpoint],
];

/** A message's own bytes, from what was decoded. */
function again(message: escrow.Message): string {
  switch (message.kind) {
    case "submission":
      return text(escrow.encodeSubmission(message.submission));
    case "receipt":
      return text(escrow.encodeReceipt(message.receipt));
    case "request":
      return text(escrow.encodeRequest(message.request));
    case "release":
      return text(escrow.encodeRelease(message.release));
    case "authority":
      return text(escrow.encodeAuthority(message.authority));
    case "owner":
      return text(escrow.encodeOwnerFile(message.owner));
    case "connection":
      return text(escrow.encodeConnection(message.connection));
    default:
      return message.note;
  }
}

const eachLine = (content: string, change: (line: string) => string) =>
  content.split("\n").map(change).join("\n");
/** Lines of at most `width` where there are blanks; a blank is kept at a line's end, or swallowed. */
const folded = (width: number, keep: boolean) => (content: string) =>
  eachLine(content, (line) => {
    const words = line.split(" ");
    let [result, length] = [words[0]!, words[0]!.length];
    for (const word of words.slice(1)) {
      const breaks = length + 1 + word.length > width;
      result += breaks ? `${keep ? " " : ""}\n${word}` : ` ${word}`;
      length = breaks ? word.length : length + 1 + word.length;
    }
    return result;
  });
const cut = (width: number) => (content: string) =>
  eachLine(content, (line) => line.match(new RegExp(`.{1,${width}}`, "gsu"))?.join("\n") ?? line);

const CHANGES: [string, (content: string) => string][] = [
  ["as it is", (content) => content],
  ["a byte order mark", (content) => `\ufeff${content}`],
  ["line ends of Windows", (content) => content.replaceAll("\n", "\r\n")],
  ["line ends of old Macs", (content) => content.replaceAll("\n", "\r")],
  ["a line's end more", (content) => `${content}\n`],
  [
    "two more, of Windows, and a mark",
    (content) => `\ufeff${content.replaceAll("\n", "\r\n")}\r\n\r\n`,
  ],
  ["no line's end", (content) => content.replace(/\n$/, "")],
  [
    "blanks at ends of lines",
    (content) => eachLine(content, (line) => (line === "" ? line : `${line}  `)),
  ],
  ["blanks and lines before", (content) => `\n  \n${content}`],
  ["folded at blanks, which stay", folded(72, true)],
  ["folded at blanks, which go", folded(72, false)],
  [
    "folded, with line ends of Windows",
    (content) => folded(72, false)(content).replaceAll("\n", "\r\n"),
  ],
];
/** Where any place is as good, what people wrote may be cut in a word: only JSON is cut so. */
const CUTS: [string, (content: string) => string][] = [
  ["cut at 998 bytes", cut(998)],
  ["cut at 76", cut(76)],
];

describe.each(MESSAGES)("%s", (kind, content) => {
  const changes = content.startsWith("{") ? [...CHANGES, ...CUTS] : CHANGES;
  test.each(changes)("%s", (_, change) => {
    const message = escrow.decodeMessage(core, Buffer.from(change(content)));
    expect(message.kind).toBe(kind);
    expect(again(message)).toBe(content);
  });

  test("a changed letter is no change that carrying makes", () => {
    const at = content.lastIndexOf("office");
    const altered = `${content.slice(0, at)}0ffice${content.slice(at + 6)}`;
    const message = escrow.decodeMessage(core, Buffer.from(`${altered}\r\n`));
    expect(again(message)).toBe(altered);
  });
});

test("a line that is broken before a word of another kind of note is put together", async () => {
  for (const word of ["log", "alg", "end", "owner", "number", "share", "self"]) {
    const identity = `met at the counter, seen the passport; ${word} 17 of the book`;
    const note = await escrow.signApproval(core, ann, request, fill(9), {
      decision: "approve",
      identity,
    });
    const broken = note.replace(` ${word} 17`, `\n${word} 17`);
    expect(broken).not.toBe(note);
    expect(again(escrow.decodeMessage(core, Buffer.from(broken)))).toBe(note);
  }
});

test("what is signed verifies as it did", async () => {
  const carried = Buffer.from(`\ufeff${approval.replaceAll("\n", "\r\n")}\r\n`);
  const message = escrow.decodeMessage(core, carried);
  if (message.kind !== "approval") return expect.unreachable(message.kind);
  await escrow.verifyNote(core, message.note, [ann]);
  await expect(escrow.verifyNote(core, carried.toString(), [ann])).rejects.toThrow(
    expect.objectContaining({ code: "BAD_FORMAT" }),
  );
});

test("JSON laid out for people is read, in another order it is not", () => {
  const parsed = JSON.parse(MESSAGES[2]![1]);
  const pretty = Buffer.from(JSON.stringify(parsed, null, 2));
  expect(again(escrow.decodeMessage(core, pretty))).toBe(MESSAGES[2]![1]);
  const { type, ...rest } = parsed;
  const moved = Buffer.from(JSON.stringify({ type, ...rest }));
  expect(() => escrow.decodeMessage(core, moved)).toThrow(/order of its members/);
  const twice = Buffer.from(MESSAGES[2]![1].replace('"v":1', '"v":1,"v":1'));
  expect(() => escrow.decodeMessage(core, twice)).toThrow(/canonical/);
});

test.each([
  ["a certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"],
  ["an OpenSSH private key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"],
  ["an OpenSSH public key", "ssh-ed25519 AAAA me@here\n"],
  ["a private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"],
  ["a public key", "Bag Attributes\n-----BEGIN PUBLIC KEY-----\nAAAA\n"],
  ["a JWK", '{"kty":"RSA","n":"AQAB"}'],
  ["a sealed file", "TWIN\r\n\x1a\n\0\x01"],
  ["no message of an authority or an owner", "hello"],
  ["no message of an authority or an owner", '{"a":1}'],
  ["no message of an authority or an owner", ""],
])("%s is told as what it is", (what, content) => {
  expect(() => escrow.decodeMessage(core, Buffer.from(content, "latin1"))).toThrow(
    expect.objectContaining({
      code: "BAD_FORMAT",
      message: expect.stringMatching(`^this is ${what}`),
    }),
  );
});

describe("no more is read or parsed than a message of its kind can have", () => {
  /** What begins as a message does and goes on with small values. */
  const long = (start: string, bytes: number) =>
    Buffer.concat([Buffer.from(start), Buffer.alloc(bytes, "{},")]);
  const STARTS: [string, string, number][] = [
    ["submission", '{"record":[', 16 << 10],
    ["receipt", '{"leaf":[', 96 << 10],
    ["request", '{"alg":[', 256 << 10],
    ["something else", '{"type":"twinwrap/receipt/v1","x":[', 64 << 10],
    ["a note", "twinwrap/approval/v1\n", 64 << 10],
  ];

  test.each(STARTS)("%s: reading stops", async (_, start, limit) => {
    let read = 0;
    const pieces = async function* () {
      for (const whole = long(start, 4 << 20); read < whole.length; ) {
        const piece = whole.subarray(read, read + 4096);
        read += piece.length;
        yield piece;
      }
    };
    const all = async () => {
      for await (const _ of messagePieces(pieces()));
    };
    await expect(all()).rejects.toMatchObject({
      code: expect.stringMatching(/LIMIT_EXCEEDED|BAD_FORMAT/),
    });
    expect(read).toBeLessThanOrEqual(limit + limit / 8 + 1024 + 4096);
  });

  test("nothing is parsed that is too long, or has too many values", () => {
    const { parse } = JSON;
    let parsed = 0;
    JSON.parse = (content: string) => {
      parsed++;
      return parse(content);
    };
    try {
      for (const [, start] of STARTS) {
        expect(() => escrow.decodeMessage(core, long(start, 1 << 20))).toThrow();
      }
      for (const start of ['{"releases":[', '{"identities":[']) {
        expect(() => escrow.decodeMessage(core, long(start, 1 << 20))).toThrow(/values/);
      }
      expect(parsed).toBe(0);
      escrow.decodeMessage(core, Buffer.from(MESSAGES[0]![1]));
      expect(parsed).toBe(1);
    } finally {
      JSON.parse = parse;
    }
  });
});

describe("what was made to be taken apart is refused in little memory, and ends", () => {
  const built = (name: string) => new URL(`../../build/${name}`, import.meta.url).href;
  const run = `
    import { loadCore } from ${JSON.stringify(built("core/index.js"))};
    import { decodeMessage } from ${JSON.stringify(built("escrow/index.js"))};
    const core = await loadCore();
    const [start, part, bytes, times] = JSON.parse(process.argv[1]);
    const content = Buffer.from(start + part.repeat(bytes / part.length) + "x");
    let code;
    for (let i = 0; i < times; i++) {
      try { decodeMessage(core, content); } catch (error) { code = error.code; }
    }
    process.stdout.write(String(code));
  `;
  // Taken apart, each of the first would be gigabytes, and the last minutes of work.
  const hostile: [string, string, string, number, number][] = [
    ["line ends in a text", '{"releases":["', "\n", 32 << 20, 1],
    ["line ends between values", '{"releases":[', "\r", 32 << 20, 1],
    ["texts", '{"releases":[', '"', 32 << 20, 1],
    ["broken lines", '{"releases":["', "a\r\n", 33_554_430, 1],
    ["blanks in a line", "twinwrap/approval/v1\nidentity a", `${" ".repeat(60_000)}b`, 60_001, 60],
  ];
  test.each(some(hostile, 4))("%s", (_, ...data) => {
    const limits = ["--max-old-space-size=400", "--input-type=module"];
    const { stdout } = spawnSync(process.execPath, [...limits, "-e", run, JSON.stringify(data)], {
      encoding: "utf8",
      timeout: 150_000,
      killSignal: "SIGKILL",
    });
    expect(stdout).toMatch(/^(BAD_FORMAT|NOT_VERIFIED)$/);
  });
});

test("JSON that was cut behind a backslash is put together again", () => {
  const content = text(escrow.encodeRequest({ ...request, requester: 'Alice "the boss" Müller' }));
  const at = content.indexOf("\\");
  expect(at).toBeGreaterThan(0);
  const broken = `${content.slice(0, at + 1)}\n${content.slice(at + 1)}`;
  expect(again(escrow.decodeMessage(core, Buffer.from(broken)))).toBe(content);
});

describe("what the engine lacks is not the message's fault", () => {
  const LACKING: [string, object, string][] = [
    ["TextDecoder.prototype.decode", TextDecoder.prototype, "decode"],
    ["JSON.parse", JSON, "parse"],
  ];
  test.each(LACKING)("%s", (_, owner, name) => {
    const own = Object.getOwnPropertyDescriptor(owner, name)!;
    const content = Buffer.from(MESSAGES[0]![1]);
    let error: unknown;
    delete (owner as Record<string, unknown>)[name];
    try {
      escrow.decodeMessage(core, content);
    } catch (thrown) {
      error = thrown;
    } finally {
      Object.defineProperty(owner, name, own);
    }
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(name);
  });
});

test("the fixtures are what they seem", () => {
  expect(
    MESSAGES.map(([, content]) => escrow.decodeMessage(core, Buffer.from(content)).kind),
  ).toEqual(MESSAGES.map(([kind]) => kind));
});
