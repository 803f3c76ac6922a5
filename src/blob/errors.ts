import { needText, oneOf, whole } from "../arguments.js";
import { TwinwrapError } from "../errors.js";

/** What winerror.h calls the errors of a cryptographic provider, with their HRESULTs. */
export const NTE_ERRORS = {
  NTE_BAD_KEY: 0x80090003,
  NTE_BAD_LEN: 0x80090004,
  NTE_BAD_DATA: 0x80090005,
  NTE_BAD_VER: 0x80090007,
  NTE_BAD_ALGID: 0x80090008,
  NTE_BAD_FLAGS: 0x80090009,
  NTE_BAD_TYPE: 0x8009000a,
  NTE_BAD_KEY_STATE: 0x8009000b,
  NTE_NO_KEY: 0x8009000d,
  NTE_BAD_PUBLIC_KEY: 0x80090015,
} as const;

export type NteError = keyof typeof NTE_ERRORS;

const needNte = /* @__PURE__ */ oneOf(...(Object.keys(NTE_ERRORS) as NteError[]));
const needOffset = /* @__PURE__ */ whole(0);

/** A blob was refused, with the error that CryptoAPI documents for it. */
export class CryptoApiError extends TwinwrapError {
  /** The error's name in winerror.h. */
  readonly nte: NteError;
  readonly hresult: number;
  /** The byte of the blob where the problem stands; its length if bytes are missing at the end. */
  readonly offset: number;

  /** @throws TwinwrapError BAD_ARGUMENT */
  constructor(nte: NteError, offset: number, message: string) {
    super("BAD_BLOB", `${needNte(nte, "nte")}: ${needText(message, "the message")}`);
    needOffset(offset, "the offset");
    this.name = "CryptoApiError";
    this.nte = nte;
    this.hresult = NTE_ERRORS[nte];
    this.offset = offset;
  }

  /** Whether it is in one place: that numbers are no key shows only when they are taken together. */
  get hasPlace(): boolean {
    return this.nte !== "NTE_BAD_KEY";
  }
}
