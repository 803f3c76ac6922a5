import { createHash } from "node:crypto";
import { loadCore } from "twinwrap/core";
import {
  addSignature,
  formatProof,
  parseCheckpoint,
  parseProof,
  signCheckpoint,
  signNote,
  verifyCheckpoint,
  verifyProof,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { newSigner } from "./signers.js";
import { RecursiveTree } from "./tree.js";

const core = await loadCore();
const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const NOT_VERIFIED = expect.objectContaining({ code: "NOT_VERIFIED" });

const ORIGIN = "authority.example";
const log = newSigner(ORIGIN);
const leaves = Array.from({ length: 13 }, (_, i) => `leaf ${i}\n`);
const tree = new RecursiveTree((index) => Buffer.from(leaves[Number(index)]!));

async function proofOf(index: number, size = leaves.length): Promise<string> {
  const head = { origin: ORIGIN, size, root: tree.root(size) };
  const checkpoint = await signCheckpoint(core, head, log);
  return formatProof({ index, path: tree.path(index, size), checkpoint });
}

describe("checkpoints", () => {
  test("are three lines, signed under the origin", async () => {
    const root = createHash("sha256").digest();
    const note = await signCheckpoint(core, { origin: ORIGIN, size: 0, root }, log);
    expect(note.split("\n").slice(0, 4)).toEqual([ORIGIN, "0", root.toString("base64"), ""]);
    expect(await verifyCheckpoint(core, note, [log])).toEqual({
      origin: ORIGIN,
      size: 0,
      root: new Uint8Array(root),
    });
  });

  test("with a witness's cosignature verify all the same, and altered they do not", async () => {
    const note = await signCheckpoint(core, { origin: ORIGIN, size: 5, root: tree.root(5) }, log);
    const cosigned = await addSignature(core, note, newSigner("witness.example"));
    expect((await verifyCheckpoint(core, cosigned, [log])).size).toBe(5);
    await expect(verifyCheckpoint(core, cosigned.replace("\n5\n", "\n6\n"), [log])).rejects.toEqual(
      NOT_VERIFIED,
    );
  });

  test("of another log, or by another key of the same name, don't count", async () => {
    const note = await signCheckpoint(core, { origin: ORIGIN, size: 5, root: tree.root(5) }, log);
    await expect(verifyCheckpoint(core, note, [newSigner(ORIGIN)])).rejects.toEqual(NOT_VERIFIED);
    await expect(verifyCheckpoint(core, note, [newSigner("other")])).rejects.toEqual(NOT_VERIFIED);
  });

  test.each(["an extension\n", "\n", "\n\n"])(
    "with %j behind the three lines are refused",
    async (more) => {
      const note = await signNote(
        core,
        `${ORIGIN}\n0\n${Buffer.alloc(32).toString("base64")}\n`,
        log,
      );
      expect(parseCheckpoint(note).size).toBe(0);
      const extended = await signNote(
        core,
        `${note.slice(0, note.indexOf("\n\n") + 1)}${more}`,
        log,
      );
      await expect(verifyCheckpoint(core, extended, [log])).rejects.toEqual(BAD_FORMAT);
    },
  );

  test.each(["05", "-1", "1e3", "9007199254740992", ""])("a size of %j is refused", (size) => {
    const root = Buffer.alloc(32).toString("base64");
    const note = `${ORIGIN}\n${size}\n${root}\n\n— ${ORIGIN} AAAAAAA=\n`;
    expect(() => parseCheckpoint(note)).toThrow(BAD_FORMAT);
  });
});

test("a checkpoint counts under its own log's key only, and is signed under no other name", async () => {
  const other = newSigner("log-2.example");
  const head = { origin: ORIGIN, size: 0, root: Buffer.alloc(32) };
  const text = (await signCheckpoint(core, head, log)).split("\n\n")[0]!;
  const strange = await signNote(core, `${text}\n`, other);
  await expect(verifyCheckpoint(core, strange, [log, other])).rejects.toEqual(NOT_VERIFIED);
  const both = await signNote(core, `${text}\n`, other, log);
  expect((await verifyCheckpoint(core, both, [log, other])).origin).toBe(ORIGIN);
  const refused = expect.objectContaining({ code: "BAD_ARGUMENT" });
  await expect(async () => signCheckpoint(core, head, other)).rejects.toEqual(refused);
});

describe("proofs", () => {
  test("have 53 hashes at most: those of the largest tree that can be counted", async () => {
    const root = Buffer.alloc(32, 7);
    const size = Number.MAX_SAFE_INTEGER;
    const checkpoint = await signCheckpoint(core, { origin: ORIGIN, size, root }, log);
    const of = (count: number) => {
      const path = Array.from({ length: count }, (_, i) => new Uint8Array(32).fill(i));
      return { index: size - 1, path, checkpoint };
    };
    expect(parseProof(formatProof(of(53)))).toEqual(of(53));
    expect(() => formatProof(of(54))).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  test("of every leaf in every tree verify, and come back the same", async () => {
    for (let size = 1; size <= leaves.length; size++) {
      for (let index = 0; index < size; index++) {
        const proof = await proofOf(index, size);
        expect(formatProof(parseProof(proof))).toBe(proof);
        const found = await verifyProof(core, leaves[index]!, proof, [log]);
        expect(found).toMatchObject({ index, checkpoint: { size } });
      }
    }
  });

  test("for another leaf, place or root are refused", async () => {
    const proof = await proofOf(3);
    await expect(verifyProof(core, leaves[4]!, proof, [log])).rejects.toEqual(NOT_VERIFIED);
    for (const index of [2, 4, 13]) {
      const moved = proof.replace("index 3", `index ${index}`);
      await expect(verifyProof(core, leaves[3]!, moved, [log])).rejects.toEqual(NOT_VERIFIED);
    }
    const { index, path } = parseProof(proof);
    const { checkpoint } = parseProof(await proofOf(3, 12));
    const mixed = formatProof({ index, path, checkpoint });
    await expect(verifyProof(core, leaves[3]!, mixed, [log])).rejects.toEqual(NOT_VERIFIED);
  });

  test("that are malformed are refused", async () => {
    const proof = await proofOf(3);
    for (const wrong of [
      "",
      "\n\n",
      proof.replace("@v1", "@v2"),
      proof.replace("index 3", "index 03"),
      proof.replace("index 3", "index"),
      proof.replace("index 3", "extra AAAA\nindex 3"),
      proof.replace("index 3\n", "index 3\nAAAA\n"),
      proof.replace("\n\n", "\n"),
      proof.slice(0, -1),
    ]) {
      expect(() => parseProof(wrong), wrong).toThrow(BAD_FORMAT);
    }
  });
});
