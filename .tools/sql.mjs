// The SQL check: what the stores say is what SQLite, PostgreSQL and those that speak its dialect (CockroachDB,
// YugabyteDB) all take. What one database alone has stands in the file of that database.
import { readFileSync } from "node:fs";

const root = new URL("..", import.meta.url).pathname;
const PORTABLE = ["schema", "reads", "rows", "writes", "batches", "sql-store"];

const FORBIDDEN = [
  [/advisory/i, "advisory locks"],
  [/deferr/i, "constraints that are checked later"],
  [/\b(nextval|(big|small)serial|autoincrement|generated)\b|\w\s+serial\b/i, "sequences"],
  [/\b(listen|notify)\b/i, "signals between connections"],
  [/\btrigger\b/i, "triggers"],
  [/\binsert or\b|\breplace into\b/i, "INSERT OR: say ON CONFLICT"],
  [/::(?!\w+\()\w+/, "casts with ::, say CAST"],
  [/\b(ilike|glob|regexp|instr|strpos|position\()/i, "searches that one database has: say LIKE"],
  [/\b(any|all|array)\s*\(|\barray\s*\[/i, "arrays"],
  [/\bjson/i, "JSON"],
  [/\breturning\b/i, "RETURNING"],
  [/\bfor update\b|\bbegin\b|\bcommit\b/i, "transactions: they belong to the database's own file"],
  [/\bnow\(\)|\bcurrent_timestamp\b|\bstrftime\b/i, "the database's clock"],
  [/\bifnull\b|\bnvl\b/i, "IFNULL: say coalesce"],
];
// Texts are looked up through a table that SQLite alone has; what uses it says so.
const ALLOWED = /records_text/;

/** SQL in a file: its strings and templates that begin like a statement, or a part of one. */
function statementsOf(text) {
  const strings = [...text.matchAll(/"([^"\\\n]*(?:\\.[^"\\\n]*)*)"|`((?:[^`\\]|\\.)*)`/g)];
  return strings
    .map((match) => [match[1] ?? match[2], match.index])
    .filter(([sql]) =>
      /\b(select|insert|update|delete|create|where|from|union|join|exists|in \(|like \?|= \?|[<>] \?)/i.test(
        sql,
      ),
    );
}

const problems = [];
let count = 0;
for (const name of PORTABLE) {
  const file = `src/authority/store/${name}.ts`;
  const text = readFileSync(root + file, "utf8");
  for (const [sql, index] of statementsOf(text)) {
    count++;
    if (ALLOWED.test(sql)) continue;
    const line = text.slice(0, index).split("\n").length;
    for (const [form, what] of FORBIDDEN) {
      if (form.test(sql)) problems.push(`${file}:${line}: no ${what}`);
    }
    if (/\?/.test(sql) && /'[^']*\?[^']*'/.test(sql)) {
      problems.push(`${file}:${line}: a question mark in a string is taken for a value`);
    }
  }
}
if (count < 60)
  problems.push(`only ${count} statements were found: the check looks in the wrong place`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`SQL: ${count} statements, as every database takes them`);
