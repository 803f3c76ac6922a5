// `npm run page -- --authority URL`: whom the page may connect to.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTo, originOf } from "../../.tools/policy.mjs";
import { siteFile } from "./driver.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const html = siteFile("index.html");
const connects = (text: string) => /connect-src ([^;"]*)/.exec(text)![1];

describe("the policy", () => {
  test("lets the page connect to nobody, if nobody is named", () => {
    expect(connects(html)).toBe("'self'");
    expect(openTo(html, [])).toBe(html);
  });

  test("has exactly the origins that are named, and nothing else changes", () => {
    const open = openTo(html, [
      "https://keys.example.org/authority/",
      "http://127.0.0.1:8420",
      "https://keys.example.org",
    ]);
    expect(connects(open)).toBe("'self' https://keys.example.org http://127.0.0.1:8420");
    expect(open.replace(" https://keys.example.org http://127.0.0.1:8420", "")).toBe(html);
    // Those of a call before are gone.
    expect(connects(openTo(open, ["http://localhost:1"]))).toBe("'self' http://localhost:1");
    expect(openTo(open, [])).toBe(html);
  });

  test("has a place for a token only if that is said, and only where somebody may be asked", () => {
    const address = ["https://keys.example.org"];
    const open = openTo(html, address, { tokenLogin: true });
    expect(open).toContain('<meta name="twinwrap-token-login" content="on"');
    expect(openTo(open, address)).toBe(openTo(html, address));
    expect(openTo(html, address)).toContain('<meta name="twinwrap-token-login" content="off"');
    expect(() => openTo(html, [], { tokenLogin: true })).toThrow(/--token-login needs --authority/);
  });

  test.each([
    "http://keys.example.org",
    "http://127.0.0.1.example.org",
    "ftp://keys.example.org",
    "keys.example.org",
    "https://anna:secret@keys.example.org",
    "https://keys.example.org?x",
    "https://*",
    "https://*.example.org",
    "https://keys.example.org;script-src",
    "https://a'self'.example.org",
    // A policy can't name one.
    "http://[::1]:8420",
    "https://",
    "",
  ])("takes no %s", (address) => {
    expect(() => originOf(address)).toThrow(/address|name/);
  });
});

describe("npm run page", () => {
  // A checkout in small, since other tests use the site that is here.
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-policy-"));
  const tool = join(folder, ".tools/page.mjs");
  beforeAll(() => {
    mkdirSync(join(folder, ".tools"));
    for (const name of ["page", "policy", "serve"]) {
      cpSync(join(root, `.tools/${name}.mjs`), join(folder, `.tools/${name}.mjs`));
    }
    cpSync(join(root, "build/site"), join(folder, "build/site"), { recursive: true });
    symlinkSync(join(root, "build/client"), join(folder, "build/client"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Serves the page. @returns its HTML */
  async function served(...options: string[]): Promise<string> {
    const child = spawn(process.execPath, [tool, "--port", "0", ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let said = "";
        child.stdout.on("data", (text) => {
          said += text;
          const [, url] = /^the page: (\S+)/m.exec(said) ?? [];
          if (url !== undefined) resolve(url);
        });
        void ended.then(() => reject(new Error(`it ended: ${said}`)));
      });
      return await (await fetch(url)).text();
    } finally {
      child.kill();
      await ended;
    }
  }

  test("serves a page with this policy, and the next one without it", async () => {
    const address = "https://keys.example.org/";
    const open = await served("--authority", address, "--authority", "http://localhost:8420");
    expect(connects(open)).toBe("'self' https://keys.example.org http://localhost:8420");
    expect(await served("--authority", address, "--token-login")).toBe(
      openTo(html, [address], { tokenLogin: true }),
    );
    expect(await served()).toBe(html);
  });

  test("says in one line what is wrong with an address", () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [tool, "--authority", "http://keys.example.org"],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^page: .*http:\/\/ is for.*\n$/)]);
  });
});
