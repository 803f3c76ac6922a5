// Messages so long that their lengths in bits, or in bytes, have more than 32 bits, against node:crypto. What turns
// over there is tried by itself in calls.test.ts; here it is real, and takes some minutes on a slow machine.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { expect, test } from "vitest";

const core = await loadCore();
const MIB = 1 << 20;
const piece = randomBytes(MIB);
const MINUTES = 60_000;

test.each([
  ["SHA-1", "sha1"],
  ["SHA-256", "sha256"],
  ["SHA-512", "sha512"],
] as const)(
  "%s of 520 MiB and 77 bytes, in pieces",
  (name, node) => {
    const [ours, theirs] = [core.hasher(name), createHash(node)];
    for (let i = 0; i < 520; i++) {
      ours.update(piece);
      theirs.update(piece);
    }
    const rest = piece.subarray(0, 77);
    expect(Buffer.from(ours.update(rest).digest()).equals(theirs.update(rest).digest())).toBe(true);
  },
  10 * MINUTES,
);

test.each([
  [12, 4100],
  [16, 300],
])(
  "AES-GCM with an IV of %i bytes, %i MiB in pieces",
  (ivLength, count) => {
    const [key, iv, aad] = [randomBytes(32), randomBytes(ivLength), randomBytes(20)];
    const gcm = core.aesGcm(key);
    const ours = gcm.encryptor(iv, aad);
    const theirs = createCipheriv("aes-256-gcm", key, iv).setAAD(aad);
    for (let i = 0; i < count; i++) {
      const part = i % 3 === 0 ? piece.subarray(5) : piece;
      const [a, b] = [ours.update(part), theirs.update(part)];
      if (i % 64 === 0 || i > count - 3) expect(Buffer.compare(a, b), `piece ${i}`).toBe(0);
    }
    theirs.final();
    expect(Buffer.from(ours.final()).equals(theirs.getAuthTag())).toBe(true);
    gcm.dispose();
  },
  20 * MINUTES,
);
