import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldName } from "#build/escrow/names.js";

const SURROGATES = [0xd800, 0xdfff] as const;
const LAST = 0x10ffff;

function* characters() {
  for (let code = 0; code <= LAST; code++) {
    if (code < SURROGATES[0] || code > SURROGATES[1]) yield String.fromCodePoint(code);
  }
}

describe("a folded name", () => {
  test.each([
    ["Strauß", "STRAUSS", "strauss"],
    ["Strauß", "strauẞ", "strauss"],
    ["Işık", "IŞIK", "isik"],
    ["Işık", "ışık", "isik"],
    ["İpek", "ipek", "ipek"],
    ["ΝΙΚΟΣ", "Νίκος", "νικος"],
    ["ΝΙΚΟΣ ΠΑΠΠΑΣ", "Νικοσ.Παππας", "νικοσπαππας"],
    ["Jürgen", "JU\u0308RGEN", "jurgen"],
    ["ſmith", "Smith", "smith"],
    ["\u212aurt", "kurt", "kurt"],
    ["\u212bsa", "åsa", "asa"],
    ["ｂｏｂ", "BOB", "bob"],
    ["o\ufb03ce", "Office", "office"],
    ["b\u00ado\u200bb", " b-o_b. ", "bob"],
    ["bob\ufe0f\u{e0101}", "b\u034fo\u3164b", "bob"],
    ["no\u00b2", "№ 2", "no2"],
    ["각", "\u1100\u1161\u11a8", "\u1100\u1161\u11a8"],
  ])("%s is %s", (one, other, folded) => {
    expect(foldName(one)).toBe(folded);
    expect(foldName(other)).toBe(folded);
  });

  test.each(["", " ", "-", "🐱", "\u0301", "\u200b\u3164", "…!"])("%j is nothing", (text) => {
    expect(foldName(text)).toBe("");
  });

  test.each([
    ["anna", "anne"],
    ["bob1", "bob2"],
    ["ö", "u"],
    ["李", "王"],
  ])("%s is not %s", (one, other) => {
    expect(foldName(one)).not.toBe(foldName(other));
  });

  // Upper case writes a iota subscript beside its letter, where it stands for itself.
  const isSubscript = (text: string) => text.normalize("NFD").includes("\u0345");

  test("stays the same when it is folded again, and whatever case and form it had: every character", () => {
    const wrong: [string, string][] = [];
    for (const text of characters()) {
      const folded = foldName(text);
      const forms = [folded, text.toLowerCase(), text.normalize("NFC"), text.normalize("NFKC")];
      forms.push(text.normalize("NFD"), text.normalize("NFKD"), `\u2060${text}\u0301 `);
      if (!isSubscript(text)) forms.push(text.toUpperCase());
      for (const form of forms) if (foldName(form) !== folded) wrong.push([text, form]);
    }
    expect(wrong).toEqual([]);
  });

  test("stays the same when it is folded again: any text", () => {
    const odd = fc.constantFrom(..."ßẞſΣσςıİiIKÅå\u0307\u0301ﬀŉǰΐ\u0345.- '\u00ad\u03f4ϴ");
    const text = fc.string({ unit: fc.oneof(odd, fc.string({ unit: "binary", maxLength: 1 })) });
    fc.assert(
      fc.property(text, (any) => {
        const folded = foldName(any);
        expect(foldName(folded)).toBe(folded);
        expect(folded).toMatch(/^[\p{L}\p{N}]*$/u);
        expect(foldName(any.toLowerCase())).toBe(foldName(any.toLowerCase().normalize("NFD")));
      }),
      { numRuns: 2000 },
    );
  });
});
