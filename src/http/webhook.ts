import { createHmac } from "node:crypto";
import type { ReceiverRow } from "../authority/store/store.js";
import { TwinwrapError } from "../errors.js";

// Webhooks, signed as Standard Webhooks says (https://www.standardwebhooks.com).

/** How long a call may take, in milliseconds. */
const TIMEOUT = 10_000;

/** The headers by which a receiver knows whose call it is. @param seconds since 1970 */
export function signatureHeaders(
  secret: Uint8Array,
  id: string,
  seconds: number,
  body: string,
): Record<string, string> {
  const signed = createHmac("sha256", secret).update(`${id}.${seconds}.${body}`);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1,${signed.digest("base64")}`,
  };
}

export interface WebhookOptions {
  /** How long a call may take, in milliseconds: 10 s by default. */
  timeout?: number | undefined;
}

/** Makes a call. @throws TwinwrapError UNAVAILABLE unless it is answered with a status from 200 to 299 */
export async function callWebhook(
  { address, secret }: Pick<ReceiverRow, "address" | "secret">,
  id: string,
  body: string,
  { timeout = TIMEOUT }: WebhookOptions = {},
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(address, {
      method: "POST",
      // Never to another place: whoever was meant has the secret, and nobody else.
      redirect: "manual",
      headers: {
        "content-type": "application/json",
        "user-agent": "twinwrap",
        ...signatureHeaders(secret!, id, Math.floor(Date.now() / 1000), body),
      },
      body,
      signal: AbortSignal.timeout(timeout),
    });
  } catch (error) {
    throw new TwinwrapError("UNAVAILABLE", `no answer: ${whyOf(error, timeout)}`);
  }
  // What it says besides is nobody's affair.
  await response.body?.cancel().catch(() => {});
  if (response.ok) return;
  const { status } = response;
  const why = status >= 300 && status < 400 ? ", which is not followed" : "";
  throw new TwinwrapError("UNAVAILABLE", `answered with status ${status}${why}`);
}

/** Why there was no answer, without the address: that may be as good as a secret. */
function whyOf(error: unknown, timeout: number): string {
  if (error instanceof Error && error.name === "TimeoutError") {
    return `it took more than ${timeout / 1000} s`;
  }
  const cause = error instanceof Error ? error.cause : undefined;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "no connection";
}
