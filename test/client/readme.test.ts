// The README's programs of an owner, run beside a service as another process of the owner's would run them.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open, writePrivateKey, writePublicKey } from "twinwrap";
import { decodeRequest, encodeAuthority, encodeConnection } from "twinwrap/escrow";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build } from "#build/http/server.js";
import { newOwner, owner, useOffices } from "../authority/office.js";
import { WITH_FILES } from "../readme-examples.js";

const make = useOffices({ isOpen: true });
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "twinwrap"));
});

/** Runs a program. What the compiler says of it is asked elsewhere (test/typescript.ts): it has no types of its own. */
async function run(index: number, ...args: string[]): Promise<string> {
  const file = join(folder, `example-${index}.mjs`);
  writeFileSync(file, WITH_FILES[index]!);
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], { cwd: folder });
  return stdout;
}

test("seal for an authority, ask, take in what was released, verify the receipt", async () => {
  expect(WITH_FILES).toHaveLength(3);
  const office = await make();
  const { service } = office;
  const app = await build({ service });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  try {
    const { text: token } = await service.addToken({
      scopes: ["submit", "recover", "read"],
      owner: "olivia",
      expires: undefined,
    });
    const authority = await service.file();
    const olivia = { id: "olivia", secret: new Uint8Array(32).fill(7) };
    for (const [name, content] of Object.entries({
      "acme.authority": encodeConnection({ url, authority, token, owner: olivia }),
      "authority.json": encodeAuthority(authority),
      "olivia.pub.pem": writePublicKey(owner.publicKey, "pem"),
      "new.pub.pem": writePublicKey(newOwner.publicKey, "pem"),
      "new.pem": await writePrivateKey(newOwner.privateKey, "pem"),
      "report.pdf": "quarterly figures",
    })) {
      writeFileSync(join(folder, name), content);
    }
    const id = (await run(0)).trim();
    expect(id).toMatch(/^[a-z2-7]{26}$/);
    await expect(run(1, id)).rejects.toThrow("nothing was released yet");
    const { request } = await service.standingMessage(id);
    await office.approve(decodeRequest(request), "ann", "bob");
    await service.release(id);
    await run(1, id);
    const sealed = readFileSync(join(folder, "report.twin"));
    expect(await (await open(sealed, { key: newOwner.privateKey })).text()).toBe(
      "quarterly figures",
    );
    expect(await run(2)).toBe("true [ 'verified' ]\n");
  } finally {
    await app.close();
  }
});
