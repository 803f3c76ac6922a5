import { fromBase64, fromUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { PrivateParts } from "./types.js";

// RSAKeyValue (XML Signature, section 4.5.2.2), as .NET's RSA.ToXmlString writes it, with the private numbers
// that .NET added. This reads exactly that document and is no XML parser: there are no entities, comments,
// sections or other attributes in it. The text passes through strings.

const ELEMENTS: ReadonlyMap<string, keyof PrivateParts> = new Map([
  ["Modulus", "n"],
  ["Exponent", "e"],
  ["P", "p"],
  ["Q", "q"],
  ["DP", "dp"],
  ["DQ", "dq"],
  ["InverseQ", "qi"],
  ["D", "d"],
]);

/** Each matches at the reader's place; none of them can look at a character more than once. */
const DECLARATION = /\ufeff?\s*(?:<\?xml [a-zA-Z0-9 ="'._-]*\?>\s*)?/y;
const BEGIN = /<RSAKeyValue(?:\s+xmlns\s*=\s*"http:\/\/www\.w3\.org\/2000\/09\/xmldsig#")?\s*>\s*/y;
const ELEMENT = /<([A-Za-z]{1,16})>([A-Za-z0-9+/=\s]*)<\/([A-Za-z]{1,16})>\s*/y;
const END = /<\/RSAKeyValue>\s*$/y;

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/**
 * The numbers of an RSAKeyValue, those of a public key at least, as they stand there.
 * @throws TwinwrapError BAD_FORMAT
 */
export function parseXml(bytes: Uint8Array): PrivateParts {
  const text = fromUtf8(bytes);
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  take(DECLARATION);
  if (take(BEGIN) === null) throw bad("this begins like XML, but not with an RSAKeyValue");
  const found = new Map<keyof PrivateParts, Uint8Array>();
  for (let element = take(ELEMENT); element !== null; element = take(ELEMENT)) {
    const [, name, value, end] = element as unknown as [string, string, string, string];
    const number = ELEMENTS.get(name);
    if (number === undefined || end !== name) throw bad(`no RSAKeyValue has a ${name} like this`);
    if (found.has(number)) throw bad(`the RSAKeyValue has two ${name}`);
    found.set(number, readNumber(name, value));
  }
  if (take(END) === null) {
    throw bad(`the RSAKeyValue is cut, or holds something else at character ${at}`);
  }
  const [n, e] = [found.get("n"), found.get("e")];
  if (n === undefined || e === undefined)
    throw bad("the RSAKeyValue has no Modulus or no Exponent");
  return { ...Object.fromEntries(found), n, e };
}

function readNumber(name: string, text: string): Uint8Array {
  try {
    const bytes = fromBase64(text.replace(/\s+/g, ""));
    if (bytes.length > 0) return bytes;
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    // Told below.
  }
  throw bad(`the RSAKeyValue's ${name} is not base64`);
}
