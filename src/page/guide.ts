import { findAll, make } from "./dom.js";
import { TEXTS } from "./texts.js";

// Questions that are asked one after the other, as an ordered list in the page's HTML: each item has a heading, a form
// and a place for its work. One is open. Those before it show what was answered, those behind it their heading alone.

export class Guide {
  readonly #steps: HTMLElement[];
  readonly #answers = new Map<HTMLElement, HTMLElement>();
  /** No step before this one can be opened again. */
  #first = 0;

  constructor(list: HTMLElement) {
    this.#steps = findAll(":scope > li", list);
    for (const step of this.#steps) {
      const answer = make("p", { class: "answer" });
      step.querySelector("h3")!.after(answer);
      this.#answers.set(step, answer);
    }
    this.#show(0);
  }

  #index(name: string): number {
    return this.#steps.findIndex(({ dataset }) => dataset.step === name);
  }

  /** A step's form, and where its work shows. */
  step(name: string): { form: HTMLFormElement; place: HTMLElement } {
    const step = this.#steps[this.#index(name)]!;
    return { form: step.querySelector("form")!, place: step.querySelector(".work")! };
  }

  /** Whether this step is open. */
  isAt(name: string): boolean {
    return this.#steps[this.#index(name)]!.hasAttribute("aria-current");
  }

  /** Says what was answered in a step. */
  answer(name: string, text: string): void {
    this.#answers.get(this.#steps[this.#index(name)]!)!.textContent = text;
  }

  /** Begins again: every step can be opened again, and nothing is answered. */
  restart(): void {
    this.#first = 0;
    for (const answer of this.#answers.values()) answer.textContent = "";
    for (const step of this.#steps) step.querySelector(".work")!.replaceChildren();
    this.go(this.#steps[0]!.dataset.step!);
  }

  /** Opens a step. @param isFinal whether those before it are over for good */
  go(name: string, isFinal = false): void {
    const index = this.#index(name);
    if (isFinal) this.#first = index;
    this.#show(index);
    this.#steps[index]!.querySelector("h3")!.focus();
  }

  #show(open: number): void {
    for (const [index, step] of this.#steps.entries()) {
      step.dataset.state = index < open ? "done" : index === open ? "now" : "later";
      if (index === open) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
      const answer = this.#answers.get(step)!;
      for (const child of step.children) {
        if (child.tagName === "H3") continue;
        (child as HTMLElement).hidden = child === answer ? index >= open : index !== open;
      }
      answer.querySelector("button")?.remove();
      if (index < open && index >= this.#first) {
        const title = step.querySelector("h3")!.textContent;
        const label = `${TEXTS.page.change}: ${title}`;
        const onclick = () => this.go(step.dataset.step!);
        answer.append(
          make(
            "button",
            { type: "button", class: "second small", "aria-label": label, onclick },
            TEXTS.page.change,
          ),
        );
      }
    }
  }
}
