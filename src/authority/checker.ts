import { createPublicKey, verify } from "node:crypto";
import { equalBytes, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isEd25519Signature } from "../escrow/ed25519.js";
import { keyId, parseNote, type VerifierKey } from "../escrow/note.js";
import { ED25519_SPKI_PREFIX } from "../keys/ed25519.js";

/**
 * Tells whether one of some keys signed a note, by the rule of `verifyNote`. For the authority's own notes, with the
 * system's Ed25519, which is many times as fast.
 */
export function checkerOf(core: Core, keys: readonly VerifierKey[]): (note: string) => boolean {
  const known = keys.map((key) => ({
    name: key.name,
    id: keyId(core, key), // refuses what is no key of prime order
    object: createPublicKey({
      key: Buffer.concat([ED25519_SPKI_PREFIX, key.publicKey]),
      format: "der",
      type: "spki",
    }),
  }));
  return (note) => {
    const { text, signatures } = parseNote(note);
    const message = toUtf8(text);
    // One bad signature of a known key spoils the whole note.
    const verdicts = signatures.flatMap(({ name, keyId, signature }) => {
      const meant = known.filter((key) => key.name === name && equalBytes(key.id, keyId));
      if (meant.length === 0) return [];
      const isRight = isEd25519Signature(signature);
      return [isRight && meant.some(({ object }) => verify(null, message, object, signature))];
    });
    return verdicts.length > 0 && verdicts.every((isGood) => isGood);
  };
}
