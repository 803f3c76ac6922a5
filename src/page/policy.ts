import { find } from "./dom.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";

// The page's own policy, which the build writes into its HTML. It says where authorities may be asked.

/** The origins that the page may connect to, besides its own. */
export function openOrigins(): string[] {
  const { content } = find<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]');
  const directive = content.split(";").find((one) => one.trim().startsWith("connect-src "));
  const [, ...sources] = directive?.trim().split(/\s+/) ?? [];
  return sources.filter((source) => source !== "'self'");
}

/** @throws PageError unless the page's policy lets it ask a service there */
export function checkOpen(url: URL): void {
  const { origin } = url;
  if (origin === location.origin || openOrigins().includes(origin)) return;
  throw new PageError(TEXTS.words.closedTo(origin));
}

/** Whether the page was built with a place to give a token. */
export function hasTokenLogin(): boolean {
  return find<HTMLMetaElement>('meta[name="twinwrap-token-login"]').content === "on";
}
