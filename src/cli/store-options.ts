import { resolve } from "node:path";
import { type Command, Option } from "commander";
import {
  checkSchema,
  DEFAULT_SCHEMA,
  hasPassword,
  type PostgresPlace,
  withoutPassword,
} from "../authority/store/postgres-url.js";
import { UsageError } from "./command.js";
import { asUsage } from "./report.js";

// Where a command makes the store of an authority.

export interface StoreOptions {
  store?: string;
  schema?: string;
  storePasswordFile?: string;
  acceptDataLoss?: boolean;
}

export function addStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--store <url>",
        "keep the store in PostgreSQL, postgres://USER@HOST/DATABASE, instead of the folder",
      ).env("TWINWRAP_STORE"),
    )
    .option("--schema <name>", `the store's schema, which is made (default: "${DEFAULT_SCHEMA}")`)
    .option(
      "--store-password-file <file>",
      "has the user's password alone (default: what $TWINWRAP_STORE, $PGPASSWORD or ~/.pgpass say)",
    )
    .option(
      "--accept-data-loss",
      "go on with a server that may lose what it has committed: for one host without standbys",
    );
}

/** What the options of {@link addStoreOptions} say; undefined for a store in the folder. */
export async function storePlace(options: StoreOptions): Promise<PostgresPlace | undefined> {
  const { store, schema = DEFAULT_SCHEMA, storePasswordFile, acceptDataLoss } = options;
  if (store === undefined || store === "") {
    const extra = [options.schema && "--schema", storePasswordFile && "--store-password-file"];
    const [alone] = extra.filter(Boolean);
    if (alone !== undefined) throw new UsageError(`${alone} says nothing without --store`);
    return undefined;
  }
  return asUsage(() => {
    if (store !== process.env.TWINWRAP_STORE && hasPassword(store)) {
      throw new UsageError(
        "everybody on this machine can read a password in --store: give --store-password-file",
      );
    }
    return {
      url: withoutPassword(store),
      schema: checkSchema(schema),
      // Later commands are run in other folders.
      passwordFile: storePasswordFile && resolve(storePasswordFile),
      acceptDataLoss,
    };
  });
}
