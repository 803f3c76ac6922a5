import { randomBytes, toBase32, toUtf8, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { verifyAuthority } from "../escrow/chain.js";
import { formatIdentity, identityHash, keysHash } from "../escrow/identity.js";
import type { Authority, IdentityText } from "../escrow/index.js";
import { signNote } from "../escrow/note.js";
import { policyHash } from "../escrow/policy.js";
import { SigningKey } from "../escrow/signing-key.js";
import { generateKeyPair, type RsaPrivateKey, wipePrivateKey } from "../keys/index.js";
import { Log } from "./log.js";
import { asArgument, firstPolicy, type NewOfficer, type PolicyRules } from "./policies.js";
import type { NoteRow, Store } from "./store/store.js";

// A new authority: its keys, its identity, the draft of its first policy, and the first leaf of its log.
// The caller decides where to keep them.

const DEFAULT_BITS = 3072;
/** Bytes of an origin: the logs that may follow have longer names. */
const MAX_ORIGIN = 250;
const NOT_IN_LOG = { announceLeaf: undefined, leaf: undefined };

export interface FoundingOptions extends PolicyRules {
  /** By default random. */
  origin?: string | undefined;
  officers: readonly NewOfficer[];
  /** Of the RSA key: 3072 by default. */
  bits?: number | undefined;
  /** Takes and gives out wraps padded as PKCS#1 v1.5, too; by default OAEP alone. */
  pkcs1?: boolean | undefined;
}

/** What a new authority begins with. */
export interface Founding {
  authority: Authority;
  logKey: SigningKey;
  /** Its private key, 32 bytes; the caller wipes it. */
  logSeed: Uint8Array;
  /** The caller wipes it. */
  wrapKey: RsaPrivateKey;
  /** Not in the log yet. */
  identity: NoteRow;
  /** A draft until every officer has signed it. */
  policy: NoteRow;
}

/** Makes the keys and notes. @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit */
export async function found(core: Core, options: FoundingOptions): Promise<Founding> {
  const origin = options.origin ?? `authority-${toBase32(randomBytes(10))}`;
  if (toUtf8(origin).length > MAX_ORIGIN) {
    throw new TwinwrapError("BAD_ARGUMENT", `an origin has at most ${MAX_ORIGIN} bytes`);
  }
  const { publicKey, privateKey } = await generateKeyPair({ bits: options.bits ?? DEFAULT_BITS });
  const logSeed = randomBytes(32);
  try {
    const logKey = await SigningKey.from(logSeed);
    const signer = logKey.signer(origin);
    const keys: IdentityText = {
      origin,
      number: 1,
      previous: new Uint8Array(32),
      log: { name: origin, publicKey: logKey.publicKey },
      wrapKeys: [publicKey],
      paddings: options.pkcs1 ? ["oaep", "pkcs1-v1_5"] : ["oaep"],
      ended: [],
    };
    const policyText = firstPolicy(origin, keysHash(core, keys), options);
    const policy = policyHash(core, policyText);
    const identityText = asArgument(() => formatIdentity({ ...keys, previous: policy }));
    const note = await signNote(core, identityText, signer);
    const draft = await signNote(core, policyText, signer);
    return {
      authority: await verifyAuthority(core, { identities: [note], policies: [] }),
      logKey,
      logSeed,
      wrapKey: privateKey,
      identity: { number: 1, hash: identityHash(core, identityText), note, ...NOT_IN_LOG },
      policy: { number: 1, hash: policy, note: draft, ...NOT_IN_LOG },
    };
  } catch (error) {
    wipe(logSeed);
    wipePrivateKey(privateKey);
    throw error;
  }
}

/** Writes the first leaf, and what stands on it, into a new store. */
export async function beginStore(
  core: Core,
  store: Store,
  { authority, logKey, identity, policy }: Founding,
): Promise<void> {
  const signer = logKey.signer(authority.origin);
  const log = new Log(core, { signer, logs: [signer] });
  await store.write(async (writes) => {
    const end = await log.end(writes);
    const { number, hash } = identity;
    await end.append([{ type: "authority", number, identity: hash }]);
    await writes.putIdentity({ ...identity, leaf: end.next });
    await writes.putPolicy(policy);
  });
}
