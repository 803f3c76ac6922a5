// The types of "twinwrap" where TypeScript is not told which platform's door it is ("moduleResolution": "bundler"):
// what either has.
export { type SavedBy, type SaveOptions, save } from "./envelope/save.browser.js";
export * from "./node.js";
