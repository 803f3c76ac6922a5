import type { RsaPrivateComponents, RsaPublicComponents } from "../core/index.js";

/** An RSA public key: n and e, big-endian. Keys read here have no leading zeros. */
export type RsaPublicKey = RsaPublicComponents;

/** An RSA private key with two primes, in either order of size; otherwise as RsaPublicKey. */
export type RsaPrivateKey = RsaPrivateComponents;

/** The numbers that only a private key has, in the order of RFC 8017, appendix A.1.2. */
export const SECRET_NUMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;

/** A private key as it may stand in a file: enough to compute what is missing. */
export type PrivateParts = RsaPublicKey & Partial<Omit<RsaPrivateKey, keyof RsaPublicKey>>;
