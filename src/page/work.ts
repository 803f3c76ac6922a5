import { TwinwrapError } from "../errors.js";
import { formatSize, safe } from "../text.js";
import { make } from "./dom.js";
import { complaintOf } from "./words.js";

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
  /** Does it. Returns what is shown then. */
  run(doing: Doing): Promise<Node | string>;
}

/** Does tasks one after the other. Shows how far they are, and lets people stop them. */
export async function work(place: HTMLElement, tasks: readonly Task[]): Promise<void> {
  const controller = new AbortController();
  const cancel = make("button", { type: "button", class: "second" }, "Cancel");
  cancel.addEventListener("click", () => controller.abort());
  const results = make("ul", { class: "results", "aria-live": "polite" });
  place.replaceChildren(results, cancel);
  try {
    for (const { name, total, run } of tasks) {
      const bar = make("progress", { max: String(total || 1), "aria-label": safe(name) });
      const far = make("small", { "aria-hidden": "true" });
      const item = make("li", {}, make("b", {}, safe(name)), bar, far);
      results.append(item);
      try {
        if (controller.signal.aborted) throw new TwinwrapError("ABORTED", "stopped");
        const shown = await run({
          signal: controller.signal,
          onProgress(done) {
            bar.value = done;
            far.textContent = `${formatSize(done)}${total === undefined ? "" : ` of ${formatSize(total)}`}`;
          },
        });
        item.classList.add("good");
        item.append(shown);
      } catch (error) {
        const { what, next, code } = complaintOf(error);
        item.classList.add("bad");
        item.append(
          make("p", {}, safe(what)),
          ...(next === undefined ? [] : [make("p", {}, next)]),
          ...(code === "" ? [] : [make("small", {}, code)]),
        );
      } finally {
        bar.remove();
        far.remove();
      }
    }
  } finally {
    cancel.remove();
  }
}

/** Runs a form's work when it is sent, one at a time, with the button that sent it. */
export function onSubmit(
  form: HTMLFormElement,
  place: HTMLElement,
  tasks: (button: string) => Task[] | Promise<Task[]>,
): void {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    const button = (event.submitter as HTMLButtonElement | null)?.name ?? "";
    for (const one of buttons) one.disabled = true;
    try {
      await work(place, await tasks(button));
    } catch (error) {
      await work(place, [{ name: "Not yet", run: () => Promise.reject(error) }]);
    } finally {
      for (const one of buttons) one.disabled = false;
      // Whoever works by keyboard goes on from here.
      (event.submitter as HTMLButtonElement | null)?.focus();
    }
  });
}
