import { TwinwrapError } from "../errors.js";

// Where mail is handed in. Without the library for it, which serve alone loads.

/** An SMTP server. */
export interface SmtpPlace {
  host: string;
  port: number;
  /** TLS from the first byte on (smtps://); otherwise STARTTLS, which only a server on this machine may lack. */
  secure: boolean;
  user?: string | undefined;
  password?: string | undefined;
}

/** Reads smtp://[USER[:PASSWORD]@]HOST[:PORT], or smtps://… @throws TwinwrapError BAD_ARGUMENT */
export function parseSmtp(text: string): SmtpPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRight =
    url !== undefined &&
    ["smtp:", "smtps:"].includes(url.protocol) &&
    url.hostname !== "" &&
    ["", "/"].includes(url.pathname) &&
    url.search === "" &&
    url.hash === "";
  if (!isRight) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the mail server is smtp://HOST:PORT or smtps://HOST:PORT, with USER@ before the host if it wants one",
    );
  }
  const secure = url.protocol === "smtps:";
  const part = (value: string) => (value === "" ? undefined : decoded(value));
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    secure,
    user: part(url.username),
    password: part(url.password),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the mail server's user or password is not encoded as in a URL",
    );
  }
}
