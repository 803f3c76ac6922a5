import type { Cell } from "../text.js";
import { UsageError } from "./command.js";
import { isQuiet, print, printJson, printJsonText, STANDARD } from "./standard.js";
import { table } from "./text.js";

// Facts in the form that is asked for: JSON for machines, or text for people.

interface JsonOption {
  json?: boolean | undefined;
}

/** What people read: lines of cells, or a text as it is. */
type Text = string | readonly (readonly Cell[])[];

/** An output's name for people. */
export function outputText(output: string): string {
  return output === STANDARD ? "standard output" : output;
}

/** For a secret that is shown once. @throws UsageError if nothing is shown at all */
export function needShown(what: string): void {
  if (isQuiet()) throw new UsageError(`-q would hide ${what}, which is shown only now`);
}

/** Tells facts once. @param output where the command's data goes: facts keep out of its way */
export function tell({ json }: JsonOption, facts: unknown, text: Text, output?: string): void {
  if (json) printJson(facts, output);
  else print(typeof text === "string" ? text : table(text, output), output);
}

/** Facts that a list for machines keeps until its end: then it is whole, or not there at all. */
const KEPT = 1000;

/** Tells facts one by one: people see each at once, machines get a list of all at the end. A long list goes out as it grows. */
export class Report<Facts> {
  readonly #json: boolean;
  readonly #output: string | undefined;
  #kept: Facts[] = [];
  #isLong = false;

  /** @param output where the command's data goes */
  constructor({ json = false }: JsonOption, output?: string) {
    this.#json = json;
    this.#output = output;
  }

  add(facts: Facts, text: Text): void {
    this.addAll([facts], text);
  }

  /** Several that people see as one table. */
  addAll(facts: readonly Facts[], text: Text): void {
    if (this.#json) {
      this.#kept.push(...facts);
      if (this.#kept.length >= KEPT) this.#flush();
    } else tell({}, facts, text, this.#output);
  }

  /** Gives machines what there is by now. */
  end(): void {
    if (!this.#json) return;
    if (this.#isLong) {
      if (this.#kept.length > 0) this.#flush();
      printJsonText("\n]\n", this.#output);
    } else printJson(this.#kept, this.#output);
  }

  #flush(): void {
    const items = this.#kept.map((one) => JSON.stringify(one, null, 2).replace(/^/gm, "  "));
    printJsonText(`${this.#isLong ? ",\n" : "[\n"}${items.join(",\n")}`, this.#output);
    this.#isLong = true;
    this.#kept = [];
  }
}
