import { TwinwrapError } from "../errors.js";

/** An authority's service that can't be reached now, or has no time: what was asked for can be asked for later. */
export class Unreachable extends TwinwrapError {}
