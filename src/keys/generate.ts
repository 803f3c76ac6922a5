import { optionsOf, whole } from "../arguments.js";
import { newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { completePrivateKey, MAX_BITS, publicKeyOf, STRONG_BITS } from "./numbers.js";
import { parsePkcs8 } from "./pkcs.js";
import type { RsaPrivateKey, RsaPublicKey } from "./types.js";

/** Size in bits of keys made here, if no other is asked for. */
export const DEFAULT_BITS = 3072;

const OPTIONS = optionsOf<{ bits?: number | undefined }>({ bits: whole(STRONG_BITS, MAX_BITS) });

/**
 * Makes an RSA key pair with e = 65537, by the platform's WebCrypto.
 * @param options.bits 2048 to 16384, a multiple of 8; 3072 by default
 * @throws TwinwrapError BAD_ARGUMENT for other sizes, UNSUPPORTED without WebCrypto
 */
export async function generateKeyPair(
  options: { bits?: number | undefined } = {},
): Promise<{ publicKey: RsaPublicKey; privateKey: RsaPrivateKey }> {
  const { bits = DEFAULT_BITS } = OPTIONS(options, "options");
  if (bits % 8 !== 0) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `an RSA key has ${STRONG_BITS} to ${MAX_BITS} bits, in steps of 8`,
    );
  }
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "keys can't be made here: WebCrypto is missing (browsers offer it on https pages only)",
    );
  }
  const pair = await subtle.generateKey(
    {
      name: "RSA-OAEP",
      modulusLength: bits,
      publicExponent: Uint8Array.of(1, 0, 1),
      hash: "SHA-256",
    },
    true,
    ["encrypt", "decrypt"],
  );
  let pkcs8: Uint8Array = newBytes(0);
  try {
    pkcs8 = new Uint8Array(await subtle.exportKey("pkcs8", pair.privateKey));
    const privateKey = completePrivateKey(parsePkcs8(pkcs8));
    return { publicKey: publicKeyOf(privateKey), privateKey };
  } finally {
    wipe(pkcs8);
  }
}
