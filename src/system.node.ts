import { isObject, needText } from "./arguments.js";
import { isWellFormed } from "./bytes.js";
import { type ErrorCode, TwinwrapError } from "./errors.js";

// The system's errors as callers of this library get them: TwinwrapErrors with a code, which name the file and
// have the system's error as their cause.

const TEXTS: Record<string, string> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "is a folder",
  ENOTDIR: "part of the path is no folder",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than the system allows",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  EIO: "the device failed",
  ELOOP: "too many links lead to each other",
  ENXIO: "is of a kind that cannot be opened",
  EBUSY: "is in use",
  EBADF: "is not open for this",
  ENOTEMPTY: "the folder is not empty",
  EPIPE: "was closed before everything was written",
};

/** The system's error, in an error or as its cause. */
export function systemError(error: unknown): NodeJS.ErrnoException | undefined {
  // Under Jest the system's errors are of another realm: no instanceof.
  if (!isObject(error)) return undefined;
  if ("code" in error && "syscall" in error) return error as unknown as NodeJS.ErrnoException;
  return error instanceof TwinwrapError ? systemError(error.cause) : undefined;
}

/** The file that the system's error is about, if it says so: for a rename the new name, which people know. */
function fileOf(error: NodeJS.ErrnoException & { dest?: string }): string | undefined {
  return error.dest ?? error.path;
}

/** What the system's error means, in words; which file it is about, if it says so. */
export function systemText(error: NodeJS.ErrnoException, path = fileOf(error)): string {
  const text = TEXTS[error.code ?? ""] ?? error.message;
  if (path === undefined) return text;
  // As a sentence where it is one.
  return error.code === "EPIPE" ? `${path} ${text}` : `${path}: ${text}`;
}

/**
 * Does `work` on a file.
 * @throws TwinwrapError CONFLICT or UNAVAILABLE in place of the system's errors; others as they are
 */
export async function withSystemErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cause = systemError(error);
    if (cause === undefined || error instanceof TwinwrapError) throw error;
    const code: ErrorCode = cause.code === "EEXIST" ? "CONFLICT" : "UNAVAILABLE";
    throw new TwinwrapError(code, systemText(cause, fileOf(cause) ?? path), { cause });
  }
}

/** @throws TwinwrapError BAD_ARGUMENT unless it can be a file's path */
export function needPath(value: unknown, what: string): string {
  const path = needText(value, what);
  // Half a surrogate pair would be written as another name.
  if (path !== "" && !path.includes("\0") && isWellFormed(path)) return path;
  throw new TwinwrapError("BAD_ARGUMENT", `${what} must be a file's path`);
}
