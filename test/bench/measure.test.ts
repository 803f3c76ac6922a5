import { createCipheriv } from "node:crypto";
import { expect, test } from "vitest";
import { benchModule } from "./modules.js";

const { measure } = await benchModule("measure.mjs");
const { operation, sizesOf } = await benchModule("operations.mjs");
const { HELP, parseOptions } = await benchModule("options.mjs");
const { loadPeers } = await benchModule("peers.mjs");

function seal(key: Uint8Array, iv: Uint8Array, data: Uint8Array) {
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

type Encrypt = (data: Uint8Array) => unknown;
const peer = (name: string, gcmEncrypt: (key: Uint8Array, iv: Uint8Array) => Encrypt) => ({
  ...{ name, family: "other", runs: "JS", constantTime: "no", offers: { gcmEncrypt } },
});

test("who is wrong, fails or is not there is said, and not timed", async () => {
  let calls = 0;
  const peers = [
    peer("right", (key, iv) => (data) => seal(key, iv, data)),
    peer("right, later", (key, iv) => async (data) => seal(key, iv, data)),
    peer("wrong", () => (data) => Buffer.alloc(data.length + 16)),
    peer("throws", () => () => {
      throw new Error("cannot do it");
    }),
    peer("breaks", (key, iv) => (data) => {
      if (calls++ > 5) throw new Error("broke");
      return seal(key, iv, data);
    }),
    { ...peer("absent", () => () => {}), offers: undefined, failure: "does not load: why" },
    { ...peer("lacking", () => () => {}), offers: {} },
  ];
  const settings = { seconds: 0.001, rounds: 2, quick: true };
  const { cells } = await measure(operation("gcm256"), peers, settings);
  expect(Object.keys(cells)).toEqual(peers.slice(0, -1).map(({ name }) => name));
  for (const size of sizesOf(operation("gcm256"), { quick: true })) {
    for (const name of ["right", "right, later"]) {
      expect(cells[name][size].best).toBeGreaterThan(0);
      expect(cells[name][size].median).toBeGreaterThanOrEqual(cells[name][size].best);
    }
    expect(cells.wrong[size]).toEqual({ failure: "gives a wrong result" });
    expect(cells.throws[size]).toEqual({ failure: "cannot do it" });
    expect(cells.breaks[size]).toEqual({ failure: "broke" });
    expect(cells.absent[size]).toEqual({ failure: "does not load: why" });
  }
});

test("Twinwrap, WebCrypto and node:crypto agree on every operation", async () => {
  // What is installed apart, or is nowhere but where somebody put it, has no say.
  const isHere = ({ family, package: name }: { family: string; package?: string }) =>
    name === undefined && family !== "other";
  const peers = (await loadPeers()).filter(isHere);
  try {
    for (const id of [
      ...["gcm256", "gcm256-open", "gcm128", "ctr256", "ghash", "once", "kw256", "rsa2048"],
    ]) {
      const it = { ...operation(id), sizes: [operation(id).sizes[0]] };
      const { cells } = await measure(it, peers, { seconds: 0.001, rounds: 1 });
      expect(Object.keys(cells)).toEqual(
        expect.arrayContaining(["Twinwrap", "WebCrypto", "node:crypto"]),
      );
      for (const row of Object.values<Record<string, object>>(cells))
        for (const cell of Object.values(row)) expect(cell).not.toHaveProperty("failure");
    }
  } finally {
    for (const peer of peers) peer.close?.();
  }
});

test("options", () => {
  expect(parseOptions([])).toMatchObject({ files: true, partial: false, fileBytes: 2 ** 29 });
  expect(parseOptions([]).operations).toHaveLength(9);
  expect(parseOptions(["--quick"])).toMatchObject({ files: false, partial: true, rounds: 2 });
  expect(parseOptions(["--quick", "--files", "--file-size", "4"])).toMatchObject({
    ...{ files: true, fileBytes: 2 ** 22 },
  });
  expect(parseOptions(["--no-files"])).toMatchObject({ files: false, partial: true });
  const { operations } = parseOptions(["--only", "ctr,gcm256"]);
  expect(operations.map(({ id }: { id: string }) => id)).toEqual(["gcm256", "ctr256"]);
  for (const wrong of [["--only", "xts"], ["--rounds", "0"], ["--file-size", "x"], ["--nothing"]])
    expect(() => parseOptions(wrong)).toThrow(/./);
  for (const word of ["--quick", "--only", "--no-files", "--no-nodes", "ghash"])
    expect(HELP).toContain(word);
});
