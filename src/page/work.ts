import { TwinwrapError } from "../errors.js";
import { formatSize, safe } from "../text.js";
import { onChange } from "./changes.js";
import { make } from "./dom.js";
import { TEXTS } from "./texts.js";
import { complaintView, PageError } from "./words.js";

/** What a piece of work is given. */
export interface Doing {
  signal: AbortSignal;
  /** Says how many bytes of `total` are done. */
  onProgress(done: number): void;
}

/** One thing to do, for one file or for none. */
export interface Task {
  /** The name of what it is about, for people. */
  name: string;
  /** Bytes, for the progress bar. */
  total?: number;
  /** Does it. Returns what is shown then; undefined if that shows elsewhere. */
  run(doing: Doing): Promise<Node | string | undefined>;
}

/** Tasks that belong together. */
export interface Batch {
  tasks: readonly Task[];
  /** What is left to do after the last one. @param good how many were done */
  finish?(good: number, signal: AbortSignal): Promise<Node | string | undefined>;
}

/** Shows an error in the place of a result. */
function showComplaint(item: HTMLElement, error: unknown): void {
  item.classList.add("bad");
  item.append(...complaintView(error));
}

/** Shows what came of a task. */
function showResult(item: HTMLElement, shown: Node | string | undefined): void {
  if (shown === undefined) {
    item.remove();
    return;
  }
  const tone = shown instanceof HTMLElement ? shown.dataset.tone : undefined;
  item.classList.add(tone ?? "good");
  item.append(shown);
}

/** Does one task, and shows it in its item. @returns whether it was done */
async function doTask({ name, total, run }: Task, item: HTMLElement, signal: AbortSignal) {
  const bar = make("progress", { max: String(total || 1), "aria-label": safe(name) });
  const far = make("small", { "aria-hidden": "true" });
  item.append(bar, far);
  try {
    if (signal.aborted) throw new TwinwrapError("ABORTED", "stopped");
    const shown = await run({
      signal,
      onProgress(done) {
        bar.value = done;
        const size = formatSize(done);
        far.textContent = total === undefined ? size : TEXTS.page.of(size, formatSize(total));
      },
    });
    showResult(item, shown);
    return true;
  } catch (error) {
    showComplaint(item, error);
    return false;
  } finally {
    bar.remove();
    far.remove();
  }
}

/** Does tasks one after the other. Shows how far they are, and lets people stop them. */
export async function work(place: HTMLElement, { tasks, finish }: Batch): Promise<void> {
  const controller = new AbortController();
  const cancel = make("button", { type: "button", class: "second" }, TEXTS.page.cancel);
  cancel.addEventListener("click", () => controller.abort());
  const results = make("ul", { class: "results", "aria-live": "polite" });
  const all = make("p", { class: "all", role: "status" });
  place.replaceChildren(all, results, cancel);
  let good = 0;
  const items = tasks.map(({ name }) => make("li", {}, make("b", {}, safe(name))));
  try {
    for (const [i, task] of tasks.entries()) {
      if (tasks.length > 1) all.textContent = TEXTS.page.of(String(i), String(tasks.length));
      results.append(items[i]!);
      if (await doTask(task, items[i]!, controller.signal)) good++;
    }
    const shown = await finish?.(good, controller.signal);
    all.textContent = tasks.length > 1 ? TEXTS.bulk.summary(good, tasks.length) : "";
    if (shown !== undefined) all.append(" ", shown);
  } catch (error) {
    all.textContent = "";
    for (const item of items) item.classList.replace("good", "bad");
    const item = make("li", {});
    results.prepend(item);
    showComplaint(item, error);
  } finally {
    cancel.remove();
    if (all.textContent === "") all.remove();
  }
}

/** Takes the complaint about a field away. */
function clearFieldError(form: HTMLElement): void {
  for (const error of form.querySelectorAll(".field-error")) error.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) {
    one.removeAttribute("aria-invalid");
    one.removeAttribute("aria-describedby");
  }
}

let errors = 0;

/** Says what is wrong where it is wrong, and moves the focus there. */
function showFieldError(form: HTMLElement, { message, at }: PageError): void {
  const place = form.querySelector<HTMLElement>(at!) ?? form;
  const control = place.matches("input, select")
    ? place
    : (place.querySelector<HTMLElement>("input, select, a") ?? place);
  const id = `field-error-${++errors}`;
  const error = make("p", { class: "field-error", id, role: "alert" }, safe(message));
  for (let one = control.closest("details"); one !== null; ) {
    one.open = true;
    one = one.parentElement!.closest("details");
  }
  (place.closest(".field, .check") ?? place).append(error);
  if (control.matches("input, select")) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", id);
  }
  control.focus();
}

/** Runs a form's work when it is sent, one at a time, with the button that sent it. */
export function onSubmit(
  form: HTMLFormElement,
  place: HTMLElement,
  tasks: (button: string) => Task[] | Batch | Promise<Task[] | Batch>,
): void {
  // What was wrong may be mended now.
  for (const type of ["input", "change"]) {
    form.addEventListener(type, () => clearFieldError(form));
  }
  onChange(() => clearFieldError(form));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearFieldError(form);
    const buttons = [...form.querySelectorAll("button")];
    const button = (event.submitter as HTMLButtonElement | null)?.name ?? "";
    for (const one of buttons) one.disabled = true;
    let isElsewhere = false;
    try {
      const given = await tasks(button);
      await work(place, Array.isArray(given) ? { tasks: given } : given);
    } catch (error) {
      if (error instanceof PageError && error.at !== undefined) {
        place.replaceChildren();
        isElsewhere = true;
        for (const one of buttons) one.disabled = false;
        showFieldError(form, error);
      } else {
        await work(place, {
          tasks: [{ name: TEXTS.page.notYet, run: () => Promise.reject(error) }],
        });
      }
    } finally {
      for (const one of buttons) one.disabled = false;
      // Whoever works by keyboard goes on from here, unless the work has led them on.
      const submitter = event.submitter as HTMLButtonElement | null;
      if (!isElsewhere && document.activeElement === document.body) submitter?.focus();
    }
  });
}
