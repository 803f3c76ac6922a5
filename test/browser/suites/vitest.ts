// What the core's suites use of vitest, for a page.
import { askAfresh, Enough } from "./crypto.js";

/** What became of a test. */
export interface Outcome {
  name: string;
  error?: string;
  skipped?: true;
  /** It was stopped in its middle, right until then: the rest is left to Node. */
  stopped?: true;
}

interface Scope {
  name: string;
  skipped: boolean;
  parent: Scope | undefined;
  before: (() => unknown)[];
}
let scope: Scope = { name: "", skipped: false, parent: undefined, before: [] };
const tests: { name: string; scope: Scope; skipped: boolean; body: () => unknown }[] = [];

// biome-ignore lint/suspicious/noExplicitAny: a table's row is what the test takes
type Body = (...row: any[]) => unknown;

/** A body for each row of a table; a row that is an array is spread. */
const each = (add: (name: string, body: Body) => void) => (table: readonly unknown[]) => {
  return (name: string, body: Body) => {
    for (const [i, row] of table.entries()) {
      add(`${name} [${i}]`, () => body(...(Array.isArray(row) ? row : [row])));
    }
  };
};

function addTest(name: string, body: Body, skipped = false): void {
  tests.push({ name: `${scope.name} ${name}`.trim(), scope, skipped, body });
}
function addScope(name: string, body: Body, skipped = false): void {
  const parent = scope;
  scope = {
    name: `${parent.name} ${name}`.trim(),
    skipped: skipped || parent.skipped,
    parent,
    before: [],
  };
  body();
  scope = parent;
}
const skipIf = (add: typeof addTest) => (condition: boolean) => (name: string, body: Body) =>
  add(name, body, condition);

export const test = Object.assign((name: string, body: Body) => addTest(name, body), {
  each: each(addTest),
  skipIf: skipIf(addTest),
});
export const describe = Object.assign((name: string, body: Body) => addScope(name, body), {
  each: each(addScope),
  skipIf: skipIf(addScope),
});
export const beforeAll = (body: () => unknown) => void scope.before.push(body);

async function prepare(one: Scope | undefined): Promise<void> {
  if (one === undefined) return;
  await prepare(one.parent);
  for (const body of one.before.splice(0)) await body();
}

/** Runs every test that was defined. */
export async function run(): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { name, scope, skipped, body } of tests) {
    if (skipped || scope.skipped) {
      outcomes.push({ name, skipped: true });
      continue;
    }
    try {
      await prepare(scope);
      askAfresh();
      await body();
      outcomes.push({ name });
    } catch (error) {
      if (error instanceof Enough) outcomes.push({ name, stopped: true });
      else outcomes.push({ name, error: (error as Error)?.stack ?? String(error) });
    }
  }
  return outcomes;
}

class Containing {
  readonly properties: object;
  constructor(properties: object) {
    this.properties = properties;
  }
}

function equals(actual: unknown, expected: unknown): boolean {
  if (expected instanceof Containing) {
    return Object.entries(expected.properties).every(([name, value]) =>
      equals((actual as Record<string, unknown>)?.[name], value),
    );
  }
  if (typeof actual !== "object" || typeof expected !== "object" || !actual || !expected) {
    return Object.is(actual, expected);
  }
  const [a, b] = [Object.entries(actual), Object.entries(expected)];
  return (
    a.length === b.length &&
    b.every(([name, value]) => name in actual && equals(Object(actual)[name], value))
  );
}

const show = (value: unknown) =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

function need(right: boolean, what: string, note = ""): void {
  if (!right) throw new Error(note === "" ? what : `${note}: ${what}`);
}

export const expect = Object.assign(
  (actual: unknown, note?: string) => ({
    toBe(expected: unknown) {
      need(Object.is(actual, expected), `${show(actual)} is not ${show(expected)}`, note);
    },
    toEqual(expected: unknown) {
      need(equals(actual, expected), `${show(actual)} does not equal ${show(expected)}`, note);
    },
    toThrow(expected?: unknown) {
      let thrown: unknown;
      try {
        (actual as () => unknown)();
      } catch (error) {
        thrown = error;
      }
      need(thrown !== undefined, "nothing was thrown", note);
      need(expected === undefined || equals(thrown, expected), `thrown was ${thrown}`, note);
    },
  }),
  {
    objectContaining: (properties: object) => new Containing(properties),
    fail(message: string): never {
      throw new Error(message);
    },
  },
);
