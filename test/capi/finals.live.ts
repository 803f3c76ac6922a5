import { randomBytes } from "node:crypto";
import { PLAINTEXTKEYBLOB, SESSION_ALGORITHMS } from "twinwrap/blob";
import { inject, test } from "vitest";
import { type Answer, Batch, dword, KP_IV, KP_MODE } from "./batch.js";
import { capture } from "./capture.js";
import type { FinalsCase } from "./checks.js";

// Programs that say Final = TRUE for every buffer: the provider pads each, and begins anew after it.

const wine = inject("wine");
const keep = capture<FinalsCase>("finals", wine);
const MODES = { cbc: 1, ecb: 2, cfb: 4 } as const;

test.skipIf(wine === undefined)("buffers, each final (needs Wine and mingw-w64)", async () => {
  const batch = new Batch(wine!);
  const cases: (() => FinalsCase)[] = [];
  for (const { algId, name } of SESSION_ALGORITHMS) {
    for (const mode of name === "CALG_RC4"
      ? ([undefined] as const)
      : (["cbc", "ecb", "cfb"] as const)) {
      for (const every of [1, 16, 50]) {
        const key = batch.generate(algId);
        if (mode !== undefined && mode !== "cbc") batch.set(key, KP_MODE, dword(MODES[mode]));
        const iv =
          mode === "cbc" && every === 50 ? randomBytes(/AES/.test(name) ? 16 : 8) : undefined;
        if (iv !== undefined) batch.set(key, KP_IV, iv);
        const plain = randomBytes(3 * every + Math.floor(every / 2));
        const pieces: Answer[] = [];
        for (let at = 0; at < plain.length; at += every) {
          pieces.push(batch.encrypt(key, plain.subarray(at, at + every)));
        }
        const plaintextkeyblob = batch.export(key, PLAINTEXTKEYBLOB);
        cases.push(() => ({
          ...(mode === undefined ? {} : { mode }),
          every,
          ...(iv === undefined ? {} : { iv }),
          plaintextkeyblob: plaintextkeyblob.bytes,
          plain,
          encrypted: Buffer.concat(pieces.map(({ bytes }) => bytes)),
        }));
      }
    }
  }
  await batch.run();
  for (const done of cases) keep(done());
});
