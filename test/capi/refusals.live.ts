import { randomBytes } from "node:crypto";
import { CALG_AES_256, encodePlaintextKeyBlob, PRIVATEKEYBLOB, PUBLICKEYBLOB } from "twinwrap/blob";
import { loadCore } from "twinwrap/core";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, inject, test } from "vitest";
import { exportSimpleBlob } from "#build/capi/index.js";
import { AT_KEYEXCHANGE, Batch, CRYPT_OAEP, type Slot } from "./batch.js";
import { capture } from "./capture.js";
import { importAnswer, type Padding, type RefusalCase } from "./checks.js";
import { type Good, ODD } from "./odd.js";

// Blobs that are no good, there and here. Where Wine is laxer than the documents, its answer is put
// up with; ours must be the documented one.

const wine = inject("wine");
const keep = capture<RefusalCase>("refusals", wine);
const core = await loadCore();

/** A fresh RSA key of the program's. */
async function makeKey(bits: number): Promise<{ private: Buffer; public: Buffer }> {
  const batch = new Batch(wine!);
  const key = batch.generate(AT_KEYEXCHANGE, bits);
  const [secret, open] = [batch.export(key, PRIVATEKEYBLOB), batch.export(key, PUBLICKEYBLOB)];
  await batch.run();
  return { private: secret.bytes, public: open.bytes };
}

/** A SIMPLEBLOB of ours. */
async function wrap(session: Buffer, publickeyblob: Buffer, padding: Padding): Promise<Buffer> {
  const to = readPublicKey(publickeyblob);
  return Buffer.from(await exportSimpleBlob(session, CALG_AES_256, to, padding, { core }));
}

/** A case whose answers are still to come. */
type Open = Omit<RefusalCase, "wine"> & { wine?: string | undefined };

/** Asks both sides; `one.wine` is Wine's answer, if another than the right one is expected of it. */
async function ask(cases: Open[]): Promise<void> {
  const batch = new Batch(wine!);
  const slots = new Map<string, Slot>();
  const keyOf = (blob: Buffer) => {
    const name = blob.toString("hex");
    const slot = slots.get(name) ?? batch.import(blob);
    slots.set(name, slot);
    return slot;
  };
  const asked = cases.map((one) => {
    const under = one.privatekeyblob && keyOf(one.privatekeyblob);
    const flags = one.padding === "oaep" ? CRYPT_OAEP : 0;
    return { one, theirs: batch.tryImport(one.blob, under, flags) };
  });
  await batch.run();
  for (const { one, theirs } of asked) {
    const { kind, name, answer, wine: lax = answer } = one;
    expect([kind, name, await importAnswer(one)]).toEqual([kind, name, answer]);
    expect([answer, lax], `Wine: ${kind}, ${name}`).toContain(theirs.outcome);
    keep({ ...one, wine: theirs.outcome });
  }
}

describe.skipIf(wine === undefined)("blobs that are no good (needs Wine and mingw-w64)", () => {
  test("altered anywhere", async () => {
    const key = await makeKey(1024);
    const session = randomBytes(32);
    const good: Good = {
      ...key,
      simple: await wrap(session, key.public, "pkcs1-v1_5"),
      plaintext: Buffer.from(encodePlaintextKeyBlob({ aiKeyAlg: CALG_AES_256, key: session })),
    };
    await ask(
      ODD.map(({ make, ...rest }) => ({
        ...rest,
        blob: make(good),
        padding: "pkcs1-v1_5",
        ...(rest.kind === "simple" ? { privatekeyblob: key.private } : {}),
      })),
    );
  });

  test("good ones under the wrong conditions", async () => {
    const [key, other, small] = [await makeKey(1024), await makeKey(1024), await makeKey(768)];
    const session = randomBytes(32);
    const v15 = await wrap(session, key.public, "pkcs1-v1_5");
    const oaep = await wrap(session, key.public, "oaep");
    const simple = { kind: "simple" as const, answer: "NTE_BAD_DATA" };
    await ask([
      { ...simple, name: "v1.5 taken for OAEP", blob: v15, ...opened(key, "oaep") },
      { ...simple, name: "OAEP taken for v1.5", blob: oaep, ...opened(key, "pkcs1-v1_5") },
      { ...simple, name: "another key, v1.5", blob: v15, ...opened(other, "pkcs1-v1_5") },
      { ...simple, name: "another key, OAEP", blob: oaep, ...opened(other, "oaep") },
      { ...simple, name: "a shorter key, v1.5", blob: v15, ...opened(small, "pkcs1-v1_5") },
      { ...simple, name: "a shorter key, OAEP", blob: oaep, ...opened(small, "oaep") },
      {
        ...simple,
        name: "no key",
        blob: v15,
        padding: "pkcs1-v1_5",
        answer: "NTE_NO_KEY",
        wine: "NTE_BAD_PUBLIC_KEY",
      },
    ]);
  });
});

function opened(key: { private: Buffer }, padding: Padding) {
  return { privatekeyblob: key.private, padding };
}
