import { CryptoApiError, decodeSimpleBlob } from "../blob/index.js";
import { CALG_AES_256 } from "../blob/numbers.js";
import { writeSimpleBlob } from "../blob/write.js";
import { copyBytes, equalBytes, fromHex, toHex, wipe } from "../bytes.js";
import type { PreparedRsaPrivateKey, PreparedRsaPublicKey } from "../core/index.js";
import type { OpeningCore } from "../core/opening.js";
import type { SealingCore } from "../core/sealing.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { fingerprintOf } from "../keys/fingerprint.js";
import { checkPublicKey, type RsaPrivateKey, type RsaPublicKey } from "../keys/index.js";
import { loadReaders } from "../keys/loaded.js";
import type { RsaEngine } from "../keys/native-rsa.js";
import { needPublicKey } from "../keys/types.js";
import { Cobblestone, KEY } from "./cobblestone.js";
import { MAX_WRAPS, type Padding, type Wrap } from "./header.js";

/** Whom a session key is wrapped for: an owner or an authority. */
export interface Recipient<Key = RsaPublicKey> {
  key: Key;
  /** OAEP unless something else is asked for. */
  padding?: Padding | undefined;
}

/** Settings that every call on wraps takes. */
export interface WrapOptions {
  /** Takes RSA keys under 2048 bits and e under 65537, which new wraps should not use. */
  allowWeak?: boolean | undefined;
}

/** How wraps are opened. */
export interface UnwrapOptions {
  /**
   * "core", the default: RSA in the core, in constant time. "native": RSA by OpenSSL, in Node, Deno and Bun, which is
   * faster, and blinded by OpenSSL. The core still takes the padding off.
   */
  rsa?: RsaEngine | undefined;
}

/** What is known of a key that was wrapped for. */
interface Known {
  core: SealingCore;
  n: Uint8Array;
  e: Uint8Array;
  fingerprint: Uint8Array;
  /** Once something was wrapped for it. */
  prepared?: PreparedRsaPublicKey;
}

/** By the array of its modulus: many files are sealed for the same keys. */
const known = new WeakMap<Uint8Array, Known>();

/** What is known of a key: the same as before, unless its bytes have changed. */
function knownKey(core: SealingCore, given: RsaPublicKey): Known {
  const { n, e } = needPublicKey(given);
  const before = known.get(n);
  if (before?.core === core && equalBytes(before.n, n) && equalBytes(before.e, e)) return before;
  const key = { n: copyBytes(n), e: copyBytes(e) };
  const now: Known = { ...key, core, fingerprint: fingerprintOf(core, key) };
  known.set(n, now);
  return now;
}

/**
 * Wraps a session key as a SIMPLEBLOB.
 * @param options.aiKeyAlg the key's ALG_ID; by default that of a sealed file's key, which has 32 bytes
 * @throws TwinwrapError WEAK_KEY or BAD_KEY if the key does not fit for new wraps
 */
export async function wrapFor(
  core: SealingCore,
  sessionKey: Uint8Array,
  recipient: Recipient,
  options: WrapOptions & { aiKeyAlg?: number | undefined } = {},
): Promise<Wrap> {
  checkPublicKey(recipient.key, { forWrap: true, allowWeak: options.allowWeak ?? false });
  const to = knownKey(core, recipient.key);
  // It stays there: who needs its slot in the core takes it.
  to.prepared ??= core.rsaPublicKey(to);
  const padding = recipient.padding ?? "oaep";
  const encryptedKey = to.prepared.encrypt(sessionKey, { padding });
  return {
    fingerprint: copyBytes(to.fingerprint),
    padding,
    simpleBlob: writeSimpleBlob(options.aiKeyAlg ?? CALG_AES_256, encryptedKey),
  };
}

/**
 * Wraps a session key for several keys: a key that is given twice gets one wrap.
 * @param willFit gets wraps of the same sizes before many are made, which can take minutes; throws if no header
 *   holds them
 * @throws TwinwrapError BAD_ARGUMENT if it is given with two paddings; LIMIT_EXCEEDED if no header holds
 *   that many; as {@link wrapFor}
 */
export async function wrapForAll(
  core: SealingCore,
  sessionKey: Uint8Array,
  recipients: readonly Recipient[],
  options: WrapOptions,
  willFit: (wraps: readonly Wrap[]) => void,
): Promise<Wrap[]> {
  const once = new Map<string, Recipient>();
  for (const recipient of recipients) {
    checkPublicKey(recipient.key, { forWrap: true, allowWeak: options.allowWeak ?? false });
    const name = toHex(knownKey(core, recipient.key).fingerprint);
    const present = once.get(name);
    if (present !== undefined && (present.padding ?? "oaep") !== (recipient.padding ?? "oaep")) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `the key ${name} is given with two paddings: a key has one wrap`,
      );
    }
    once.set(name, recipient);
    // Before work that could take minutes.
    if (once.size > MAX_WRAPS) {
      throw new TwinwrapError("LIMIT_EXCEEDED", `a file is sealed for at most ${MAX_WRAPS} keys`);
    }
  }
  if (once.size > SOON) willFit(alike(once));
  const wraps: Wrap[] = [];
  for (const recipient of once.values()) {
    wraps.push(await wrapFor(core, sessionKey, recipient, options));
  }
  return wraps;
}

/** So many wraps are made before anybody waits for them: whether they fit shows the header that is made of them. */
const SOON = 16;

/** Wraps of the same sizes, without content. */
function alike(recipients: ReadonlyMap<string, Recipient>): Wrap[] {
  return [...recipients].map(([name, { key, padding = "oaep" }]) => {
    const encryptedKey = new Uint8Array(key.n.length);
    const simpleBlob = writeSimpleBlob(CALG_AES_256, encryptedKey);
    return { fingerprint: fromHex(name), padding, simpleBlob };
  });
}

/**
 * The RSA block of a wrap, after the checks that need no secret.
 * @param algorithms the ALG_IDs that it may have: no other than that of a sealed file's key, unless the
 *   record of a blob says so
 * @throws TwinwrapError DECRYPTION_FAILED, the same as when the block itself is wrong
 */
export function encryptedKeyOf(
  wrap: Wrap,
  algorithms: readonly number[] = [CALG_AES_256],
): Uint8Array {
  try {
    const blob = decodeSimpleBlob(wrap.simpleBlob);
    // Everything after the header counts as the block, so extra bytes fail by its length.
    if (algorithms.includes(blob.aiKeyAlg)) return blob.encryptedKey;
  } catch (error) {
    // Anything but a SIMPLEBLOB falls through to the only error.
    if (!(error instanceof CryptoApiError)) throw error;
  }
  throw decryptionFailed();
}

/**
 * Whether a wrap can be for a key, as far as it shows unopened: it is a SIMPLEBLOB of 12 + k bytes around a
 * number below n.
 * @param algorithms see {@link encryptedKeyOf}
 */
export function isWrapFor(
  wrap: Wrap,
  { n }: RsaPublicKey,
  algorithms?: readonly number[],
): boolean {
  try {
    const block = encryptedKeyOf(wrap, algorithms);
    return block.length === n.length && toHex(block) < toHex(n);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED") return false;
    throw error;
  }
}

/**
 * Finds the session key: opens the wraps that name this key until one gives the key that the
 * commitment was made with. A wrong padding, a wrong key and an altered blob give a pseudo-random
 * key inside the core, so they all fail here, by the same comparison.
 * @param salt 24 bytes, from the body
 * @param commitment 32 bytes, from the body
 * @returns the session key (32 bytes, the caller wipes it) and the body's keys (the caller disposes)
 * @throws TwinwrapError NOT_A_RECIPIENT if no wrap names the key, DECRYPTION_FAILED if none opens
 */
export async function openWraps(
  core: OpeningCore,
  wraps: readonly Wrap[],
  keys: readonly RsaPrivateKey[],
  body: { salt: Uint8Array; commitment: Uint8Array; context: Uint8Array },
  options: WrapOptions & UnwrapOptions = {},
): Promise<{ sessionKey: Uint8Array; cobblestone: Cobblestone }> {
  let named = false;
  for (const key of keys) {
    checkPublicKey(key, { allowWeak: options.allowWeak ?? false });
    const mine = fingerprintOf(core, key);
    const candidates = wraps.filter((wrap) => equalBytes(wrap.fingerprint, mine));
    if (candidates.length === 0) continue;
    named = true;
    const rsa = core.rsaPrivateKey(key, await rsadpFor(key, options.rsa));
    try {
      for (const wrap of candidates) {
        const opened = tryWrap(core, wrap, rsa, body);
        if (opened !== undefined) return opened;
      }
    } finally {
      rsa.dispose();
    }
  }
  if (named) throw decryptionFailed();
  throw new TwinwrapError(
    "NOT_A_RECIPIENT",
    "the file is not sealed for this key: no wrap in its header names it",
  );
}

/** What does RSADP in place of the core. It is loaded when it is asked for. */
async function rsadpFor(key: RsaPrivateKey, engine: RsaEngine | undefined) {
  if (engine !== "native") return undefined;
  const { nativeRsadp } = await loadReaders();
  return nativeRsadp(key);
}

function tryWrap(
  core: SealingCore,
  wrap: Wrap,
  rsa: PreparedRsaPrivateKey,
  body: { salt: Uint8Array; commitment: Uint8Array; context: Uint8Array },
): { sessionKey: Uint8Array; cobblestone: Cobblestone } | undefined {
  const sessionKey = unwrap(wrap, rsa);
  if (sessionKey === undefined) return undefined;
  let right = false;
  try {
    const cobblestone = new Cobblestone(core, sessionKey, body.salt, body.context);
    right = cobblestone.commitsTo(body.commitment);
    if (right) return { sessionKey, cobblestone };
    cobblestone.dispose();
    return undefined;
  } finally {
    if (!right) wipe(sessionKey);
  }
}

/** The key in a wrap, or a pseudo-random one; undefined if the wrap itself shows that there is none. */
function unwrap(wrap: Wrap, rsa: PreparedRsaPrivateKey): Uint8Array | undefined {
  try {
    return rsa.unwrapKey(encryptedKeyOf(wrap), { padding: wrap.padding, length: KEY });
  } catch (error) {
    // BAD_ARGUMENT: the padding that the wrap names leaves no room for a key under an RSA key so short.
    const shows = ["DECRYPTION_FAILED", "BAD_ARGUMENT"];
    if (error instanceof TwinwrapError && shows.includes(error.code)) return undefined;
    throw error;
  }
}
