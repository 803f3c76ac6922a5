import { needText, whole } from "../arguments.js";
import { TwinwrapError } from "../errors.js";
import {
  CALG_3DES,
  CALG_3DES_112,
  CALG_AES_128,
  CALG_AES_192,
  CALG_AES_256,
  CALG_DES,
  CALG_HMAC,
  CALG_RC2,
  CALG_RC4,
  CALG_RSA_KEYX,
  CALG_RSA_SIGN,
  CALG_SHA1,
  OPAQUEKEYBLOB,
  PLAINTEXTKEYBLOB,
  PRIVATEKEYBLOB,
  PUBLICKEYBLOB,
  SIMPLEBLOB,
  SYMMETRICWRAPKEYBLOB,
} from "./numbers.js";

export * from "./errors.js";
export * from "./numbers.js";

// Constants with the names and values of wincrypt.h and winerror.h.

/** Every kind that wincrypt.h knows, including those that Twinwrap does not read. */
export const BLOB_TYPES: ReadonlyMap<number, string> = new Map([
  [SIMPLEBLOB, "SIMPLEBLOB"],
  [PUBLICKEYBLOB, "PUBLICKEYBLOB"],
  [PRIVATEKEYBLOB, "PRIVATEKEYBLOB"],
  [PLAINTEXTKEYBLOB, "PLAINTEXTKEYBLOB"],
  [OPAQUEKEYBLOB, "OPAQUEKEYBLOB"],
  [0xa, "PUBLICKEYBLOBEX"],
  [SYMMETRICWRAPKEYBLOB, "SYMMETRICWRAPKEYBLOB"],
  [0xc, "KEYSTATEBLOB"],
]);

/** An algorithm whose keys travel in SIMPLEBLOBs and PLAINTEXTKEYBLOBs. */
export interface SessionAlgorithm {
  readonly algId: number;
  /** As wincrypt.h spells it, "CALG_AES_256". */
  readonly name: string;
  /** As the command line spells it, "aes-256". */
  readonly shortName: string;
  /** Bytes of a key that is made without a length being asked for. */
  readonly keyLength: number;
  /** Shortest and longest key in bytes that an import accepts. */
  readonly minKeyLength: number;
  readonly maxKeyLength: number;
}

function fixed(algId: number, name: string, shortName: string, length: number): SessionAlgorithm {
  return { algId, name, shortName, keyLength: length, minKeyLength: length, maxKeyLength: length };
}

/** The session algorithms; DES keys are counted with their parity bits. */
export const SESSION_ALGORITHMS: readonly SessionAlgorithm[] = [
  /* @__PURE__ */ fixed(CALG_DES, "CALG_DES", "des", 8),
  {
    algId: CALG_RC2,
    name: "CALG_RC2",
    shortName: "rc2",
    keyLength: 16,
    minKeyLength: 5,
    // Providers make RC2 keys of at most 16 bytes but import longer ones, because HMAC keys travel
    // under this ALG_ID (CRYPT_IPSEC_HMAC_KEY); 128 is the cipher's own limit (RFC 2268, section 2).
    maxKeyLength: 128,
  },
  /* @__PURE__ */ fixed(CALG_3DES, "CALG_3DES", "3des", 24),
  /* @__PURE__ */ fixed(CALG_3DES_112, "CALG_3DES_112", "3des-112", 16),
  /* @__PURE__ */ fixed(CALG_AES_128, "CALG_AES_128", "aes-128", 16),
  /* @__PURE__ */ fixed(CALG_AES_192, "CALG_AES_192", "aes-192", 24),
  /* @__PURE__ */ fixed(CALG_AES_256, "CALG_AES_256", "aes-256", 32),
  {
    algId: CALG_RC4,
    name: "CALG_RC4",
    shortName: "rc4",
    keyLength: 16,
    minKeyLength: 5,
    maxKeyLength: 16,
  },
];

/** Names for what may stand in a blob, though no such blob is read. */
const OTHER_ALGORITHMS: ReadonlyMap<number, string> = new Map([
  [CALG_RSA_KEYX, "CALG_RSA_KEYX"],
  [CALG_RSA_SIGN, "CALG_RSA_SIGN"],
  [CALG_SHA1, "CALG_SHA1"],
  [CALG_HMAC, "CALG_HMAC"],
  [0x2200, "CALG_DSS_SIGN"],
  [0x6604, "CALG_DESX"],
  [0x660d, "CALG_RC5"],
  [0x6611, "CALG_AES"],
  [0x8003, "CALG_MD5"],
  [0x800c, "CALG_SHA_256"],
  [0x800d, "CALG_SHA_384"],
  [0x800e, "CALG_SHA_512"],
  [0xaa01, "CALG_DH_SF"],
  [0xaa02, "CALG_DH_EPHEM"],
]);

const needAlgId = /* @__PURE__ */ whole(0, 0xffffffff);

/** The session algorithm with this ALG_ID, if it is one. @throws TwinwrapError BAD_ARGUMENT */
export function sessionAlgorithm(algId: number): SessionAlgorithm | undefined {
  needAlgId(algId, "the ALG_ID");
  return SESSION_ALGORITHMS.find((algorithm) => algorithm.algId === algId);
}

/**
 * The session algorithm that a person names: "aes-256" or "CALG_AES_256", in any case.
 * @throws TwinwrapError BAD_ARGUMENT if there is none of this name
 */
export function sessionAlgorithmByName(name: string): SessionAlgorithm {
  const wanted = needText(name, "the name").toLowerCase();
  const found = SESSION_ALGORITHMS.find(
    (algorithm) => algorithm.shortName === wanted || algorithm.name.toLowerCase() === wanted,
  );
  if (found !== undefined) return found;
  const known = SESSION_ALGORITHMS.map((algorithm) => algorithm.shortName).join(", ");
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    `no session algorithm is called "${name}"; there are ${known}`,
  );
}

/** An ALG_ID by its name in wincrypt.h, or as a number if it has none here. */
export function algorithmName(algId: number): string {
  const name = sessionAlgorithm(algId)?.name ?? OTHER_ALGORITHMS.get(algId);
  return name ?? `ALG_ID 0x${algId.toString(16).padStart(8, "0")}`;
}
