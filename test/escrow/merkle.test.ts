import fc from "fast-check";
import { loadCore } from "twinwrap/core";
import {
  appendLeaves,
  consistencyProof,
  inclusionProof,
  leafHash,
  nodeHash,
  rootHash,
  verifyConsistency,
  verifyInclusion,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { provenSubtrees } from "#build/escrow/merkle.js";
import { isQuick } from "../quick.js";
import { MemoryNodes, RecursiveTree } from "./tree.js";

const core = await loadCore();
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const hexes = (list: readonly Uint8Array[]) => list.map(hex);
const NOT_VERIFIED = expect.objectContaining({ code: "NOT_VERIFIED" });
const BAD_ARGUMENT = expect.objectContaining({ code: "BAD_ARGUMENT" });

const without = (list: readonly Uint8Array[], at: number) => list.filter((_, i) => i !== at);
const replaced = (list: readonly Uint8Array[], at: number, by: Uint8Array) =>
  list.map((item, i) => (i === at ? by : item));
const flipped = (bytes: Uint8Array, at: number) =>
  bytes.map((byte, i) => (i === at ? ~byte : byte));
const leafHashes = (leaves: readonly Uint8Array[]) => leaves.map((leaf) => leafHash(core, leaf));

/** A tree in memory, appended to in steps of the sizes given. */
async function grow(leaves: readonly Uint8Array[], steps: readonly number[]) {
  const store = new MemoryNodes();
  let size = 0;
  let root: Uint8Array = new RecursiveTree(() => new Uint8Array(0)).root(0);
  for (const step of steps) {
    const appended = await appendLeaves(
      core,
      store.read,
      size,
      leafHashes(leaves.slice(size, size + step)),
    );
    store.add(appended.nodes);
    ({ size, root } = appended);
  }
  return { store, size, root };
}

// The eight leaves and the roots over the first 1 to 8 of them that certificate-transparency's and
// later implementations test with (testdata of transparency-dev/merkle).
const EIGHT = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((leaf) => Buffer.from(leaf, "hex"));
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("published trees", () => {
  test("the roots over the first leaves of eight", async () => {
    const { store } = await grow(EIGHT, [8]);
    for (const [size, root] of ROOTS.entries()) {
      expect(hex(await rootHash(core, store.read, size))).toBe(root);
      expect(hex((await grow(EIGHT, [size])).root)).toBe(root);
    }
  });

  test("the hash of the empty leaf and of two empty children", () => {
    // RFC 6962's prefixes, as in transparency-dev/merkle's tests of its hasher.
    expect(hex(leafHash(core, new Uint8Array(0)))).toBe(ROOTS[1]);
    expect(hex(leafHash(core, Buffer.from("L123456")))).toBe(
      "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56",
    );
    expect(hex(nodeHash(core, Buffer.from("N123"), Buffer.from("N456")))).toBe(
      "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb",
    );
  });

  test("an inclusion and a consistency proof", async () => {
    const { store } = await grow(EIGHT, [8]);
    expect(hexes(await inclusionProof(core, store.read, 5, 8))).toEqual([
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    expect(hexes(await consistencyProof(core, store.read, 6, 8))).toEqual([
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
  });
});

const SIZE = isQuick ? 80 : 130;
const LEAVES = Array.from({ length: SIZE }, (_, i) => Buffer.from(`leaf ${i}`));
const ORACLE = new RecursiveTree((index) => Buffer.from(`leaf ${index}`));

describe(`against the recursive definition, for every size to ${SIZE}`, async () => {
  // One by one, so that every node is stored exactly once (the store refuses a second time).
  const { store } = await grow(LEAVES, new Array(SIZE).fill(1));
  const roots = Array.from({ length: SIZE + 1 }, (_, size) => ORACLE.root(size));

  test("roots, and what an append stores", async () => {
    for (const [size, root] of roots.entries()) {
      expect(hex(await rootHash(core, store.read, size))).toBe(hex(root));
      const appended = await grow(LEAVES, [size >> 1, size - (size >> 1)]);
      expect(hex(appended.root)).toBe(hex(root));
      // Complete subtrees of n leaves: n + n/2 + n/4 + …
      let complete = 0;
      for (let n = size; n > 0; n >>= 1) complete += n;
      expect(appended.store.count).toBe(complete);
    }
    const nothing = await appendLeaves(core, store.read, 77, []);
    expect(nothing).toEqual({ size: 77, root: new Uint8Array(roots[77]!), nodes: [] });
  });

  test("inclusion proofs of every leaf", async () => {
    for (let size = 1; size <= SIZE; size++) {
      for (let index = 0; index < size; index++) {
        const audit = await inclusionProof(core, store.read, index, size);
        expect(hexes(audit)).toEqual(hexes(ORACLE.path(index, size)));
        const leaf = leafHash(core, LEAVES[index]!);
        verifyInclusion(core, leaf, index, size, audit, roots[size]!);
      }
    }
  });

  test("a proof shows complete subtrees only, each with its hash", async () => {
    for (let size = 1; size <= 35; size++) {
      for (let index = 0; index < size; index++) {
        const audit = await inclusionProof(core, store.read, index, size);
        const leaf = leafHash(core, LEAVES[index]!);
        const shown = provenSubtrees(core, leaf, index, size, audit);
        const names = shown.map(({ level, index: at }) => `${level} ${at}`);
        expect(names).toContain(`0 ${index}`);
        expect(new Set(names).size, "each once").toBe(names.length);
        for (const { level, index: at, hash } of shown) {
          const [start, end] = [at * 2 ** level, (at + 1) * 2 ** level];
          expect(end, `${level} ${at} of ${size}`).toBeLessThanOrEqual(size);
          expect(hex(hash)).toBe(hex(ORACLE.hash(BigInt(start), BigInt(end))));
        }
      }
    }
  });

  test("consistency proofs between all sizes", async () => {
    for (let size = 0; size <= SIZE; size++) {
      for (let old = 0; old <= size; old++) {
        const consistency = await consistencyProof(core, store.read, old, size);
        expect(hexes(consistency)).toEqual(old === 0 ? [] : hexes(ORACLE.proof(old, size)));
        verifyConsistency(core, old, roots[old]!, size, roots[size]!, consistency);
      }
    }
  });

  test("no inclusion proof fits another leaf, index or root, or with a hash too many, too few, altered", async () => {
    for (let size = 1; size <= 33; size++) {
      for (let index = 0; index < size; index++) {
        const audit = await inclusionProof(core, store.read, index, size);
        const leaf = leafHash(core, LEAVES[index]!);
        const refused = (
          changed: Partial<{
            leaf: Uint8Array;
            index: number;
            proof: Uint8Array[];
            root: Uint8Array;
          }>,
        ) => {
          const all = { leaf, index, proof: audit, root: roots[size]!, ...changed };
          expect(() =>
            verifyInclusion(core, all.leaf, all.index, size, all.proof, all.root),
          ).toThrow(NOT_VERIFIED);
        };
        refused({ leaf: leafHash(core, LEAVES[index + 1]!) });
        for (let other = 0; other < size; other++) if (other !== index) refused({ index: other });
        for (const beyond of [-1, size, size + 1, 2 * size, index + 0.5])
          refused({ index: beyond });
        refused({ root: roots[size - 1]! });
        refused({ proof: [...audit, new Uint8Array(32)] });
        refused({ proof: [new Uint8Array(32), ...audit] });
        refused({ proof: [...audit, new Uint8Array(0)] });
        for (let i = 0; i < audit.length; i++) {
          refused({ proof: without(audit, i) });
          refused({ proof: replaced(audit, i, flipped(audit[i]!, (size + index) % 32)) });
          refused({ proof: replaced(audit, i, audit[i]!.slice(0, 31)) });
        }
      }
    }
  });

  test("no consistency proof fits another size or root, or with a hash too many, too few, altered", async () => {
    for (let size = 1; size <= 33; size++) {
      for (let old = 0; old <= size; old++) {
        const good = await consistencyProof(core, store.read, old, size);
        const refused = (
          changed: Partial<{
            old: number;
            oldRoot: Uint8Array;
            root: Uint8Array;
            proof: Uint8Array[];
          }>,
        ) => {
          const all = { old, oldRoot: roots[old]!, root: roots[size]!, proof: good, ...changed };
          expect(() =>
            verifyConsistency(core, all.old, all.oldRoot, size, all.root, all.proof),
          ).toThrow(NOT_VERIFIED);
        };
        for (let other = 0; other <= size + 1; other++) if (other !== old) refused({ old: other });
        refused({ oldRoot: roots[old + 1]! });
        // The empty tree says nothing about what follows it.
        if (old > 0) refused({ root: roots[size + 1]! });
        refused({ proof: [...good, new Uint8Array(32)] });
        refused({ proof: [new Uint8Array(32), ...good] });
        for (let i = 0; i < good.length; i++) {
          refused({ proof: without(good, i) });
          refused({ proof: replaced(good, i, roots[0]!) });
          refused({ proof: replaced(good, i, good[i]!.slice(1)) });
        }
      }
    }
  });
});

describe("large trees", () => {
  // Sizes around every power of two, where a 32-bit operator or a rounding would show, and any.
  const size = fc.oneof(
    fc
      .tuple(fc.integer({ min: 31, max: 53 }), fc.integer({ min: -3, max: 3 }))
      .map(([bits, more]) => Math.min(2 ** bits + more, Number.MAX_SAFE_INTEGER)),
    fc.integer({ min: 2 ** 31, max: Number.MAX_SAFE_INTEGER }),
  );
  const tree = size.chain((size) => {
    const index = fc.oneof(
      fc.integer({ min: 0, max: size - 1 }),
      fc.constantFrom(0, 1, size - 2, size - 1, 2 ** 31 - 4),
    );
    return fc.tuple(fc.constant(size), fc.array(index, { minLength: 1, maxLength: 6 }));
  });

  test("roots, appends and proofs of sparse trees up to 2^53 - 1 leaves", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async ([size, leaves]) => {
        const sparse = new RecursiveTree(
          (index) => Buffer.from(leaves.includes(Number(index)) ? `leaf ${index}` : ""),
          leaves,
        );
        const root = sparse.root(size);
        expect(hex(await rootHash(core, sparse.read, size))).toBe(hex(root));
        for (const index of leaves) {
          const audit = await inclusionProof(core, sparse.read, index, size);
          expect(hexes(audit)).toEqual(hexes(sparse.path(index, size)));
          verifyInclusion(core, sparse.leafHash(index), index, size, audit, root);
          const old = index + 1;
          const oldRoot = sparse.root(old);
          const consistency = await consistencyProof(core, sparse.read, old, size);
          expect(hexes(consistency)).toEqual(hexes(sparse.proof(old, size)));
          verifyConsistency(core, old, oldRoot, size, root, consistency);
          const before = await appendLeaves(core, sparse.read, index, [sparse.leafHash(index)]);
          expect(hex(before.root)).toBe(hex(oldRoot));
          for (const node of before.nodes) {
            expect(hex(node.hash)).toBe(hex(sparse.read([node])[0]!));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("one read, of at most as many hashes as the size has bits, for each call", async () => {
    const sparse = new RecursiveTree(() => new Uint8Array(0), []);
    const asked: number[] = [];
    const read = (ids: readonly { level: number; index: number }[]) => {
      asked.push(ids.length);
      return sparse.read(ids);
    };
    const size = 5_000_001;
    const leaf = sparse.leafHash(0);
    await appendLeaves(core, read, size, [leaf, leaf, leaf]);
    await inclusionProof(core, read, 4_999_999, size);
    await consistencyProof(core, read, 3_333_333, size);
    expect(asked).toHaveLength(3);
    expect(Math.max(...asked)).toBeLessThanOrEqual(2 * 23);
  });
});

describe("arguments", () => {
  const store = new MemoryNodes();
  test.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])("size %s", async (size) => {
    const root = ORACLE.root(0);
    await expect(rootHash(core, store.read, size)).rejects.toThrow(BAD_ARGUMENT);
    await expect(appendLeaves(core, store.read, size, [])).rejects.toThrow(BAD_ARGUMENT);
    await expect(inclusionProof(core, store.read, 0, size)).rejects.toThrow(BAD_ARGUMENT);
    await expect(inclusionProof(core, store.read, size, 9)).rejects.toThrow(BAD_ARGUMENT);
    await expect(consistencyProof(core, store.read, size, 2)).rejects.toThrow(BAD_ARGUMENT);
    await expect(consistencyProof(core, store.read, 0, size)).rejects.toThrow(BAD_ARGUMENT);
    expect(() => verifyInclusion(core, root, 0, size, [], root)).toThrow(NOT_VERIFIED);
    expect(() => verifyInclusion(core, root, size, 2, [], root)).toThrow(NOT_VERIFIED);
    expect(() => verifyConsistency(core, size, root, 2, root, [])).toThrow(NOT_VERIFIED);
    expect(() => verifyConsistency(core, 0, root, size, root, [])).toThrow(NOT_VERIFIED);
  });

  test("a leaf or an older tree beyond the tree, or more leaves than can be counted", async () => {
    const { store } = await grow(EIGHT, [8]);
    await expect(inclusionProof(core, store.read, 8, 8)).rejects.toThrow(BAD_ARGUMENT);
    await expect(inclusionProof(core, store.read, 0, 0)).rejects.toThrow(BAD_ARGUMENT);
    await expect(consistencyProof(core, store.read, 8, 7)).rejects.toThrow(BAD_ARGUMENT);
    await expect(
      appendLeaves(core, store.read, Number.MAX_SAFE_INTEGER, [new Uint8Array(32)]),
    ).rejects.toThrow(BAD_ARGUMENT);
  });

  test("a store that lacks a hash", async () => {
    const fault = expect.objectContaining({ code: "FAULT" });
    await expect(rootHash(core, store.read, 3)).rejects.toThrow(fault);
    await expect(rootHash(core, () => [], 3)).rejects.toThrow(fault);
    await expect(rootHash(core, () => [new Uint8Array(31)], 1)).rejects.toThrow(fault);
    await expect(appendLeaves(core, store.read, 3, [])).rejects.toThrow(fault);
  });

  test("a leaf hash that is none", async () => {
    await expect(appendLeaves(core, store.read, 0, [new Uint8Array(31)])).rejects.toThrow(
      BAD_ARGUMENT,
    );
  });
});
