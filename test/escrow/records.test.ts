import fc from "fast-check";
import { loadCore } from "twinwrap/core";
import * as escrow from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { BAD_FORMAT, b64url, fill, hex, SPKI, sha256 } from "./material.js";

const core = await loadCore();

// One example of every format, written by hand. What is decoded from it and encoded again must be the
// same bytes, and nothing that differs in a byte may be decoded to the same value.

const ALG = '{"body":"Cobblestone-256","key":"CALG_AES_256","wrap":"SIMPLEBLOB"}';
const CORE =
  `{"alg":${ALG},"authority":"example.org/backup","blind":"${b64url(fill(5))}"` +
  `,"commitment":"${b64url(fill(4))}","created":"2026-01-31T23:59:59Z"` +
  `,"description":"Grüße \\n\\"x\\"","header":"${b64url(fill(2))}","owner":"o-17"` +
  `,"salt":"${b64url(fill(3, 24))}","serial":"${b64url(fill(1, 16))}","v":1}`;
const WRAP = `{"alg":"rsa-oaep-sha1","fingerprint":"${b64url(fill(7))}","simpleblob":"${b64url(fill(8, 268))}"}`;
const SUBMISSION = `{"record":${CORE},"tag":"${b64url(fill(6))}","type":"twinwrap/submission/v1","wrap":${WRAP}}`;

const blobAlg = (key: string) => `{"body":"blob","key":"${key}","wrap":"SIMPLEBLOB"}`;
const PROVEN = CORE.replace(ALG, blobAlg("CALG_AES_256")).replace(
  '"owner"',
  '"label":"№ 1","owner"',
);
const UNPROVEN =
  `{"alg":${blobAlg("CALG_RC4")},"authority":"example.org/backup","blind":"${b64url(fill(5))}"` +
  `,"created":"2026-01-31T23:59:59Z","description":"x","keyLength":5,"label":"№ 1"` +
  `,"owner":"o-17","serial":"${b64url(fill(1, 16))}","v":1,"wrap":"${b64url(fill(9))}"}`;
const UNPROVEN_SUBMISSION = `{"record":${UNPROVEN},"type":"twinwrap/submission/v1","wrap":${WRAP}}`;

const RECORDS = [fill(0x10), fill(0xfb), fill(0xff)]; // "EBA…", "-_v…", "___…": not in the order of their texts
const REQUEST =
  `{"alg":"rsa-oaep-sha1","authority":"example.org/backup","created":"2026-02-01T00:00:00Z"` +
  `,"expires":"2026-02-15T00:00:00Z","nonce":"${b64url(fill(9, 16))}"` +
  `,"recipient":"${b64url(SPKI)}","records":["${RECORDS.map(b64url).join('","')}"]` +
  `,"requester":"Anna Müller (phone 1234)","type":"twinwrap/request/v1","v":1}`;

const leafText = (type: string, record: Buffer) =>
  `twinwrap/leaf/v1\\ntype ${type}\\ntime 2026-02-01T00:00:01Z\\nrecord ${hex(record)}\\nowner ${hex(fill(2))}\\n`;
const RECEIPT = `{"leaf":"${leafText("verified", fill(1))}","proof":"any text\\n","type":"twinwrap/receipt/v1"}`;
const released = (record: Buffer) =>
  `{"leaf":"${leafText("release", record)}request ${hex(fill(3))}\\npolicy ${hex(fill(4))}\\napprovals ${hex(fill(5))}\\n` +
  `recipient ${hex(fill(6))}\\nbasis quorum\\n","proof":"any text\\n","record":"${b64url(record)}","wrap":${WRAP}}`;
const REQUESTED =
  `{"leaf":"twinwrap/leaf/v1\\ntype request\\ntime 2026-02-01T00:00:00Z\\nrequest ${hex(fill(3))}\\n` +
  `policy ${hex(fill(4))}\\nexpires 2026-02-15T00:00:00Z\\nnotbefore 2026-02-01T00:00:00Z\\n` +
  `owner ${hex(fill(2))}\\n","proof":"any text\\n"}`;
const releaseOf = (...records: Buffer[]) =>
  `{"releases":[${records.map(released).join()}],"request":${REQUEST},"requested":${REQUESTED}` +
  `,"type":"twinwrap/release/v1"}`;
const RELEASE = releaseOf(RECORDS[0]!, RECORDS[2]!);

const AUTHORITY =
  '{"identities":["a\\n","b\\n"],"policies":["c\\n"],"type":"twinwrap/authority/v1"}';

const FORMATS: [string, string, (bytes: Uint8Array) => Uint8Array][] = [
  ["submission", SUBMISSION, (b) => escrow.encodeSubmission(escrow.decodeSubmission(b))],
  ["core", CORE, (b) => escrow.encodeRecord(escrow.decodeRecord(b))],
  ["core of a proven blob", PROVEN, (b) => escrow.encodeRecord(escrow.decodeRecord(b))],
  ["core of an unproven blob", UNPROVEN, (b) => escrow.encodeRecord(escrow.decodeRecord(b))],
  [
    "submission of a proven blob",
    SUBMISSION.replace(CORE, PROVEN),
    (b) => escrow.encodeSubmission(escrow.decodeSubmission(b)),
  ],
  [
    "submission of an unproven blob",
    UNPROVEN_SUBMISSION,
    (b) => escrow.encodeSubmission(escrow.decodeSubmission(b)),
  ],
  ["receipt", RECEIPT, (b) => escrow.encodeReceipt(escrow.decodeReceipt(b))],
  ["request", REQUEST, (b) => escrow.encodeRequest(escrow.decodeRequest(b))],
  ["release", RELEASE, (b) => escrow.encodeRelease(escrow.decodeRelease(b))],
  ["authority.json", AUTHORITY, (b) => escrow.encodeAuthority(escrow.decodeAuthority(b))],
];

describe.each(FORMATS)("%s", (_, text, again) => {
  const bytes = Buffer.from(text);

  test("the example by hand decodes, and encodes to the same bytes", () => {
    expect(Buffer.from(again(bytes)).toString()).toBe(text);
  });

  test("a byte changed: refused, or another value that encodes to the changed bytes", () => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, xor) => {
          const changed = Buffer.from(bytes);
          changed[at]! ^= xor;
          try {
            expect(Buffer.from(again(changed)).equals(changed)).toBe(true);
          } catch (error) {
            expect(error).toMatchObject({
              code: expect.stringMatching(/^(BAD_FORMAT|BAD_KEY|WEAK_KEY|LIMIT_EXCEEDED)$/),
            });
            refused++;
          }
        },
      ),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(200);
  });

  test("cut, prefixed or followed by anything: refused", () => {
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => again(bytes.subarray(0, length))).toThrow(BAD_FORMAT);
    }
    for (const odd of [`${text} `, `${text}\n`, ` ${text}`, `\ufeff${text}`, `[${text}]`]) {
      expect(() => again(Buffer.from(odd))).toThrow(BAD_FORMAT);
    }
  });

  test("every object in it: a member more, a member less, members in another order", () => {
    const value = JSON.parse(text);
    const optional = ["description", "label", "policies", "releases"];
    const objects = (item: unknown): Record<string, unknown>[] => {
      if (typeof item !== "object" || item === null) return [];
      const inner = Object.values(item).flatMap(objects);
      return Array.isArray(item) ? inner : [item as Record<string, unknown>, ...inner];
    };
    for (const object of objects(value)) {
      const sound = () => Buffer.from(JSON.stringify(value));
      expect(sound().equals(bytes)).toBe(true);
      object.zzz = 1;
      expect(() => again(sound())).toThrow(BAD_FORMAT);
      delete object.zzz;
      const entries = Object.entries(object);
      for (const [name] of entries) {
        delete object[name];
        if (!optional.includes(name)) expect(() => again(sound())).toThrow(BAD_FORMAT);
        for (const [key] of entries) delete object[key];
        Object.assign(object, Object.fromEntries(entries));
      }
      if (entries.length > 1) {
        delete object[entries[0]![0]];
        object[entries[0]![0]] = entries[0]![1]; // now the last
        expect(() => again(sound())).toThrow(BAD_FORMAT);
        for (const [key] of entries) delete object[key];
        Object.assign(object, Object.fromEntries(entries));
      }
    }
  });
});

describe("what a format does not allow", () => {
  const replaced = (text: string, from: string, to: string) => {
    expect(text).toContain(from);
    return Buffer.from(text.replace(from, to));
  };

  test.each([
    ['"v":1', '"v":2'],
    ['"v":1', '"v":1.0'],
    ["example.org/backup", "twinwrap/backup"],
    ["example.org/backup", ""],
    ["example.org/backup", "a b"],
    ["example.org/backup", "a\u2003b"],
    ["example.org/backup", "a+b"],
    ["o-17", "o 17"],
    ["o-17", "x".repeat(256)],
    ["CALG_AES_256", "CALG_AES_128"],
    ["2026-01-31T23:59:59Z", "2026-01-31T23:59:60Z"],
    ["2026-01-31T23:59:59Z", "2026-01-31T23:59:59.000Z"],
    [b64url(fill(5)), b64url(fill(5, 31))],
    [b64url(fill(6)), b64url(fill(6, 33))],
    ['"rsa-oaep-sha1"', '"oaep"'],
    ['"rsa-oaep-sha1"', '"rsa-oaep-sha256"'],
    ['"rsa-oaep-sha1"', '"rsa-oaep-sha1 rsa-pkcs1-v1_5"'],
    ['"alg":"rsa-oaep-sha1",', ""],
    ['"simpleblob"', '"padding":"oaep","simpleblob"'],
    ["Grüße", "x".repeat(4097)],
    ["Grüße", "\\u0000"],
    ["Grüße", "\\u0001"],
    ["Grüße", "\\ud800"],
  ])("submission: %s → %s", (from, to) => {
    const changed = replaced(SUBMISSION, from, to);
    // A control character in a description is allowed, but for U+0000.
    if (to === "\\u0001") expect(() => escrow.decodeSubmission(changed)).not.toThrow();
    else expect(() => escrow.decodeSubmission(changed)).toThrow(BAD_FORMAT);
  });

  const tag = `"tag":"${b64url(fill(6))}"`;
  test.each([
    // A key that nobody proves comes without a tag or a commitment, and says which wrap it is for.
    ['"type"', `${tag},"type"`],
    ['"created"', `"commitment":"${b64url(fill(4))}","created"`],
    ['"keyLength"', `"header":"${b64url(fill(2))}","keyLength"`],
    [`,"wrap":"${b64url(fill(9))}"`, ""],
    [b64url(fill(9)), b64url(fill(9, 31))],
    // A key's length is one of its algorithm, and said only where there are several.
    ['"keyLength":5', '"keyLength":4'],
    ['"keyLength":5', '"keyLength":17'],
    ['"keyLength":5', '"keyLength":5.5'],
    ['"keyLength":5', '"keyLength":"5"'],
    ['"keyLength":5,', ""],
    ["CALG_RC4", "CALG_AES_256"],
    ["CALG_RC4", "CALG_3DES"],
    ["CALG_RC4", "CALG_RSA_KEYX"],
    ["CALG_RC4", "rc4"],
    ['"body":"blob"', '"body":"Cobblestone-256"'],
    ['"body":"blob"', '"body":"file"'],
    // A label is one line.
    ['"label":"№ 1"', '"label":""'],
    ['"label":"№ 1"', '"label":"a\\nb"'],
    ['"label":"№ 1"', '"label":"\u0085"'],
    ['"label":"№ 1"', `"label":"${"ü".repeat(128)}"`],
  ])("submission of an unproven blob: %s → %s", (from, to) => {
    expect(() => escrow.decodeSubmission(replaced(UNPROVEN_SUBMISSION, from, to))).toThrow(
      BAD_FORMAT,
    );
  });

  test("no commitment stands beside a key that is not of AES-256, and none goes without its tag", () => {
    const proven = SUBMISSION.replace(CORE, PROVEN);
    expect(() => escrow.decodeSubmission(Buffer.from(proven))).not.toThrow();
    for (const [from, to] of [
      ["CALG_AES_256", "CALG_AES_192"],
      ["CALG_AES_256", "CALG_DES"],
      [`${tag},`, ""],
      ['"v":1', `"v":1,"wrap":"${b64url(fill(9))}"`],
    ] as const) {
      expect(() => escrow.decodeSubmission(replaced(proven, from, to))).toThrow(BAD_FORMAT);
    }
    const rc4 = replaced(proven.replace('"label"', '"keyLength":16,"label"'), "AES_256", "RC4");
    expect(() => escrow.decodeSubmission(rc4)).toThrow(BAD_FORMAT);
    // What a blob's record has, a file's has not.
    const label = replaced(SUBMISSION, '"owner"', '"label":"x","owner"');
    expect(() => escrow.decodeSubmission(label)).toThrow(BAD_FORMAT);
  });

  test("a submission over 16 KiB is neither made nor read", () => {
    const submission = escrow.decodeSubmission(Buffer.from(SUBMISSION));
    submission.record.description = "\u0001".repeat(4096);
    expect(() => escrow.encodeSubmission(submission)).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
    const big = SUBMISSION.replace("Grüße", "\\u0001".repeat(2800));
    expect(() => escrow.decodeSubmission(Buffer.from(big))).toThrow(BAD_FORMAT);
  });

  test.each([
    ['"rsa-oaep-sha1"', '"oaep"'],
    ['"rsa-oaep-sha1"', '"RSA-OAEP-SHA1"'],
    ['"alg":"rsa-oaep-sha1",', ""],
    [',"recipient"', ',"padding":"oaep","recipient"'],
    [b64url(RECORDS[1]!), b64url(RECORDS[0]!)],
    [
      `"${b64url(RECORDS[0]!)}","${b64url(RECORDS[1]!)}"`,
      `"${b64url(RECORDS[1]!)}","${b64url(RECORDS[0]!)}"`,
    ],
    ["2026-02-15T00:00:00Z", "2026-02-01T00:00:00Z"],
    ["2026-02-15T00:00:00Z", "2026-01-15T00:00:00Z"],
    ["2026-02-15T00:00:00Z", "2027-02-02T00:00:01Z"],
    ["Anna Müller (phone 1234)", ""],
    ["Anna Müller (phone 1234)", "Anna\\u0085"],
    ["Anna Müller (phone 1234)", "ü".repeat(128)],
    [b64url(fill(9, 16)), b64url(fill(9, 15))],
  ])("request: %s → %s", (from, to) => {
    expect(() => escrow.decodeRequest(replaced(REQUEST, from, to))).toThrow(BAD_FORMAT);
  });

  test("a request is good for 366 days at most, for 1 to 1000 records", () => {
    const just = REQUEST.replace("2026-02-15T00:00:00Z", "2027-02-02T00:00:00Z");
    expect(() => escrow.decodeRequest(Buffer.from(just))).not.toThrow();
    const list = `"${RECORDS.map(b64url).join('","')}"`;
    const records = (count: number) =>
      Array.from({ length: count }, (_, i) => {
        const record = fill(0);
        record.writeUInt16BE(i);
        return `"${b64url(record)}"`;
      }).join();
    expect(() => escrow.decodeRequest(replaced(REQUEST, list, ""))).toThrow(BAD_FORMAT);
    expect(escrow.decodeRequest(replaced(REQUEST, list, records(1000))).records).toHaveLength(1000);
    expect(() => escrow.decodeRequest(replaced(REQUEST, list, records(1001)))).toThrow(BAD_FORMAT);
  });

  // DER of the same key that is not the fingerprint's, and keys that nothing should be wrapped for.
  test.each([
    ["no NULL", "BAD_FORMAT", withoutNull],
    ["bytes behind", "BAD_FORMAT", (der: Buffer) => Buffer.concat([der, fill(0, 1)])],
    ["e = 3", "WEAK_KEY", shortExponent],
  ])("recipient with %s", (_, code, change) => {
    const request = replaced(REQUEST, b64url(SPKI), b64url(change(SPKI)));
    expect(() => escrow.decodeRequest(request)).toThrow(expect.objectContaining({ code }));
  });

  test("a receipt is of a record taken in, a release of released ones, each in its place", () => {
    for (const type of ["release", "policy", "veto", "destroy", "request", "enrol"]) {
      const text = RECEIPT.replace(leafText("verified", fill(1)), leafText(type, fill(1)));
      expect(() => escrow.decodeReceipt(Buffer.from(text))).toThrow(BAD_FORMAT);
    }
    expect(escrow.receiptLeaf(escrow.decodeReceipt(Buffer.from(RECEIPT)))).toEqual({
      type: "verified",
      time: new Date("2026-02-01T00:00:01Z"),
      record: new Uint8Array(fill(1)),
      owner: new Uint8Array(fill(2)),
    });
    const list = (...records: Buffer[]) => Buffer.from(releaseOf(...records));
    const [a, b, c] = RECORDS as [Buffer, Buffer, Buffer];
    for (const records of [[], [a], [c], [a, b, c], [b, c]]) {
      expect(escrow.decodeRelease(list(...records)).releases).toHaveLength(records.length);
    }
    for (const records of [[b, a], [a, a], [fill(1)], [a, b, c, c], [c, b]]) {
      expect(() => escrow.decodeRelease(list(...records))).toThrow(BAD_FORMAT);
    }
    for (const [from, to] of [
      ["type release", "type verified"],
      ["type release", "type drill"],
      ["type request", "type drill"],
      ["type request", "type denial"],
      ["basis quorum\\n", ""],
      [`,"requested":${REQUESTED}`, ""],
      [`"requested":${REQUESTED}`, `"requested":[${REQUESTED}]`],
    ] as const) {
      expect(() => escrow.decodeRelease(replaced(RELEASE, from, to))).toThrow(BAD_FORMAT);
    }
    expect(escrow.requestLeaf(escrow.decodeRelease(Buffer.from(RELEASE)))).toMatchObject({
      type: "request",
      notbefore: new Date("2026-02-01T00:00:00Z"),
      owners: [new Uint8Array(fill(2))],
    });
  });

  test("authority.json without identities, or with an empty list of policies", () => {
    for (const text of [
      '{"identities":[],"type":"twinwrap/authority/v1"}',
      '{"identities":["a"],"policies":[],"type":"twinwrap/authority/v1"}',
      '{"identities":[1],"type":"twinwrap/authority/v1"}',
    ]) {
      expect(() => escrow.decodeAuthority(Buffer.from(text))).toThrow(BAD_FORMAT);
    }
  });
});

describe("hashes and IDs", () => {
  test("are SHA-256 over the label and the bytes", () => {
    const submission = escrow.decodeSubmission(Buffer.from(SUBMISSION));
    expect(hex(escrow.recordHash(core, submission.record))).toBe(
      hex(sha256("twinwrap/v1/record\n", CORE)),
    );
    const request = escrow.decodeRequest(Buffer.from(REQUEST));
    const hash = sha256("twinwrap/v1/request\n", REQUEST);
    expect(hex(escrow.requestHash(core, request))).toBe(hex(hash));
    expect(hex(escrow.recipientFingerprint(core, request))).toBe(hex(sha256(SPKI)));
    // 26 groups of 5 bits, from the bits themselves.
    const bits = [...hash].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const id = Array.from({ length: 26 }, (_, i) => {
      const value = Number.parseInt(bits.slice(5 * i, 5 * i + 5), 2);
      return "abcdefghijklmnopqrstuvwxyz234567"[value];
    }).join("");
    expect(escrow.requestId(hash)).toBe(id);
  });

  test("an ID as people write it", () => {
    const id = escrow.requestId(fill(0xab));
    expect(escrow.parseRequestId(id)).toBe(id);
    expect(escrow.parseRequestId(` ${id.toUpperCase().replace(/(.{4})/g, "$1-")} `)).toBe(id);
    expect(escrow.parseRequestId(id.replace(/(.{5})/g, "$1 "))).toBe(id);
    for (const odd of [
      id.slice(1),
      `${id}a`,
      `${id.slice(1)}1`,
      `${id.slice(1)}0`,
      "",
      `${id.slice(1)}\u212a`,
      `${id.slice(1)}=`,
    ]) {
      expect(() => escrow.parseRequestId(odd)).toThrow(BAD_FORMAT);
    }
  });

  test("the approvals' hash does not depend on their order", () => {
    const hashes = [fill(0xff), fill(0x01), fill(0x80)];
    const expected = sha256(
      `twinwrap/v1/approvals\n${"01".repeat(32)}\n${"80".repeat(32)}\n${"ff".repeat(32)}\n`,
    );
    expect(hex(escrow.approvalsHash(core, hashes))).toBe(hex(expected));
    expect(hex(escrow.approvalsHash(core, hashes.reverse()))).toBe(hex(expected));
    expect(hex(escrow.approvalHash(core, "a note\n"))).toBe(
      hex(sha256("twinwrap/v1/approval\n", "a note\n")),
    );
  });
});

describe("a request in the making", () => {
  const recipient = escrow.decodeRequest(Buffer.from(REQUEST)).recipient;
  const make = (options: Partial<Parameters<typeof escrow.makeRequest>[0]> = {}) =>
    escrow.makeRequest({
      authority: "example.org",
      requester: "Anna",
      recipient,
      records: [RECORDS[2]!, RECORDS[0]!, RECORDS[2]!],
      ...options,
    });

  test("sorts its records, and is another one each time", () => {
    const request = make();
    expect(request.records.map(hex)).toEqual([hex(RECORDS[0]!), hex(RECORDS[2]!)]);
    expect(request.padding).toBe("oaep");
    expect(request.expires.getTime() - request.created.getTime()).toBe(14 * 86_400_000);
    const bytes = escrow.encodeRequest(request);
    expect(Buffer.from(escrow.encodeRequest(escrow.decodeRequest(bytes))).equals(bytes)).toBe(true);
    expect(escrow.requestHash(core, make())).not.toEqual(escrow.requestHash(core, request));
  });

  test("refuses what could not be read again", () => {
    for (const options of [
      { requester: "a\nb" },
      { authority: "twinwrap/x" },
      { records: [] },
      { records: [fill(1, 31)] },
      { created: new Date("2026-01-02"), expires: new Date("2026-01-01") },
    ]) {
      expect(() => make(options)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    }
    const long = { created: new Date("2026-01-01"), expires: new Date("2028-01-01") };
    expect(() => make(long)).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });
});

/** The same key with the algorithm's NULL left out. */
function withoutNull(der: Buffer): Buffer {
  expect(hex(der.subarray(0, 19))).toBe("30820122300d06092a864886f70d0101010500");
  const head = Buffer.from("30820120300b06092a864886f70d010101", "hex");
  return Buffer.concat([head, der.subarray(19)]);
}

/** The same modulus with e = 3. */
function shortExponent(der: Buffer): Buffer {
  expect(hex(der.subarray(-5))).toBe("0203010001");
  const shorter = Buffer.concat([der.subarray(0, -5), Buffer.from("020103", "hex")]);
  for (const at of [2, 21, 26]) shorter.writeUInt16BE(shorter.readUInt16BE(at) - 2, at);
  return shorter;
}
