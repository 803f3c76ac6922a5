import { CryptoApiError, decodeSimpleBlob } from "../blob/index.js";
import { toBase64Url, toHex } from "../bytes.js";
import { formatSerial, type Header } from "../envelope/index.js";
import { formatTime } from "../jcs.js";

// A sealed file's header, for people and for machines.

/** A wrap's RSA size in bits, as its blob has it. */
function wrapBits(simpleBlob: Uint8Array): string {
  try {
    return `RSA-${decodeSimpleBlob(simpleBlob).encryptedKey.length * 8}`;
  } catch (error) {
    if (!(error instanceof CryptoApiError)) throw error;
    return "malformed SIMPLEBLOB";
  }
}

/** What a header says, for machines. Nothing in it is authenticated. */
export function headerFacts(header: Header): Record<string, unknown> {
  return {
    serial: formatSerial(header.serial),
    created: formatTime(header.created),
    name: header.name,
    description: header.description,
    escrow: header.escrow,
    wraps: header.wraps.map((wrap) => ({
      fingerprint: toHex(wrap.fingerprint),
      padding: wrap.padding,
      simpleblob: toBase64Url(wrap.simpleBlob),
    })),
    headerHash: toHex(header.hash),
    generation: header.generation,
    slotLength: header.slotLength,
    bodyOffset: header.bodyOffset,
  };
}

/** The keys that a file is wrapped for, for people. */
export function wrapRows(header: Header): [string, string][] {
  return header.wraps.map((wrap) => [
    "opens with",
    `${toHex(wrap.fingerprint)}  ${wrapBits(wrap.simpleBlob)} ${wrap.padding}`,
  ]);
}
