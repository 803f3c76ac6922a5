import { createTransport } from "nodemailer";
import { checkMail } from "../authority/receivers.js";
import { TwinwrapError } from "../errors.js";
import type { SmtpPlace } from "./smtp.js";

// Mail, by an SMTP server.

export interface MailOptions {
  /** Whose address stands in From. */
  from: string;
  smtp: SmtpPlace;
}

/** How long each step of the conversation may take, in milliseconds, and how long all of it. */
const STEP = 10_000;
const ALL = 25_000;

const LOCAL = ["localhost", "127.0.0.1", "::1"];

export interface Mail {
  to: string;
  subject: string;
  text: string;
  /** The same for every attempt, so that a mail box may show it once. */
  id: string;
  time: Date;
}

export class Mailer {
  readonly #from: string;
  readonly #transport: ReturnType<typeof createTransport>;

  constructor({ from, smtp }: MailOptions) {
    const { host, port, secure, user, password } = smtp;
    this.#from = from;
    this.#transport = createTransport({
      host,
      port,
      secure,
      requireTLS: !secure && !LOCAL.includes(host),
      ...(user === undefined ? {} : { auth: { user, pass: password ?? "" } }),
      tls: { minVersion: "TLSv1.2" },
      connectionTimeout: STEP,
      greetingTimeout: STEP,
      socketTimeout: STEP,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  /** @throws TwinwrapError BAD_ARGUMENT if nobody can have this address; UNAVAILABLE unless the server took it */
  async send({ to, subject, text, id, time }: Mail): Promise<void> {
    // Whatever the store holds: what is no address could be two.
    checkMail(to);
    const domain = this.#from.slice(this.#from.lastIndexOf("@") + 1);
    const sending = this.#transport.sendMail({
      from: { name: "", address: this.#from },
      to: { name: "", address: to },
      envelope: { from: this.#from, to: [to] },
      subject,
      text,
      date: time,
      messageId: `<${id}@${domain}>`,
      headers: { "Auto-Submitted": "auto-generated" },
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("late")), ALL);
    });
    try {
      await Promise.race([sending, late]);
    } catch (error) {
      sending.catch(() => {});
      throw new TwinwrapError("UNAVAILABLE", `the mail server did not take it: ${whyOf(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#transport.close();
  }
}

/** Why, without what the server said: that can name people. */
function whyOf(error: unknown): string {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const parts = [code, responseCode].filter((part) => ["string", "number"].includes(typeof part));
  return parts.length === 0 ? "no answer" : parts.join(" ");
}
