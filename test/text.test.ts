import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { columns, safe } from "#build/text.js";

// What is shown of texts that come from anybody. The properties are Unicode's own, asked for every code point.

/** Every code point, lone surrogates too, 256 at a time: a call for each takes long. */
function* blocks(): Generator<{ block: string; codes: number[] }> {
  for (let from = 0; from <= 0x10ffff; from += 256) {
    yield { block: from.toString(16), codes: Array.from({ length: 256 }, (_, i) => from + i) };
  }
}

/** Whether a person may see nothing where this stands, or something else than what is there. */
const HIDDEN = [
  /^\p{Cc}$/u,
  /^\p{Cf}$/u,
  /^\p{Co}$/u,
  /^\p{Cn}$/u,
  /^\p{Cs}$/u,
  /^\p{Zl}$/u,
  /^\p{Zp}$/u,
  /^\p{Default_Ignorable_Code_Point}$/u,
  /^\p{Variation_Selector}$/u,
  /^\p{Bidi_Control}$/u,
  /^[\u{e0000}-\u{e0fff}]$/u,
];

describe("every code point", () => {
  test("is escaped, a space or shown as it is", () => {
    const odd: string[] = [];
    const counts = { escaped: 0, spaces: 0, same: 0 };
    const expectedOf = (code: number) => {
      const character = String.fromCodePoint(code);
      if (HIDDEN.some((kind) => kind.test(character)) || code === 0x2800 || code === 0x1d159) {
        counts.escaped++;
        return `\\u{${code.toString(16)}}`;
      }
      const isSpace = /^\p{White_Space}$/u.test(character);
      counts[isSpace ? "spaces" : "same"]++;
      return isSpace ? " " : character;
    };
    for (const { block, codes } of blocks()) {
      const text = codes.map((code) => `a${String.fromCodePoint(code)}`).join("");
      if (safe(text) !== codes.map((code) => `a${expectedOf(code)}`).join("")) odd.push(block);
    }
    expect(odd).toEqual([]);
    expect(counts.spaces).toBe(17); // Unicode's Zs
    // 137,468 of private use, 2,048 surrogates and 65 controls at least.
    expect(counts.escaped).toBeGreaterThan(139_581);
    expect(counts.same).toBeGreaterThan(140_000);
  });

  test("is one line in a line, and safe once is safe for ever", () => {
    const odd: string[] = [];
    const all = Number.POSITIVE_INFINITY;
    for (const { block, codes } of blocks()) {
      const text = codes.map((code) => String.fromCodePoint(code, code, 32)).join("");
      const line = safe(text, all);
      const isLine =
        /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(line) && !/ {2}|[^ \P{White_Space}]/u.test(line);
      if (!isLine || safe(line, all) !== line) odd.push(block);
    }
    expect(odd).toEqual([]);
  });

  test.skipIf(spawnSync("python3", ["--version"]).status !== 0)(
    "takes two columns where Unicode says wide (needs python3)",
    () => {
      const wide = spawnSync("python3", ["-c", WIDE], { encoding: "utf8" })
        .stdout.trim()
        .split(",");
      expect(wide.length).toBeGreaterThan(100_000);
      const narrow = wide.filter((code) => {
        const character = String.fromCodePoint(Number.parseInt(code, 16));
        return safe(character) === character && columns(character) !== 2;
      });
      expect(narrow).toEqual([]);
    },
  );
});

const WIDE = `
import unicodedata as u
print(",".join("%x" % c for c in range(0x110000) if u.category(chr(c)) not in ("Cn", "Cs", "Co", "Mn", "Zs")
  and u.east_asian_width(chr(c)) in "WF"))`;

describe("a line", () => {
  test.each([
    ["as it is", "Minutes, 2nd of May", 19, "Minutes, 2nd of May"],
    ["cut, and marked so", "Minutes, 2nd of May", 10, "Minutes,…"],
    ["cut where a space would stand", "Minutes of May", 9, "Minutes…"],
    ["with runs of spaces folded", "  a \u00a0\u3000 b    c ", 80, "a b c"],
    ["of wide characters", "会議の議事録", 7, "会議の…"],
    ["of wide characters, where half of one would fit", "会議の議事録", 8, "会議の…"],
    [
      "with marks, which take no column",
      "e\u0301e\u0301e\u0301e\u0301",
      4,
      "e\u0301e\u0301e\u0301e\u0301",
    ],
    ["with marks, cut between two letters", "e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…"],
    ["without line ends", "a\r\nb\tc\u2028d", 80, "a\\u{d}\\u{a}b\\u{9}c\\u{2028}d"],
    ["of nothing", "", 80, ""],
  ])("%s", (_, text, width, shown) => {
    expect(safe(text, width)).toBe(shown);
    expect(columns(shown)).toBeLessThanOrEqual(width);
  });

  test("of a path keeps its end", () => {
    expect(safe("/home/alice/reports/2027/may.twin", 16, "end")).toBe("…s/2027/may.twin");
  });

  test("is never longer than it may be, whatever is in it", () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 0x7fffffff;
      return seed % below;
    };
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: random(60) }, () =>
        String.fromCodePoint(
          [random(128), 0x300 + random(112), 0x4e00 + random(9000), random(0x110000)][random(4)]!,
        ),
      ).join("");
      const width = 1 + random(40);
      for (const keep of ["start", "end"] as const) {
        expect(columns(safe(text, width, keep)), JSON.stringify(text)).toBeLessThanOrEqual(width);
      }
    }
  });

  test("has four marks on one letter at most, and none without a letter", () => {
    const tower = `Z${"\u0336".repeat(9)}a`;
    expect(safe(tower)).toBe(`Z${"\u0336".repeat(4)}${"\\u{336}".repeat(5)}a`);
    expect(safe("\u0301a \u0301b")).toBe("\\u{301}a \\u{301}b");
    // What Vietnamese, Hebrew and Hindi need stays.
    for (const word of ["Vi\u0065\u0323\u0302t", "שָּׁלוֹם", "क्षत्रिय"]) expect(safe(word)).toBe(word);
  });
});
