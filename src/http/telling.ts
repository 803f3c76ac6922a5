import type { FastifyBaseLogger } from "fastify";
import type { AuthorityService } from "../authority/service.js";
import type { Means } from "../authority/store/store.js";
import { TwinwrapError } from "../errors.js";
import { eventJson, eventMail, type Teller } from "./event-text.js";
import { Mailer, type MailOptions } from "./mail.js";
import { callWebhook, type WebhookOptions } from "./webhook.js";

// Makes deliveries as long as the service runs.

export interface TellingOptions extends WebhookOptions {
  /** Where others find the service, for links. */
  url?: URL | undefined;
  /** How mail is sent; without it mail waits. */
  mail?: MailOptions | undefined;
}

/** How often what is due is looked for, in milliseconds. */
const LOOK = 1_000;

/** The deliveries of a service: its log tells of each attempt, but not where it went. */
export function delivering(
  service: AuthorityService,
  { url, mail, timeout }: TellingOptions,
  logger: FastifyBaseLogger,
) {
  const mailer = mail && new Mailer(mail);
  const means: Means[] = mailer === undefined ? ["webhook"] : ["webhook", "mail"];
  const deliveries = service.deliverer({
    means,
    async send(receiver, message) {
      const teller: Teller = { authority: service.authority.origin, url };
      const { id } = message;
      if (receiver.means === "webhook") {
        await callWebhook(receiver, id, eventJson(teller, message), { timeout });
      } else {
        const { subject, text } = eventMail(teller, message);
        const name = `${id}.${receiver.id}`;
        await mailer!.send({ to: receiver.address, subject, text, id: name, time: message.time });
      }
    },
    onAttempt({ reason, isDead, ...about }) {
      if (reason === undefined) logger.info(about, "told");
      else if (isDead) logger.error({ ...about, reason }, "given up: somebody was not told");
      else logger.warn({ ...about, reason }, "could not tell, and tries again");
    },
  });
  return { deliveries, close: () => mailer?.close() };
}

/** Makes deliveries from now on. @returns ends that, after the attempts that are being made */
export function startTelling(
  service: AuthorityService,
  options: TellingOptions,
  logger: FastifyBaseLogger,
): () => Promise<void> {
  const { deliveries, close } = delivering(service, options, logger);
  let looking: Promise<void> | undefined;
  const look = async () => {
    try {
      await deliveries.look();
    } catch (error) {
      const code = error instanceof TwinwrapError ? error.code : undefined;
      logger.warn({ code, reason: String(error) }, "could not look whom to tell");
    } finally {
      looking = undefined;
    }
  };
  const begin = () => {
    looking ??= look();
  };
  const timer = setInterval(begin, LOOK).unref();
  begin();
  if (options.mail === undefined) void warnOfMail(service, logger);
  return async () => {
    clearInterval(timer);
    deliveries.end();
    await looking;
    close();
  };
}

async function warnOfMail(service: AuthorityService, logger: FastifyBaseLogger): Promise<void> {
  const receivers = await service.receivers().catch(() => []);
  const waiting = receivers.filter(({ means }) => means === "mail").length;
  if (waiting > 0) logger.warn({ receivers: waiting }, "no mail server is known: mail waits");
}
