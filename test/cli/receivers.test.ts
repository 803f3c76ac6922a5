import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Office, useOffices } from "../authority/office.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// The commands by which an operator says who is told, and sees what was not told yet.

const office = useOffices({ isOpen: true });
const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

describe.skipIf(!haveSqlite)("an operator", () => {
  let one: Office;
  beforeAll(async () => {
    one = await office();
    await one.files(1, { owner: "olivia" });
  });

  const authority = (line: string) =>
    sandbox.shell(`twinwrap authority ${line} --authority '${one.folder}'`);

  test("adds, lists and removes receivers; a webhook's secret is shown once", async () => {
    const hook = await authority("receiver add --webhook https://alerts.example.org/in --json");
    expect([hook.code, hook.stderr]).toEqual([0, ""]);
    const { secret, id } = JSON.parse(hook.stdout);
    expect(secret).toMatch(/^whsec_/);
    const officer = await authority("officer mail ann ann@example.org");
    expect(officer.stdout).toMatch(
      /^receiver +[0-9a-f]{16}\nofficer +ann\nmail +ann@example\.org\n$/,
    );
    expect((await authority("owner mail olivia olivia@example.org")).code).toBe(0);
    const text = await authority("receiver add --mail ops@example.org");
    expect(text.stdout).not.toContain("secret");
    const list = await authority("receiver list --json");
    expect(list.stdout).not.toMatch(/secret|whsec/);
    expect(JSON.parse(list.stdout)).toHaveLength(4);
    expect((await authority(`receiver remove ${id.slice(0, 8)}`)).stdout).toContain(id);
    const shown = (await authority("receiver list")).stdout;
    expect(shown).not.toContain(id);
    expect(shown.split("\n")).toHaveLength(5);
    for (const [line, code] of [
      ["receiver add", 2],
      ["receiver add --mail a@example.org --webhook https://example.org", 2],
      ["receiver add --mail nobody", 2],
      ["receiver add --webhook http://example.org", 2],
      ["receiver remove ffffffffffffffff", 1],
      ["officer mail mallory m@example.org", 1],
      ["owner mail nobody n@example.org", 1],
      ["receiver add --officer mallory --webhook https://example.org", 1],
    ] as const) {
      expect((await authority(line)).code, line).toBe(code);
    }
  });

  test("sees what waits, what was given up, and begins it again", async () => {
    const { service } = one;
    const { id } = await one.asked(await one.files(1));
    const waiting = await service.deliveries("waiting");
    expect(waiting.length).toBeGreaterThan(0);
    const list = await authority("events");
    expect(list.stdout).toContain(id);
    expect(list.stdout.split("\n")).toHaveLength(waiting.length + 2);
    expect((await authority("events --dead")).stdout).toBe("nothing was given up\n");
    const [first] = JSON.parse((await authority("events --json")).stdout);
    expect(first).toMatchObject({
      state: "waiting",
      attempts: 0,
      kind: "request",
      content: { request: id },
    });
    const again = await authority(`events --retry ${first.id}`);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining(first.id)]);
    expect((await authority("events --retry nothing")).code).toBe(2);
    expect((await authority(`events --dead --retry ${first.id}`)).code).toBe(2);
    expect((await authority("events --retry 9999-0123456789abcdef")).code).toBe(1);
  });

  test("says how mail goes when the service starts", async () => {
    for (const [line, message] of [
      ["--smtp smtp://mail.example.org", "belong together"],
      ["--mail-from a@example.org", "belong together"],
      ["--mail-from nobody --smtp smtp://mail.example.org", "mail address"],
      ["--mail-from a@example.org --smtp mail.example.org", "smtp://HOST"],
      ["--smtp-password-file f", "which is not given"],
      [
        "--mail-from a@example.org --smtp smtp://mail.example.org --smtp-password-file pw",
        "names no user",
      ],
      ["--public-url backup.example.org", "expected a URL"],
    ] as const) {
      sandbox.write("pw", "secret\n");
      const { code, stderr } = await sandbox.shell(
        `twinwrap authority serve '${one.folder}' ${line}`,
      );
      expect([code, stderr], line).toEqual([2, expect.stringContaining(message)]);
    }
  });
});
