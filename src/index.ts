export * from "./blob/index.js";
export * from "./core/index.js";
export * from "./envelope/index.js";
export { type ErrorCode, TwinwrapError } from "./errors.js";
export * from "./keys/index.js";
