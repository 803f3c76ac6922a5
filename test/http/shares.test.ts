import { expect, test } from "vitest";
import { Shares } from "#build/http/shares.js";

// The room of one token. That the service keeps to it is in limits.test.ts.

const refused = expect.objectContaining({ code: "BACKLOG" });

test("records that were there already take no room", async () => {
  const shares = new Shares(3, async () => 3);
  const giveBack = await shares.take("token", 3);
  await expect(shares.take("token", 1)).rejects.toEqual(refused);
  giveBack(2);
  await shares.take("token", 2);
  await expect(shares.take("token", 1)).rejects.toEqual(refused);
});

test("no more is given back than was taken, and each token has its own", async () => {
  const shares = new Shares(3, async () => 100);
  (await shares.take("a", 1))(5);
  await shares.take("a", 3);
  await expect(shares.take("a", 1)).rejects.toEqual(refused);
  await shares.take("b", 3);
});

test("what was opened meanwhile is room again", async () => {
  let waiting = 3;
  const shares = new Shares(3, async () => waiting);
  await shares.take("token", 3);
  await expect(shares.take("token", 1)).rejects.toEqual(refused);
  waiting = 1;
  await shares.take("token", 2);
  waiting = 3;
  await expect(shares.take("token", 1)).rejects.toEqual(refused);
});
