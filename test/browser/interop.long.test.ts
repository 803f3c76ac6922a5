// Files cross between a page and the command line, both ways, with both paddings.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { Sandbox } from "../cli/run.js";
import { site, visit } from "./site.js";

const LENGTH = 100_000;
const plaintext = new Uint8Array(LENGTH).map((_, i) => i ^ (i >> 8));

let browser: Browser;
let server: Awaited<ReturnType<typeof site>>;
let page: Page;
const box = new Sandbox();
beforeAll(async () => {
  browser = await launchChromium();
  server = await site();
  page = await visit(browser, server.url);
  box.keyPair("alice");
  box.write("plain.bin", plaintext);
});
afterAll(async () => {
  await browser.close();
  await server.close();
  box.remove();
});

const base64 = (name: string) => box.read(name).toString("base64");

test.each(["oaep", "pkcs1-v1_5"] as const)(
  "sealed in a page, opened by the command line: %s",
  async (padding) => {
    const sealed = await page.evaluate(
      async ([pem, plain, padding]) => {
        const bytes = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
        const key = await twinwrap.readPublicKey(bytes(pem));
        const sealed = await twinwrap.seal(bytes(plain), { to: [key], padding, name: "plain.bin" });
        let text = "";
        for (const byte of await sealed.bytes()) text += String.fromCharCode(byte);
        return btoa(text);
      },
      [base64("alice.pub.pem"), base64("plain.bin"), padding] as const,
    );
    box.write("page.twin", Buffer.from(sealed, "base64"));
    const shown = await box.shell("twinwrap inspect page.twin --json");
    expect(JSON.parse(shown.stdout)[0].wraps[0].padding).toBe(padding);
    const { code, stderr, bytes } = await box.shell("twinwrap decrypt page.twin -o - -k alice.pem");
    expect([code, stderr]).toEqual([0, ""]);
    expect(Buffer.compare(bytes, plaintext)).toBe(0);
  },
);

test.each(["oaep", "pkcs1-v1_5"] as const)(
  "sealed by the command line, opened in a page: %s",
  async (padding) => {
    const { code, stderr } = await box.shell(
      `twinwrap encrypt plain.bin -o cli-${padding}.twin --owner alice.pub.pem --padding ${padding}`,
    );
    expect([code, stderr]).toEqual([0, ""]);
    const opened = await page.evaluate(
      async ([pem, sealed]) => {
        const bytes = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
        const key = await twinwrap.readPrivateKey(bytes(pem));
        const file = new Blob([bytes(sealed)]);
        const { wraps } = await twinwrap.inspect(file);
        let text = "";
        for (const byte of await (await twinwrap.open(file, { key })).bytes()) {
          text += String.fromCharCode(byte);
        }
        return { padding: wraps[0]!.padding, plain: btoa(text) };
      },
      [base64("alice.pem"), base64(`cli-${padding}.twin`)] as const,
    );
    expect(opened).toEqual({ padding, plain: base64("plain.bin") });
  },
);
