import type { Cell } from "../text.js";
import { print, printJson, STANDARD } from "./standard.js";
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

/** Tells facts once. @param output where the command's data goes: facts keep out of its way */
export function tell({ json }: JsonOption, facts: unknown, text: Text, output?: string): void {
  if (json) printJson(facts, output);
  else print(typeof text === "string" ? text : table(text, output), output);
}

/** Tells facts one by one: people see each at once, machines get a list of all at the end. */
export class Report<Facts> {
  readonly facts: Facts[] = [];
  readonly #json: boolean;
  readonly #output: string | undefined;

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
    this.facts.push(...facts);
    if (!this.#json) tell({}, facts, text, this.#output);
  }

  /** Gives machines what there is by now. */
  end(): void {
    if (this.#json) printJson(this.facts, this.#output);
  }
}
