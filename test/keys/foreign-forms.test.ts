import { createPrivateKey, createPublicKey, type JsonWebKey } from "node:crypto";
import {
  decodeBlobText,
  decodeCngRsaKey,
  decodeStrongName,
  describeBlob,
  encodePublicKeyBlob,
} from "twinwrap/blob";
import { identifyKey, readPrivateKey, readPublicKey, writePrivateKey } from "twinwrap/keys";
import { beforeAll, describe, expect, test } from "vitest";
import { testKey } from "./material.js";

// Keys in the forms of .NET and CNG, and blobs as text: built here from node:crypto's JWK, by the layouts that
// bcrypt.h, strongname.h and XML Signature give.

const secret = createPrivateKey(testKey());
const jwk = secret.export({ format: "jwk" }) as Required<JsonWebKey>;
const big = (name: keyof JsonWebKey) => Buffer.from(jwk[name] as string, "base64url");
const NAMES = ["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const;

let key: Awaited<ReturnType<typeof readPrivateKey>>;
beforeAll(async () => {
  key = await readPrivateKey(Buffer.from(testKey()));
});

/** The file is this key, and all of it if it is private. */
async function expectKey(file: Uint8Array, kind: "public" | "private"): Promise<void> {
  expect(identifyKey(file).kind).toBe(kind);
  const { n, e } = readPublicKey(file);
  expect([Buffer.from(n), Buffer.from(e)]).toEqual([big("n"), big("e")]);
  if (kind === "public") {
    await expect(readPrivateKey(file)).rejects.toMatchObject({ code: "BAD_KEY" });
    return;
  }
  const read = await readPrivateKey(file);
  for (const name of NAMES) expect(Buffer.from(read[name])).toEqual(big(name));
}

const words = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
};

describe("XML (RSAKeyValue)", () => {
  const PUBLIC: [string, string][] = [
    ["Modulus", big("n").toString("base64")],
    ["Exponent", big("e").toString("base64")],
  ];
  const PRIVATE: [string, string][] = [
    ...PUBLIC,
    ...(
      [
        ["P", "p"],
        ["Q", "q"],
        ["DP", "dp"],
        ["DQ", "dq"],
        ["InverseQ", "qi"],
        ["D", "d"],
      ] as const
    ).map(([tag, name]): [string, string] => [tag, big(name).toString("base64")]),
  ];
  const xml = (parts: [string, string][], space = "") =>
    `<RSAKeyValue>${space}${parts.map(([tag, value]) => `<${tag}>${value}</${tag}>${space}`).join("")}</RSAKeyValue>${space}`;

  test("as .NET writes it, indented, in another order, with a declaration", async () => {
    const namespace = `<RSAKeyValue xmlns="http://www.w3.org/2000/09/xmldsig#">`;
    const forms = (parts: [string, string][]) => [
      xml(parts),
      xml(parts, "\r\n  "),
      xml([...parts].reverse()),
      `\ufeff${xml(parts)}`,
      `<?xml version="1.0" encoding="utf-8"?>\n${xml(parts)}`,
      xml(parts).replace("<RSAKeyValue>", namespace),
      xml(parts.map(([tag, value]) => [tag, value.replace(/.{20}/g, "$&\n")])),
    ];
    for (const text of forms(PUBLIC)) await expectKey(Buffer.from(text), "public");
    for (const text of forms(PRIVATE)) await expectKey(Buffer.from(text), "private");
    expect(identifyKey(Buffer.from(xml(PUBLIC)))).toEqual({
      form: "xml",
      kind: "public",
      structure: "RSAKeyValue",
    });
  });

  test("numbers with leading zeros, and only some of the private ones", async () => {
    const zeros = PRIVATE.map(([tag, value]): [string, string] => [
      tag,
      Buffer.concat([Buffer.alloc(1), Buffer.from(value, "base64")]).toString("base64"),
    ]);
    await expectKey(Buffer.from(xml(zeros)), "private");
    const some = await readPrivateKey(Buffer.from(xml(PRIVATE.slice(0, 4)))); // n, e, p, q
    expect([Buffer.from(some.q), Buffer.from(some.dq)]).toEqual([big("q"), big("dq")]);
  });

  const some = xml(PUBLIC);
  const entity = `<!DOCTYPE x [<!ENTITY a "AQAB">]>${some.replace("AQAB", "&a;")}`;
  test.each([
    ["another document", "<html><body></body></html>", /not with an RSAKeyValue/],
    ["a DTD and an entity", entity, /not with an RSAKeyValue/],
    ["an entity", some.replace("AQAB", "&a;"), /something else at character/],
    ["a comment", some.replace("<Exponent>", "<!-- x --><Exponent>"), /something else/],
    ["CDATA", some.replace("AQAB", "<![CDATA[AQAB]]>"), /something else/],
    ["an attribute", some.replace("<Exponent>", '<Exponent a="b">'), /something else/],
    ["another element", some.replace(/Exponent/g, "Seed"), /no RSAKeyValue has a Seed/],
    ["an end that is another's", some.replace("</Exponent>", "</Modulus>"), /has a Exponent like/],
    ["two of one", xml([...PUBLIC, PUBLIC[1]!]), /has two Exponent/],
    ["no exponent", xml(PUBLIC.slice(0, 1)), /no Modulus or no Exponent/],
    ["no base64", some.replace("AQAB", "AQA"), /Exponent is not base64/],
    ["no number", some.replace("AQAB", " "), /Exponent is not base64/],
    ["cut", some.slice(0, -3), /is cut/],
    ["a cut element", some.slice(0, 60), /is cut/],
    ["something behind it", `${some}x`, /something else/],
    ["bytes that are no text", `${some}\xff`, /UTF-8/],
  ] as const)("refused: %s", async (_, text, message) => {
    const file = Buffer.from(text, text.endsWith("\xff") ? "latin1" : "utf8");
    expect(() => readPublicKey(file)).toThrow(
      expect.objectContaining({ code: "BAD_FORMAT", message: expect.stringMatching(message) }),
    );
  });

  test("every cut, and texts made to be slow", () => {
    const text = Buffer.from(xml(PRIVATE));
    for (let length = 1; length < text.length; length++) {
      const code = expect.objectContaining({ code: "BAD_FORMAT" });
      expect(() => readPublicKey(text.subarray(0, length))).toThrow(code);
    }
    for (const filler of ["<", " ", "A", "<P>", "<?xml ", "<Modulus>A"]) {
      const long = `<RSAKeyValue>${filler.repeat(65_000 / filler.length)}`;
      expect(() => readPublicKey(Buffer.from(long))).toThrow(
        expect.objectContaining({ code: "BAD_FORMAT" }),
      );
    }
  });

  test("an exponent that is too big, even, or one", () => {
    for (const e of ["AQAAAAE=", "AQAA", "AQ=="]) {
      const text = xml([PUBLIC[0]!, ["Exponent", e]]);
      expect(() => readPublicKey(Buffer.from(text))).toThrow(
        expect.objectContaining({
          code: "BAD_KEY",
          message: expect.stringContaining("exponent e is"),
        }),
      );
    }
  });
});

describe("CNG (BCRYPT_RSAKEY_BLOB)", () => {
  const bits = 8 * big("n").length;
  const half = big("p").length;
  const open = (e = big("e")) =>
    Buffer.concat([words(0x31415352, bits, e.length, bits / 8, 0, 0), e, big("n")]);
  const closed = (magic: number, names: (typeof NAMES)[number][]) =>
    Buffer.concat([
      words(magic, bits, big("e").length, bits / 8, half, half),
      ...["e" as const, "n" as const, ...names].map((name) => {
        const length = name === "d" || name === "n" ? bits / 8 : name === "e" ? 3 : half;
        return Buffer.concat([Buffer.alloc(length - big(name).length), big(name)]);
      }),
    ]);
  const partly = () => closed(0x32415352, ["p", "q"]);
  const full = () => closed(0x33415352, ["p", "q", "dp", "dq", "qi", "d"]);

  test("the three blobs", async () => {
    await expectKey(open(), "public");
    await expectKey(open(Buffer.concat([Buffer.alloc(5), big("e")])), "public");
    await expectKey(full(), "private");
    expect(identifyKey(full())).toEqual({
      form: "cng",
      kind: "private",
      structure: "BCRYPT_RSAFULLPRIVATE_BLOB",
    });
    // d modulo lcm(p - 1, q - 1) may be another number than node's, of the same effect.
    const found = await readPrivateKey(partly());
    expect([Buffer.from(found.p), Buffer.from(found.dp)]).toEqual([big("p"), big("dp")]);
    expect(Buffer.from(decodeCngRsaKey(full()).qi!).equals(Buffer.from(key.qi))).toBe(
      half === key.qi.length,
    );
  });

  test("what is said of one shows no secret, whole or cut", () => {
    for (const blob of [partly(), full()]) {
      for (const length of [blob.length, blob.length - 1, 200, 100, 30]) {
        const { kind, fields } = describeBlob(blob.subarray(0, length));
        expect(kind).toMatch(/^BCRYPT_RSA(FULL)?PRIVATE_BLOB$/);
        const shown = fields.map((field) => field.hex).join("");
        for (const name of ["p", "q", "dp", "dq", "qi", "d"] as const) {
          expect(shown).not.toContain(big(name).toString("hex", 0, 8));
        }
      }
    }
    expect(describeBlob(open()).problem).toBeUndefined();
  });

  test("a key whose numbers do not belong together", () => {
    const blob = full();
    blob[24 + 3 + bits / 8 + 5]! ^= 1;
    expect(() => readPublicKey(blob)).toThrow(expect.objectContaining({ code: "BAD_KEY" }));
  });
});

describe("strong names", () => {
  const blob = () =>
    Buffer.from(encodePublicKeyBlob({ aiKeyAlg: 0x2400, n: big("n"), e: big("e") }));
  const strongName = (length = blob().length) =>
    Buffer.concat([words(0x2400, 0x8004, length), blob()]);

  test("the public half, also as assemblies show it", async () => {
    await expectKey(strongName(), "public");
    await expectKey(Buffer.from(strongName().toString("hex")), "public");
    expect(strongName().toString("hex")).toMatch(
      /^0024000004800000940000000602000000240000525341310004/,
    );
    expect(decodeStrongName(strongName()).aiKeyAlg).toBe(0x2400);
    expect(identifyKey(strongName())).toMatchObject({ form: "strongname", kind: "public" });
    expect(describeBlob(strongName())).toMatchObject({ kind: "strong name public key" });
  });

  test("the whole .snk is a PRIVATEKEYBLOB for signatures", async () => {
    const snk = Buffer.from(await writePrivateKey(key, "msblob"));
    snk.writeUInt32LE(0x2400, 4);
    await expectKey(snk, "private");
  });

  test("a length that is not the blob's", () => {
    for (const length of [0, 7, blob().length - 1, blob().length + 1, 2 ** 32 - 1]) {
      expect(() => readPublicKey(strongName(length))).toThrow(
        expect.objectContaining({ code: "BAD_BLOB", nte: "NTE_BAD_DATA" }),
      );
    }
  });
});

describe("blobs as text", () => {
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  const pkcs8 = secret.export({ format: "der", type: "pkcs8" });

  test("hexadecimal and base64 of every binary form", async () => {
    const msblob = Buffer.from(await writePrivateKey(key, "msblob"));
    const pvk = Buffer.from(await writePrivateKey(key, "pvk"));
    const texts = (bytes: Buffer) => {
      const digits = bytes.toString("hex");
      const base64 = bytes.toString("base64");
      return {
        hexadecimal: [
          digits,
          `0x${digits.toUpperCase()}\n`,
          digits.match(/../g)!.join("-"),
          digits.match(/../g)!.join(":"),
          digits.replace(/.{32}/g, "$&\r\n"),
          `\ufeff${digits}`,
        ],
        base64: [base64, `${base64}\n`, base64.replace(/.{76}/g, "$&\r\n"), `\ufeff ${base64}`],
      };
    };
    for (const [bytes, kind] of [
      [spki, "public"],
      [pkcs8, "private"],
      [msblob, "private"],
      [pvk, "private"],
    ] as const) {
      for (const [text, written] of Object.entries(texts(bytes))) {
        for (const file of written) {
          await expectKey(Buffer.from(file), kind);
          expect(identifyKey(Buffer.from(file))).toMatchObject({ text });
        }
      }
      expect(identifyKey(bytes)).not.toHaveProperty("text");
    }
  });

  test("what they hold is named as if it were no text", () => {
    const simple = `0102000010660000${"00".repeat(70)}`;
    expect(() => readPublicKey(Buffer.from(simple))).toThrow(/this is a SIMPLEBLOB/);
    for (const text of ["deadbeef", "correct horse", "0", "AAAA", "0x", "-", "=="]) {
      expect(() => readPublicKey(Buffer.from(text))).toThrow(
        expect.objectContaining({
          code: "BAD_FORMAT",
          message: expect.stringContaining("no key in"),
        }),
      );
    }
  });

  test("nothing but those alphabets is decoded", () => {
    const bytes = (text: string) => decodeBlobText(Buffer.from(text))?.bytes;
    expect(bytes("06 02")).toEqual(Uint8Array.of(6, 2));
    expect(bytes("BgI=")).toEqual(Uint8Array.of(6, 2));
    for (const text of ["", " ", "060", "BgI", "BgJ=", "B=gI", "0602é", "\u0000", "BgI=BgI="]) {
      expect(bytes(text), text).toBeUndefined();
    }
  });
});

test("what the engine lacks is not the XML's fault", () => {
  const xml = Buffer.from("<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>");
  const own = Object.getOwnPropertyDescriptor(String.prototype, "replace")!;
  let error: unknown;
  Reflect.deleteProperty(String.prototype, "replace");
  try {
    readPublicKey(xml);
  } catch (thrown) {
    error = thrown;
  } finally {
    Object.defineProperty(String.prototype, "replace", own);
  }
  expect(error).toBeInstanceOf(TypeError);
});
