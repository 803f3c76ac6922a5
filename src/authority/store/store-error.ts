import { type ErrorCode, TwinwrapError } from "../../errors.js";

/** What is wrong with a store that an administrator can put right: only the code that shows the error knows how. */
export type StoreProblem =
  /** Its tables are of an older version. */
  | "old"
  /** Its server may lose what it has committed. */
  | "lossy"
  /** Its server wants a password. */
  | "password";

export class StoreError extends TwinwrapError {
  readonly problem: StoreProblem;

  constructor(problem: StoreProblem, code: ErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.problem = problem;
  }
}
