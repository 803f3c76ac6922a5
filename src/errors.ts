/** Every error that Twinwrap throws on purpose has one of these codes; the text is for people. */
export type ErrorCode =
  /** A call was made with an argument of the wrong type, size or combination. */
  | "BAD_ARGUMENT"
  /** The key, passphrase or data is wrong or was altered; which of these is never said. */
  | "DECRYPTION_FAILED"
  /** The file is not sealed for this key: none of its wraps names it. */
  | "NOT_A_RECIPIENT"
  /** A file or message is not in the format expected: foreign, truncated or malformed. */
  | "BAD_FORMAT"
  /** A CryptoAPI blob was refused; `nte` tells which error CryptoAPI documents. */
  | "BAD_BLOB"
  /** Key material that cannot be used. */
  | "BAD_KEY"
  /** A key that is too short or odd for new wraps, without the caller having allowed it. */
  | "WEAK_KEY"
  /** The key is locked and no passphrase was given. */
  | "PASSPHRASE_NEEDED"
  /** The key is locked and the passphrase does not open it. */
  | "WRONG_PASSPHRASE"
  /** This engine lacks what is needed (SIMD, a secure context, …). */
  | "UNSUPPORTED"
  /** A limit that Twinwrap sets itself: size of a header, iteration count, length of a file. */
  | "LIMIT_EXCEEDED"
  /** The file's header has no room for it; sealing the whole file again makes some. */
  | "NO_ROOM"
  /** A prepared key was used after dispose(). */
  | "DISPOSED"
  /** A computation failed its own check, or its worker died; nothing of its result was given out. */
  | "FAULT"
  /** A file, a store or the core's file cannot be read or written: it is not there, no room, no permission, no network. */
  | "UNAVAILABLE"
  /** Somebody else is writing the same file, or it exists already. */
  | "CONFLICT"
  /** The caller aborted the operation. */
  | "ABORTED"
  /** A signature, proof or receipt that does not verify. */
  | "NOT_VERIFIED"
  /** Something asked for is not there: a record, a request, a submission. */
  | "NOT_FOUND"
  /** The message is for another authority, or for a key that is not this one's. */
  | "WRONG_AUTHORITY"
  /** Nobody has proven to know the session key, and the authority does not take such keys in. */
  | "NOT_PROVEN"
  /** Too many wraps of one record wait to be opened. */
  | "BACKLOG"
  /** It was done before: decided by this officer, in force, a receipt in its place, the blob of another record. */
  | "DUPLICATE"
  /** The signer does not decide about this: they are no officer, or are kept out. */
  | "NOT_ENTITLED"
  /** The request is not approved yet. */
  | "NOT_APPROVED"
  /** The request is over: it was denied, has expired, or was released. */
  | "CLOSED"
  /** No policy is in force yet. */
  | "NO_POLICY"
  /** The authority was restored from a backup, and its log may not grow yet. */
  | "FENCED"
  /** An authority's service does not know who calls: no token was given, or none that is good. */
  | "UNAUTHENTICATED"
  /** The token is good, but not for this: another scope, or another owner. */
  | "FORBIDDEN"
  /** Too many calls in a short time: the same call can be made again later. */
  | "BUSY"
  /** Anything else that an authority's policy or identity does not allow. */
  | "REFUSED";

/** The one class of errors thrown on purpose. */
export class TwinwrapError extends Error {
  readonly code: ErrorCode;

  /** @throws TwinwrapError BAD_ARGUMENT unless code and message are text */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    if (typeof code !== "string" || typeof message !== "string") {
      throw new TwinwrapError("BAD_ARGUMENT", "an error has a code and a message, both text");
    }
    super(message, options);
    this.name = "TwinwrapError";
    this.code = code;
  }
}

/**
 * The one error of every failed decryption and unwrapping: wrong key, wrong padding and altered
 * data look alike.
 */
export function decryptionFailed(): TwinwrapError {
  return new TwinwrapError(
    "DECRYPTION_FAILED",
    "decryption failed: the key is not the right one, or the data was altered",
  );
}

/** The error of a signature, proof or receipt that does not verify. */
export function notVerified(message: string): TwinwrapError {
  return new TwinwrapError("NOT_VERIFIED", message);
}

/** A reader's error for a file or message with something longer, or more of it, than its format allows. */
class OverLimit extends TwinwrapError {}

/** The error of a reader at a limit of the format; {@link readBack} turns it into the maker's. */
export function overLimit(message: string): TwinwrapError {
  return new OverLimit("BAD_FORMAT", message);
}

/**
 * Reads a new file or message by its reader's rules, so that nothing is written that could not be read.
 * @param otherwise the code for anything wrong other than the size
 * @throws TwinwrapError LIMIT_EXCEEDED in place of {@link overLimit}, `otherwise` in place of BAD_FORMAT
 */
export function readBack<T>(
  read: () => T,
  otherwise: "BAD_ARGUMENT" | "BAD_FORMAT" = "BAD_ARGUMENT",
): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TwinwrapError) || error.code !== "BAD_FORMAT") throw error;
    const code = error instanceof OverLimit ? "LIMIT_EXCEEDED" : otherwise;
    throw new TwinwrapError(code, error.message);
  }
}

/** Codes about the data that was read or verified, not about engine, machine or caller. */
const ABOUT_CONTENT: readonly ErrorCode[] = [
  "BAD_FORMAT",
  "BAD_BLOB",
  "BAD_KEY",
  "WEAK_KEY",
  "LIMIT_EXCEEDED",
  "NOT_VERIFIED",
  "DECRYPTION_FAILED",
];

/** Whether an error is about the data that was read: then the data is bad, and nothing else has failed. */
export function isAboutContent(error: unknown): error is TwinwrapError {
  return error instanceof TwinwrapError && ABOUT_CONTENT.includes(error.code);
}
