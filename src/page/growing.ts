import { make } from "./dom.js";
import { TEXTS } from "./texts.js";
import { complaintView } from "./words.js";

// Lists that are shown in parts: a button brings the next one. What is there stays, whatever becomes of the rest.

/** Some items, and how the next ones are had; undefined if these are the last. */
export interface Part {
  items: readonly HTMLElement[];
  more: (() => Promise<Part>) | undefined;
}

/** Items that are all there already, in parts. @param size items of a part at most */
export function inParts(items: readonly HTMLElement[], size: number): Part {
  const rest = items.slice(size);
  return {
    items: items.slice(0, size),
    more: rest.length === 0 ? undefined : async () => inParts(rest, size),
  };
}

/** A list with its first part, and what makes it grow. @param list takes the items @param whole the list as it is shown */
export function growing(list: HTMLElement, first: Part, whole = list): Node[] {
  list.append(...first.items);
  let { more } = first;
  const trouble = make("div", { role: "alert" });
  const onclick = async () => {
    button.disabled = true;
    trouble.replaceChildren();
    try {
      const part = await more!();
      more = part.more;
      list.append(...part.items);
      button.hidden = more === undefined;
      // Whoever reads on does so from here.
      const [next] = part.items;
      next?.setAttribute("tabindex", "-1");
      next?.focus();
    } catch (error) {
      trouble.append(...complaintView(error));
    } finally {
      button.disabled = false;
    }
  };
  const button = make("button", { type: "button", class: "second", onclick }, TEXTS.page.more);
  button.hidden = more === undefined;
  return [whole, trouble, button];
}
