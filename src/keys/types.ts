import { needStableBytes, objectOf, type Shape } from "../arguments.js";
import type { RsaPrivateComponents, RsaPublicComponents } from "../core/index.js";

/** An RSA public key: n and e, big-endian. Keys read here have no leading zeros. */
export type RsaPublicKey = RsaPublicComponents;

/** An RSA private key with two primes, in either order of size; otherwise as RsaPublicKey. */
export type RsaPrivateKey = RsaPrivateComponents;

/** The numbers that only a private key has, in the order of RFC 8017, appendix A.1.2. */
export const SECRET_NUMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;

/** A private key as it may stand in a file: enough to compute what is missing. */
export type PrivateParts = RsaPublicKey & Partial<Omit<RsaPrivateKey, keyof RsaPublicKey>>;

const PUBLIC: Shape<RsaPublicKey> = { n: needStableBytes, e: needStableBytes };
const publicKey = objectOf(PUBLIC);
const privateKey = objectOf<RsaPrivateKey>({
  ...PUBLIC,
  d: needStableBytes,
  p: needStableBytes,
  q: needStableBytes,
  dp: needStableBytes,
  dq: needStableBytes,
  qi: needStableBytes,
});

/** The public half of a key, its numbers as plain arrays. @throws TwinwrapError BAD_ARGUMENT */
export function needPublicKey(value: unknown, what = "the key"): RsaPublicKey {
  return publicKey(value, what);
}

/** A private key, its numbers as plain arrays. @throws TwinwrapError BAD_ARGUMENT */
export function needPrivateKey(value: unknown, what = "the private key"): RsaPrivateKey {
  return privateKey(value, what);
}
