import { createHash, createPublicKey, randomBytes, randomInt } from "node:crypto";
import { CALG_AES_256, PRIVATEKEYBLOB, PUBLICKEYBLOB, SIMPLEBLOB } from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { Sandbox } from "../cli/run.js";
import { openIndependently } from "../envelope/independent.js";
import { AT_KEYEXCHANGE, Batch, CRYPT_EXPORTABLE, CRYPT_OAEP } from "./batch.js";
import { capture } from "./capture.js";
import { checkProcedure, nodeKey, PADDINGS, type ProcedureCase } from "./checks.js";
import { encryptAs } from "./ciphers.js";

// The procedure itself, between a CryptoAPI program and the command line: encrypt, export twice, lose
// the key, have the authority's copy wrapped for a new key, decrypt. Each side plays each part.

const wine = inject("wine");
const keep = capture<ProcedureCase>("procedure", wine);
const core = await loadCore();
const ZEROS = new Uint8Array(16);

/** A folder with `twinwrap`, for one test. */
function sandbox(): Sandbox {
  const folder = new Sandbox();
  onTestFinished(() => folder.remove());
  return folder;
}

async function shell(folder: Sandbox, line: string): Promise<void> {
  // The programs write keys that others can read, of which a command warns.
  const { code, stderr } = await folder.shell(`chmod -f 600 *.private; ${line}`);
  expect([line, code, stderr]).toEqual([line, 0, ""]);
}

/** Three key pairs, each made by a program of its own, as files: NAME.private and NAME.public. */
async function makeKeys(folder: Sandbox): Promise<Record<"owner" | "authority" | "fresh", Buffer>> {
  const made: Record<string, Buffer> = {};
  for (const [name, bits] of [
    ["owner", 2048],
    ["authority", 3072],
    ["fresh", 4096],
  ] as const) {
    const batch = new Batch(wine!);
    const key = batch.generate(AT_KEYEXCHANGE, bits);
    const secret = batch.export(key, PRIVATEKEYBLOB);
    const open = batch.export(key, PUBLICKEYBLOB);
    await batch.run();
    folder.write(`${name}.private`, secret.bytes);
    folder.write(`${name}.public`, open.bytes);
    made[name] = secret.bytes;
  }
  return made as Record<"owner" | "authority" | "fresh", Buffer>;
}

describe.skipIf(wine === undefined)("the procedure (needs Wine and mingw-w64)", () => {
  describe.each(PADDINGS)("%s", (padding) => {
    const flags = padding === "oaep" ? CRYPT_OAEP : 0;

    test("a CryptoAPI program encrypts, Twinwrap is the authority", async () => {
      const folder = sandbox();
      const keys = await makeKeys(folder);
      const plain = randomBytes(randomInt(1000));

      // The owner has the public keys; his program encrypts a file and exports the session key twice.
      const first = new Batch(wine!);
      const owner = first.import(folder.read("owner.public"));
      const authority = first.import(folder.read("authority.public"));
      const session = first.generate(CALG_AES_256);
      const encrypted = first.encrypt(session, plain);
      const ownerBlob = first.export(session, SIMPLEBLOB, owner, flags);
      const authorityBlob = first.export(session, SIMPLEBLOB, authority, flags);
      await first.run();

      // His key is lost. The authority wraps its copy for his new key.
      folder.write("backup.simpleblob", authorityBlob.bytes);
      await shell(
        folder,
        `twinwrap blob rewrap -k authority.private --padding ${padding} --to fresh.public ` +
          `--to-padding ${padding} backup.simpleblob -o recovered.simpleblob`,
      );

      // The new key opens that, in a program that has nothing else, and the file is whole again.
      const second = new Batch(wine!);
      const fresh = second.import(keys.fresh);
      const again = second.import(folder.read("recovered.simpleblob"), fresh, flags);
      const decrypted = second.decrypt(again, encrypted.bytes);
      await second.run();
      expect(decrypted.bytes).toEqual(plain);

      const done: ProcedureCase = {
        by: "CryptoAPI",
        padding,
        owner: keys.owner,
        authority: keys.authority,
        newOwner: keys.fresh,
        ownerBlob: ownerBlob.bytes,
        authorityBlob: authorityBlob.bytes,
        recoveredBlob: folder.read("recovered.simpleblob"),
        plain,
        encrypted: encrypted.bytes,
      };
      await checkProcedure(done);
      keep(done);
    });

    test("Twinwrap encrypts, a CryptoAPI program is the authority", async () => {
      const folder = sandbox();
      const keys = await makeKeys(folder);
      const plain = randomBytes(randomInt(1000));

      // The owner makes a session key, wrapped twice, and encrypts under it.
      await shell(
        folder,
        `twinwrap blob generate --alg aes-256 --padding ${padding} --to owner.public ` +
          "-o owner.simpleblob --to authority.public -o backup.simpleblob && " +
          `twinwrap blob unwrap -k owner.private --padding ${padding} owner.simpleblob -o key`,
      );
      const cbc = core.aesCbc(folder.read("key").subarray(12));
      const encrypted = Buffer.from(cbc.encrypt(ZEROS, plain));
      cbc.dispose();

      // A program opens the file with the owner's key.
      const first = new Batch(wine!);
      const owner = first.import(keys.owner);
      const opened = first.import(folder.read("owner.simpleblob"), owner, flags);
      const decrypted = first.decrypt(opened, encrypted);
      await first.run();
      expect(decrypted.bytes).toEqual(plain);

      // The owner's key is lost. The authority's program wraps for the new key.
      const second = new Batch(wine!);
      const authority = second.import(keys.authority);
      const fresh = second.import(folder.read("fresh.public"));
      // Wine takes CRYPT_OAEP only where no other flag is set.
      const exportable = padding === "oaep" ? 0 : CRYPT_EXPORTABLE;
      const backup = second.import(folder.read("backup.simpleblob"), authority, flags | exportable);
      const rewrapped = second.export(backup, SIMPLEBLOB, fresh, flags);
      await second.run();

      // The new key opens that.
      folder.write("recovered.simpleblob", rewrapped.bytes);
      await shell(
        folder,
        `twinwrap blob unwrap -k fresh.private --padding ${padding} recovered.simpleblob -o again && ` +
          "cmp key again",
      );
      const done: ProcedureCase = {
        by: "Twinwrap",
        padding,
        owner: keys.owner,
        authority: keys.authority,
        newOwner: keys.fresh,
        ownerBlob: folder.read("owner.simpleblob"),
        authorityBlob: folder.read("backup.simpleblob"),
        recoveredBlob: rewrapped.bytes,
        plain,
        encrypted,
      };
      await checkProcedure(done);
      keep(done);
    });

    test("a sealed file's detached wraps", async () => {
      const folder = sandbox();
      const keys = await makeKeys(folder);
      const plain = randomBytes(randomInt(50_000));
      folder.write("report", plain);
      await shell(
        folder,
        `twinwrap encrypt report --padding ${padding} --owner owner.public --owner authority.public ` +
          "--detached",
      );
      // A program imports its key's wrap, and uses the very key that the file is sealed under.
      const file = folder.read("report.twin");
      const text = randomBytes(100);
      for (const name of ["owner", "authority"] as const) {
        const key = nodeKey(keys[name]);
        const opened = openIndependently(file, key);
        expect(opened.plaintext).toEqual(plain);
        const spki = createPublicKey(key).export({ type: "spki", format: "der" });
        const fingerprint = createHash("sha256").update(spki).digest("hex").slice(0, 16);
        const wrap = folder.read(`report.twin.${fingerprint}.simpleblob`);

        const batch = new Batch(wine!);
        const session = batch.import(wrap, batch.import(keys[name]), flags);
        const encrypted = batch.encrypt(session, text);
        await batch.run();
        expect(encrypted.bytes).toEqual(encryptAs("CALG_AES_256", opened.key, text));
      }
    });
  });
});
