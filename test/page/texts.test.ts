// Every text of the page stands in texts.ts: another language is another file like it.
import { readdirSync, readFileSync } from "node:fs";
import { parseAst } from "vite";
import { expect, test } from "vitest";

const folder = new URL("../../src/page/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");

/** Functions of lower rooms that make words for people. The page maps codes and states to words of its own. */
const WORDS = ["article", "askingTexts", "noPolicyText", "stateText", "statusText", "unshownTexts"];

/** Not for people: what a program says to a browser, and names in the browser's own interfaces. */
const NOT_TEXT = [
  /^[a-z\d#.[*:][\w\-#.[\]=*:"'^>() ,+]*$/, // names, selectors
  /^[A-Z\d_]+$/, // codes
  /^(meta|input|a|\[)\S*\[/, // selectors
  /^[A-Z]\w+Error$|^(Enter|Twinwrap|WebCrypto)$/,
  /^"twinwrap\/$|^image\/|^'self'$|^RSA-$|^Twinwrap(, auto, pool of 2)?$|^WebCrypto alone$/,
];

interface Ast {
  type: string;
  [member: string]: unknown;
}

/** Strings in a program, but those that name a module or stand for an error of the program itself. */
function stringsIn(node: Ast, found: string[] = []): string[] {
  if (node.type.startsWith("Import") || node.type.startsWith("TS")) return found;
  const { type, callee, value } = node as Ast & { callee?: { name?: string }; value?: unknown };
  if (
    type === "NewExpression" &&
    ["Error", "TwinwrapError", "Unreachable"].includes(callee?.name ?? "")
  ) {
    return found;
  }
  if (type === "Literal" && typeof value === "string") found.push(value);
  if (type === "TemplateElement") found.push((value as { cooked: string }).cooked);
  for (const member of Object.values(node)) {
    for (const one of Array.isArray(member) ? member : [member]) {
      if (typeof one?.type === "string") stringsIn(one, found);
    }
  }
  return found;
}

const isText = (text: string) =>
  /\p{L}{2}/u.test(text) && !NOT_TEXT.some((pattern) => pattern.test(text.trim()));

/** Names of programs and algorithms, which are the same in every language; and a style sheet. */
const NAMES = ["browser-name.ts", "compare.ts", "contenders.ts", "plot-css.ts"];
const scripts = readdirSync(folder).filter(
  (name) => name.endsWith(".ts") && ![...NAMES, "texts.ts"].includes(name),
);

test.each(scripts)("%s has no text of its own", (name) => {
  const source = read(name);
  const program = parseAst(source, { lang: "ts" }) as unknown as Ast;
  expect(stringsIn(program).filter(isText)).toEqual([]);
  const imported = [...source.matchAll(/import [^;]+ from/g)].join();
  expect(WORDS.filter((word) => new RegExp(`\\b${word}\\b`).test(imported))).toEqual([]);
});

test.each(["index.html", "bench.html"])("%s has none either", (name) => {
  const bare = read(name)
    .replace(/<title>[^<]*<\/title>|<!--[\s\S]*?-->/g, "")
    .replace(/\{\{\w+\.\w+\}\}/g, "")
    .replace(/<[^>]+>/g, "");
  expect(bare.split(/\s+/).filter((word) => /\p{L}{2}/u.test(word) && word !== "Twinwrap")).toEqual(
    [],
  );
  const labels = [...read(name).matchAll(/\b(?:aria-label|label|hint|title|alt)="([^"]*)"/g)];
  expect(
    labels.map(([, text]) => text).filter((text) => !/^(\{\{)?\w+\.\w+(\}\})?$/.test(text!)),
  ).toEqual([]);
});
