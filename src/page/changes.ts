// Tells the lists of the page that keys or authorities have changed, or that a file was sealed.

const listeners: (() => void)[] = [];

/** What was done in this tab. */
export const done = { sealed: false };

/** Calls back now, and whenever keys or authorities change. */
export function onChange(listener: () => void): void {
  listeners.push(listener);
  listener();
}

export function changed(): void {
  for (const listener of listeners) listener();
}
