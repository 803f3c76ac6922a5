import { readFileSync } from "node:fs";

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
/** The README, and the page for developers that goes on from it. */
const text = read("README.md") + read("docs/developer.md");

/** The examples of one kind: what stands behind the fence. */
export const examplesOf = (kind: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${kind}\\n(.*?)\`\`\``, "gs"))].map(([, code]) => code!);

/** Those for Node, which are whole programs. */
export const FOR_NODE = examplesOf("js");
/** Those that work on files that somebody has (test/client/readme.test.ts makes them). */
export const WITH_FILES = examplesOf("ts");
/** Those for pages, by the kinds that a page's test tells apart. */
export const FOR_PAGES = {
  bundled: examplesOf("js browser"),
  plain: examplesOf("js browser http"),
  pages: examplesOf("html browser"),
  scripts: examplesOf("js page"),
};

/** What an example says that it prints. */
export const printsOf = (code: string): string => /^\/\/ prints: (.*)$/m.exec(code)![1]!;
