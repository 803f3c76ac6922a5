import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { some } from "../quick.js";
import { Sandbox } from "./run.js";

// The whole way of another program's key, at the command line. The program is node:crypto: it exports its
// key under the authority's public key, and opens what comes back with the new one.

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = new Sandbox();
  for (const name of ["alice", "new"]) sandbox.keyPair(name);
  await run("twinwrap officer keygen -o ann.pem --no-passphrase");
  await run(
    "twinwrap authority init here --no-passphrase --accept-pkcs1-v1_5 --unproven taken --origin here.example --officer ann=ann.pub.pem",
  );
  await run("twinwrap authority policy sign -k ann.pem --yes --authority here");
  await run("twinwrap authority info --authority here --wrap-key authority.publickeyblob");
});
afterAll(() => sandbox.remove());

async function run(line: string): Promise<string> {
  const { stdout, stderr, code } = await sandbox.shell(line);
  expect({ line, stderr, code }).toMatchObject({ code: 0 });
  return stdout;
}

/** CryptExportKey(SIMPLEBLOB), by Microsoft's documents. */
function exportKey(algId: number, key: Buffer, to: KeyObject, oaep: boolean): Buffer {
  const padding = oaep ? constants.RSA_PKCS1_OAEP_PADDING : constants.RSA_PKCS1_PADDING;
  const block = publicEncrypt({ key: to, padding, oaepHash: "sha1" }, key);
  const head = Buffer.from("010200000000000000a40000", "hex");
  head.writeUInt32LE(algId, 4);
  return Buffer.concat([head, block.reverse()]);
}

/** The public key in a PUBLICKEYBLOB, for node:crypto. */
function keyOf(blob: Buffer): KeyObject {
  expect(blob.subarray(0, 12).toString("hex")).toBe("0602000000a4000052534131");
  const n = Buffer.from(blob.subarray(20)).reverse().toString("base64url");
  return createPublicKey({ key: { kty: "RSA", n, e: "AQAB" }, format: "jwk" });
}

const WAYS = [
  ["aes-256, proven", 0x6610, 32, "oaep", "-k alice.pem --owner-blob owner.simpleblob"],
  [
    "aes-256, proven, padded as CryptoAPI does by default",
    0x6610,
    32,
    "pkcs1-v1_5",
    "-k alice.pem --owner-blob owner.simpleblob",
  ],
  ["3des", 0x6603, 24, "oaep", ""],
  ["rc4", 0x6801, 16, "pkcs1-v1_5", ""],
  ["rc4 of 40 bits", 0x6801, 5, "oaep", "--key-length 5"],
] as const;

test.each(some(WAYS, WAYS.length - 1))(
  "a key of %s comes back as it was",
  async (name, algId, length, padding, options) => {
    const key = randomBytes(length);
    const file = name.replace(/\W+/g, "-");
    const isOaep = padding === "oaep";
    const authority = keyOf(sandbox.read("authority.publickeyblob"));
    sandbox.write(`${file}.blob`, exportKey(algId, key, authority, isOaep));
    const alice = createPublicKey(sandbox.read("alice.pub.pem"));
    sandbox.write("owner.simpleblob", exportKey(algId, key, alice, isOaep));
    await run(
      `twinwrap escrow submit ${file}.blob --description x --padding ${padding} --authority here --owner-id alice ${options}`,
    );
    const asked = await run(
      `twinwrap recover request --submission ${file}.blob.*.submission.json --to new.pub.pem --requester A --padding ${padding} --authority here`,
    );
    const id = /^request +(\S+)/.exec(asked)![1]!;
    const approved = await run(
      `twinwrap authority approve ${id} -k ann.pem --identity met --yes --authority here`,
    );
    expect(approved).toContain("released: 1 records");
    await run(`twinwrap recover fetch ${id} -k new.pem -o ${file}.new --authority here`);
    const blob = sandbox.read(`${file}.new`);
    expect(blob.subarray(0, 12)).toEqual(sandbox.read(`${file}.blob`).subarray(0, 12));
    // Node refuses to take v1.5 off, so the block is opened raw.
    const raw = privateDecrypt(
      {
        key: createPrivateKey(sandbox.read("new.pem")),
        padding: isOaep ? constants.RSA_PKCS1_OAEP_PADDING : constants.RSA_NO_PADDING,
        oaepHash: "sha1",
      },
      Buffer.from(blob.subarray(12)).reverse(),
    );
    const opened = isOaep ? raw : raw.subarray(raw.indexOf(0, 2) + 1);
    expect(opened.toString("hex")).toBe(key.toString("hex"));
  },
);

test("what is refused leaves nothing behind", async () => {
  const before = readdirSync(sandbox.path);
  const { code } = await sandbox.shell(
    "cp authority.publickeyblob x.blob; twinwrap escrow submit x.blob --description x --authority here --owner-id alice --key-length 99; ls -d x.blob.*",
  );
  expect(code).not.toBe(0);
  expect(readdirSync(sandbox.path).sort()).toEqual([...before, "x.blob"].sort());
});
