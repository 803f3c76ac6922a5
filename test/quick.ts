// `npm test` has to be short. What goes through all of something takes a part of it there, and all of it in the
// long tests (NAME.long.test.ts imports NAME.test.ts again) and in browsers. vitest.config.ts says which run it is.

/** Whether this is `npm test`. */
export const isQuick = globalThis.process?.env?.TWINWRAP_QUICK === "1";

/** How far to go in one step: `quick` in `npm test`, 1 where there is time. */
export const stride = (quick: number): number => (isQuick ? quick : 1);

/** All of a list where there is time; in `npm test` every `quick`th, from the first one on. */
export function some<T>(all: readonly T[], quick: number): T[] {
  return all.filter((_, i) => i % stride(quick) === 0);
}
