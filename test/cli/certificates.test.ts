import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveOpenssl, openssl } from "../openssl.js";
import { Sandbox } from "./run.js";

// Certificates that are out of date: a warning, and the file is sealed. openssl makes one, and other dates are put into
// it, which node:crypto reads.

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

/** The DER of a UTCTime (YYMMDDHHMMSSZ). */
const utcTime = (text: string) => Buffer.from(`\x17\x0d${text}`, "latin1");
const PAST = "200102030405Z";
const FUTURE = "480102030405Z";

/** The certificate with other dates: its signature is wrong then, but nobody looks at it. */
function dated(der: Buffer, from: string, to: string): Buffer {
  const copy = Buffer.from(der);
  const first = copy.indexOf(utcTime("").subarray(0, 2));
  utcTime(from).copy(copy, first);
  utcTime(to).copy(copy, first + 15);
  const { validFrom, validTo } = new X509Certificate(copy);
  const year = (text: string) => Number(text.slice(0, 2)) + 2000;
  expect([validFrom, validTo].map((date) => new Date(date).getUTCFullYear())).toEqual([
    year(from),
    year(to),
  ]);
  return copy;
}

const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;

describe.skipIf(!haveOpenssl)("a certificate (needs openssl)", () => {
  beforeAll(() => {
    sandbox.keyPair("alice");
    sandbox.write("note", "a note");
    const request = ["req", "-new", "-x509", "-key", sandbox.file("alice.pem"), "-subj", "/CN=a"];
    const der = openssl([...request, "-outform", "DER"]);
    const [old, early, good] = [
      dated(der, PAST, PAST),
      dated(der, FUTURE, FUTURE),
      dated(der, PAST, FUTURE),
    ];
    sandbox.write("old.der", old);
    sandbox.write("early.pem", `a text before it\n${pem(early)}`);
    sandbox.write("good.pem", pem(good));
    sandbox.write("list", pem(good) + pem(old));
    // A key in the same file counts before any certificate.
    sandbox.write("key-and-old.pem", `${pem(old)}${sandbox.read("alice.pub.pem")}`);
  });

  test.each([
    ["--to old.der", "old.der: this certificate expired on 2020-01-02"],
    ["--owner old.der", "old.der: this certificate expired on 2020-01-02"],
    ["--to early.pem", "early.pem: this certificate is not valid before 2048-01-02"],
    ["-R list", "list, key 2: this certificate expired on 2020-01-02"],
    ["--to good.pem", undefined],
    ["--to key-and-old.pem", undefined],
  ])("%s", async (to, warning) => {
    const line = `twinwrap encrypt note ${to} -o out --force -q`;
    const { code, stderr } = await sandbox.shell(line);
    expect(code).toBe(0);
    const lines = stderr.split("\n").filter((one) => one !== "");
    expect(lines).toEqual(warning === undefined ? [] : [expect.stringContaining(warning)]);
    const opened = await sandbox.shell("twinwrap decrypt out -k alice.pem -o -");
    expect(opened).toMatchObject({ code: 0, stdout: "a note" });
  });
});
