import crypto, { createHash } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import fc from "fast-check";
import { loadCore } from "twinwrap/core";
import {
  addSignature,
  formatNote,
  formatVerifierKey,
  keyId,
  parseNote,
  parseVerifierKey,
  type Signer,
  signNote,
  verifyNote,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { newSigner } from "./signers.js";

const core = await loadCore();
const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const BAD_ARGUMENT = expect.objectContaining({ code: "BAD_ARGUMENT" });
const NOT_VERIFIED = expect.objectContaining({ code: "NOT_VERIFIED" });

// The example of c2sp.org/signed-note.
const QUASIMODO = `Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
`;

// The example of golang.org/x/mod/sumdb/note with its two keys.
const ANSWER = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=
`;
const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";

// A tree head of the Go checksum database; its signature is in the example of c2sp.org/tlog-checkpoint.
const SUMDB = `go.sum database tree
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`;
const SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

describe("published notes", () => {
  test("the specification's example is taken apart at its last empty line", () => {
    const note = parseNote(QUASIMODO);
    expect(note.text).toBe(
      "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n",
    );
    expect(note.signatures).toHaveLength(1);
    expect(note.signatures[0]!.name).toBe("quasimodo.example/salvatore");
    expect(Buffer.from(note.signatures[0]!.keyId).toString("hex")).toBe("367ba04b");
    expect(note.signatures[0]!.signature).toHaveLength(64);
    expect(formatNote(note)).toBe(QUASIMODO);
  });

  test.each([
    ["Peter's", ANSWER, [PETER]],
    ["Enoch's", ANSWER, [ENOCH]],
    ["both", ANSWER, [ENOCH, PETER]],
    ["the checksum database's", SUMDB, [SUMDB_KEY]],
  ])("verify: %s", async (_, note, texts) => {
    const keys = texts.map((text) => parseVerifierKey(core, text));
    const verified = await verifyNote(core, note, keys);
    expect(verified.signers).toEqual(keys);
    expect(verified.signers[0]).toBe(keys[0]);
    expect(verified.text).toBe(note.slice(0, note.lastIndexOf("\n\n") + 1));
  });

  test.each([PETER, ENOCH, SUMDB_KEY])("verifier key %s", (text) => {
    const key = parseVerifierKey(core, text);
    expect(formatVerifierKey(core, key)).toBe(text);
    // c2sp.org/signed-note, "Ed25519 signatures".
    const id = createHash("sha256").update(`${key.name}\n\x01`).update(key.publicKey).digest();
    expect(Buffer.from(keyId(core, key)).equals(id.subarray(0, 4))).toBe(true);
  });

  test.each([
    ["another name", PETER.replace("Peter", "Paul")],
    ["another ID", PETER.replace("c74f", "c74e")],
    ["an ID in capitals", ENOCH.replace("af0cfe78", "AF0CFE78")],
    ["another key", PETER.replace("RG", "RH").replace("10TW", "10TX")],
    ["another type", PETER.replace("+AR", "+Ah")],
    ["a key too short", PETER.slice(0, -4)],
    ["no base64", `${PETER}!`],
    ["no key", "PeterNeumann+c74f20a3+"],
    ["no name", PETER.slice(PETER.indexOf("+"))],
    ["a space", ` ${PETER}`],
    ["a line end", `${PETER}\n`],
  ])("a verifier key with %s", (_, text) => {
    expect(() => parseVerifierKey(core, text)).toThrow(BAD_FORMAT);
  });
});

const log = newSigner("example.com/log");
const anna = newSigner("anna");
const bert = newSigner("bert");
const TEXT = "a text\n\nof paragraphs — and more\n";

describe("signing and verifying", () => {
  test("what node:crypto signs verifies; the text may have empty lines", async () => {
    const note = await signNote(core, TEXT, log);
    expect(note.startsWith(`${TEXT}\n— example.com/log `)).toBe(true);
    expect(await verifyNote(core, note, [log])).toEqual({ text: TEXT, signers: [log] });
    const more = await addSignature(core, await addSignature(core, note, anna), bert);
    expect(more.startsWith(note)).toBe(true);
    expect((await verifyNote(core, more, [bert, log, anna])).signers).toEqual([bert, log, anna]);
    expect((await verifyNote(core, more, [anna])).signers).toEqual([anna]);
    expect(await signNote(core, TEXT, log, anna, bert)).toBe(more);
  });

  test("a key signs a note once", async () => {
    const note = await signNote(core, TEXT, log);
    await expect(addSignature(core, note, log)).rejects.toThrow(BAD_ARGUMENT);
    // Somebody else wrote the line twice.
    const line = note.slice(note.lastIndexOf("—"));
    await expect(verifyNote(core, note + line, [log])).rejects.toThrow(BAD_FORMAT);
  });

  test("a signature line of one name and key ID stands once, of unknown keys as well", async () => {
    const note = await signNote(core, TEXT, log);
    const mine = keyId(core, log);
    const lineOf = (name: string, id: Uint8Array, filling: number) =>
      `— ${name} ${Buffer.concat([id, Buffer.alloc(64, filling)]).toString("base64")}\n`;
    const other = lineOf("other", mine, 1);
    expect(parseNote(note + other).signatures).toHaveLength(2);
    for (const twice of [
      note + lineOf(log.name, mine, 1),
      note + other + other,
      note + other + lineOf("other", mine, 2),
      note + other + lineOf("third", mine, 1) + lineOf("other", mine, 2),
    ]) {
      expect(() => parseNote(twice)).toThrow(BAD_FORMAT);
      await expect(verifyNote(core, twice, [anna])).rejects.toThrow(BAD_FORMAT);
      expect(() =>
        formatNote({
          text: TEXT,
          signatures: [...parseNote(note).signatures, ...parseNote(note).signatures],
        }),
      ).toThrow(BAD_FORMAT);
    }
  });

  test("a key that is asked about many times is tried once", async () => {
    const note = await signNote(core, TEXT, log);
    const copies = Array.from({ length: 40 }, () => ({ ...log }));
    const { verify } = crypto;
    let calls = 0;
    crypto.verify = ((...args: Parameters<typeof verify>) => {
      calls++;
      return verify(...args);
    }) as typeof verify;
    syncBuiltinESMExports();
    try {
      expect((await verifyNote(core, note, copies)).signers).toEqual(copies);
    } finally {
      crypto.verify = verify;
      syncBuiltinESMExports();
    }
    expect(calls).toBe(1);
  });

  test("signatures of unknown keys, types and sizes don't matter", async () => {
    const foreign = [
      // c2sp.org/tlog-cosignature's example
      "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n",
      `— big ${Buffer.alloc(5000).toString("base64")}\n`,
      `— twinwrap/x ${Buffer.alloc(5).toString("base64")}\n`,
      // the same name, another ID; another name, the same ID
      `— ${log.name} ${Buffer.alloc(68).toString("base64")}\n`,
      `— other ${Buffer.concat([keyId(core, log), Buffer.alloc(64)]).toString("base64")}\n`,
    ].join("");
    const note = await signNote(core, TEXT, log);
    const at = note.lastIndexOf("—");
    for (const mixed of [note + foreign, note.slice(0, at) + foreign + note.slice(at)]) {
      expect(await verifyNote(core, mixed, [log, anna])).toEqual({ text: TEXT, signers: [log] });
      expect(formatNote(parseNote(mixed))).toBe(mixed);
      // Adding one keeps all that are there, as they are.
      expect((await addSignature(core, mixed, anna)).startsWith(mixed)).toBe(true);
    }
    await expect(verifyNote(core, `${TEXT}\n${foreign}`, [log])).rejects.toThrow(NOT_VERIFIED);
  });

  test("a bad signature of a known key refuses the whole note, good ones beside it or not", async () => {
    const good = await signNote(core, TEXT, log, anna);
    const id = Buffer.from(keyId(core, bert));
    const other = await bert.sign(Buffer.from("another text\n"));
    for (const signature of [
      other,
      Buffer.alloc(64),
      Buffer.alloc(63),
      Buffer.alloc(65),
      Buffer.alloc(1),
    ]) {
      const line = `— bert ${Buffer.concat([id, signature]).toString("base64")}\n`;
      await expect(verifyNote(core, good + line, [log, bert])).rejects.toThrow(NOT_VERIFIED);
      await expect(verifyNote(core, good + line, [bert, log])).rejects.toThrow(NOT_VERIFIED);
      // Who doesn't know bert doesn't mind.
      expect((await verifyNote(core, good + line, [log])).signers).toEqual([log]);
    }
  });

  test("no keys, no signature that counts", async () => {
    const note = await signNote(core, TEXT, log);
    await expect(verifyNote(core, note, [])).rejects.toThrow(NOT_VERIFIED);
    await expect(verifyNote(core, note, [anna])).rejects.toThrow(NOT_VERIFIED);
    await expect(verifyNote(core, note, [{ ...log, name: "anna" }])).rejects.toThrow(NOT_VERIFIED);
    await expect(verifyNote(core, note, [{ ...log, publicKey: anna.publicKey }])).rejects.toThrow(
      NOT_VERIFIED,
    );
  });

  test("two keys with one name and one ID: the one that signed counts", async () => {
    // IDs are hashes of 4 bytes, so a second key for one can be looked for; here the first signature
    // is given the second key's ID instead.
    const first = newSigner("one");
    const second = newSigner("one");
    const note = await signNote(core, TEXT, first, second);
    expect((await verifyNote(core, note, [first, second])).signers).toEqual([first, second]);
    expect((await verifyNote(core, note, [second])).signers).toEqual([second]);
  });

  test("a signer that answers nonsense", async () => {
    const broken: Signer = { ...log, sign: async () => new Uint8Array(63) };
    await expect(signNote(core, TEXT, broken)).rejects.toThrow(BAD_ARGUMENT);
  });

  test("names and keys that can't be", async () => {
    const names = ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u2028b", "twinwrap/x", "x".repeat(256)];
    for (const name of names) {
      await expect(signNote(core, TEXT, { ...log, name })).rejects.toThrow(BAD_FORMAT);
      expect(() => keyId(core, { ...log, name })).toThrow(BAD_FORMAT);
    }
    expect(() => keyId(core, { ...log, publicKey: new Uint8Array(31) })).toThrow(BAD_FORMAT);
    await expect(signNote(core, TEXT)).rejects.toThrow(BAD_FORMAT);
    for (const text of ["", "no newline", "tab\there\n", "nul\0\n", "cr\r\n", "half \ud800\n"]) {
      await expect(signNote(core, text, log)).rejects.toThrow(BAD_FORMAT);
    }
  });
});

describe("malformed notes", async () => {
  const line = "— anna AAAAAAA=";
  test.each([
    ["nothing", ""],
    ["no signatures", TEXT],
    ["no signature line", `${TEXT}\n`],
    ["no line end", `${TEXT}\n${line}`],
    ["no empty line", `a\n${line}\n`],
    ["no text", `\n${line}\n`],
    ["an empty line at the end", `a\n\n${line}\n\n`],
    ["an empty line between signatures", `a\n\n${line}\n\nx\n`],
    ["a hyphen", `a\n\n- anna AAAAAAA=\n`],
    ["no dash", `a\n\nanna AAAAAAA=\n`],
    ["a second space", `a\n\n—  anna AAAAAAA=\n`],
    ["a space at the end", `a\n\n${line} \n`],
    ["no name", `a\n\n— AAAAAAA=\n`],
    ["a name with +", `a\n\n— a+b AAAAAAA=\n`],
    ["a name with a Unicode space", `a\n\n— a\u2003b AAAAAAA=\n`],
    ["no padding", `a\n\n— anna AAAAAAA\n`],
    ["trailing bits", `a\n\n— anna AAAAAAB=\n`],
    ["base64url", `a\n\n— anna AAAA-_8=\n`],
    ["an ID without signature", `a\n\n— anna AAAAAA==\n`],
    ["a tab", `a\tb\n\n${line}\n`],
    ["a CR", `a\r\n\n${line}\n`],
    ["CRs everywhere", `a\r\n\r\n${line}\r\n`],
    ["half a surrogate pair", `\udc00\n\n${line}\n`],
  ])("%s", (_, note) => {
    expect(() => parseNote(note)).toThrow(BAD_FORMAT);
  });

  test("128 signatures, but not 129", () => {
    const lines = Array.from({ length: 129 }, (_, i) => `— anna${i} AAAAAAA=\n`);
    expect(parseNote(`a\n\n${lines.slice(1).join("")}`).signatures).toHaveLength(128);
    expect(() => parseNote(`a\n\n${lines.join("")}`)).toThrow(BAD_FORMAT);
  });

  test("65,536 bytes, but not one more, counted in UTF-8", async () => {
    const end = `\n\n${line}\n`;
    const room = 65536 - Buffer.byteLength(end);
    expect(parseNote("x".repeat(room) + end).text).toHaveLength(room + 1);
    expect(() => parseNote("x".repeat(room + 1) + end)).toThrow(BAD_FORMAT);
    expect(() => parseNote("é".repeat((room + 2) >> 1) + end)).toThrow(BAD_FORMAT);
    await expect(signNote(core, `${"x".repeat(65500)}\n`, log)).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });
});

describe("properties", () => {
  const anyLine = fc
    .string({ unit: "grapheme", maxLength: 20 })
    .map((text) => text.replace(/[\0-\x1f]/g, ""));

  test("what is formatted is read back the same, whatever the text", async () => {
    await fc.assert(
      fc.property(fc.array(anyLine, { minLength: 1, maxLength: 6 }), (lines) => {
        const text = lines.map((line) => `${line}\n`).join("");
        const note = { text, signatures: parseNote(ANSWER).signatures };
        const again = parseNote(formatNote(note));
        expect(again).toEqual(note);
      }),
    );
  });

  test("any flipped bit of text or signatures is refused", async () => {
    const note = Buffer.from(await signNote(core, "small\n", anna));
    // A change inside the key's name or ID makes it an unknown key: then no known one is left.
    for (let at = 0; at < note.length; at++) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const changed = Buffer.from(note);
        changed[at]! ^= bit;
        const text = changed.toString("latin1");
        // UTF-8 that is no longer well-formed is refused where files are read (fromUtf8).
        const decoded = changed.toString("utf8");
        if (!Buffer.from(decoded).equals(changed)) continue;
        expect(text).not.toBe(note.toString("latin1"));
        await expect(verifyNote(core, decoded, [anna])).rejects.toThrow(
          expect.objectContaining({ code: expect.stringMatching(/BAD_FORMAT|NOT_VERIFIED/) }),
        );
      }
    }
  });
});
