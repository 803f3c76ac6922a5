import { loadCore } from "twinwrap/core";
import { expect, test } from "vitest";

test("a build that this release lacks is refused by name", async () => {
  await expect(loadCore({ build: "relaxed" })).rejects.toMatchObject({ code: "UNSUPPORTED" });
});
