/**
 * What a token lets its bearer ask of an authority's service. submit: hand in records. recover: ask for keys, fetch
 * them, veto. read: look at everything that is kept. officer: see requests and decide. admin: enrol owners, replace
 * their control keys, and hand in policies.
 */
export type Scope = "submit" | "recover" | "read" | "officer" | "admin";
export const SCOPES: readonly Scope[] = ["submit", "recover", "read", "officer", "admin"];
