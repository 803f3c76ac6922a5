import type { AuthorityClient } from "twinwrap/escrow";

/**
 * A client of which only some methods are there.
 * @param other what the others do: by default they fail the test
 */
export function clientOf(
  methods: Partial<AuthorityClient>,
  other?: () => Promise<unknown>,
): AuthorityClient {
  const missing = (name: string) => async () => {
    throw new Error(`${name} was asked for`);
  };
  const names = [
    "file",
    "submit",
    "receipt",
    "record",
    "records",
    "requests",
    "ask",
    "standing",
    "decide",
    "policies",
    "takePolicy",
    "released",
    "checkpoint",
    "consistency",
  ];
  const all = Object.fromEntries(names.map((name) => [name, other ?? missing(name)]));
  return { ...all, ...methods } as unknown as AuthorityClient;
}
