// The policy of the page: by its HTML the page may connect to nobody but where it came from, and to the authorities
// that it is built for.
import { checkUrl } from "../build/client/http.js";

const CONNECT = /\bconnect-src 'self'[^;"]*/g;

/**
 * The origin of an authority's service, as a policy names it.
 * @param address https://… , or http://… on this machine
 * @throws an Error in words for people
 */
export function originOf(address) {
  const { origin } = checkUrl(address);
  // What else a URL's host may have means something in a policy, or can't stand in one.
  if (/^https?:\/\/[a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?$/.test(origin)) return origin;
  throw new Error(`a page's policy can't name ${origin}: give a host's name, or an IPv4 address`);
}

const TOKEN_LOGIN = /(<meta name="twinwrap-token-login" content=")(on|off)"/g;

/**
 * The page's HTML with a policy that lets it ask these services, and no others.
 * @param options.tokenLogin whether it has a place to give an address and a token
 */
export function openTo(html, addresses, { tokenLogin = false } = {}) {
  const sources = ["connect-src 'self'", ...new Set(addresses.map(originOf))].join(" ");
  if (tokenLogin && addresses.length === 0) {
    throw new Error("--token-login needs --authority: whom may the page ask?");
  }
  if (html.match(CONNECT)?.length !== 1 || html.match(TOKEN_LOGIN)?.length !== 1) {
    throw new Error("the page's HTML does not have its policy once");
  }
  return html.replace(CONNECT, sources).replace(TOKEN_LOGIN, `$1${tokenLogin ? "on" : "off"}"`);
}
