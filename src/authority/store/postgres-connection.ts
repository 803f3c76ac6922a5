import type { ClientConfig, Client as PgClient, QueryResult } from "pg";
import { TwinwrapError } from "../../errors.js";
import { asLost, inWords, isConflict, isLost } from "./postgres-errors.js";
import { nameOf, type PostgresPlace, withPassword } from "./postgres-url.js";
import type { Row, Sql, Value } from "./sql.js";

// One connection to PostgreSQL.

/** How long one connection may take to be there, in milliseconds. */
const CONNECT = 10_000;
/** How long a transaction waits for another's row. */
const LOCK = 30_000;
/** After that the server ends a transaction in which nothing happens: its process may have been stopped. */
const IDLE = 60_000;

/** The number of PostgreSQL's type int8 (bigint). */
const INT8 = 20;

type Parser = (text: string) => unknown;

/** Numbers stay below 2^53 (place.ts), and bytes come as bytes. */
async function parsers(): Promise<ClientConfig["types"]> {
  const { types } = await loadPg();
  return {
    getTypeParser(type: number, format?: "text" | "binary") {
      if (format !== "binary" && type === INT8) return Number as Parser;
      return types.getTypeParser(type, format as "text") as Parser;
    },
  } as ClientConfig["types"];
}

interface Statement {
  text: string;
  /** Under which it is prepared once on each connection. */
  name?: string;
}

/** Statements by their text with question marks. */
const statements = new Map<string, Statement>();

function statementOf(sql: string): Statement {
  const known = statements.get(sql);
  if (known !== undefined) return known;
  let values = 0;
  const text = sql.replaceAll("?", () => `$${++values}`);
  // How pages are best read depends on what is searched for: they are planned each time.
  if (/\bLIMIT\b/.test(sql)) return { text };
  const statement = { text, name: `twinwrap_${statements.size}` };
  statements.set(sql, statement);
  return statement;
}

/** What the server warns of when a commit is here but perhaps on no standby. */
const NOT_REPLICATED = /synchronous replication/;

export class Connection implements Sql {
  readonly name: string;
  texts: Sql["texts"];
  readonly #client: PgClient;
  /** One query after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** Why it is of no use any more. */
  #broken: Error | undefined;
  /** Whether the server warned that something may be on no standby. */
  isUnsure = false;

  private constructor(name: string, client: PgClient, texts: Sql["texts"]) {
    this.name = name;
    this.#client = client;
    this.texts = texts;
  }

  /** @throws the driver's error */
  static async open(
    place: PostgresPlace,
    {
      texts = "none",
      readOnly = false,
    }: { texts?: Sql["texts"]; readOnly?: boolean | undefined } = {},
  ): Promise<Connection> {
    const { Client } = await loadPg();
    const client = new Client({
      connectionString: withPassword(place, process.env.TWINWRAP_STORE),
      connectionTimeoutMillis: CONNECT,
      keepAlive: true,
      application_name: "twinwrap",
      options: [
        `search_path=${place.schema}`,
        `lock_timeout=${LOCK}`,
        `idle_in_transaction_session_timeout=${IDLE}`,
        "client_min_messages=warning",
        ...(readOnly ? ["default_transaction_read_only=on"] : []),
      ]
        .map((setting) => `-c ${setting}`)
        .join(" "),
      types: await parsers(),
    });
    const connection = new Connection(nameOf(place), client, texts);
    client.on("error", (error) => {
      connection.#broken ??= error;
    });
    client.on("end", () => {
      connection.#broken ??= new Error("the connection was closed");
    });
    client.on("notice", ({ message }) => {
      if (message !== undefined && NOT_REPLICATED.test(message)) connection.isUnsure = true;
    });
    try {
      await client.connect();
      return connection;
    } catch (error) {
      // The server would wait a minute for a password, and this process for the server.
      void client.end().catch(() => {});
      throw asLost(error);
    }
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  async all(sql: string, values: readonly Value[]): Promise<Row[]> {
    return (await this.#prepared(sql, values)).rows;
  }

  async run(sql: string, values: readonly Value[]): Promise<number> {
    return (await this.#prepared(sql, values)).rowCount ?? 0;
  }

  /** Its errors are in words, but for those after which the whole transaction is tried again. */
  async #prepared(sql: string, values: readonly Value[]): Promise<QueryResult<Row>> {
    try {
      return await this.#query({ ...statementOf(sql), values: [...values] });
    } catch (error) {
      throw isLost(error) || isConflict(error) ? error : inWords(this.name, error);
    }
  }

  /**
   * Statements without values, several at once if they are separated by semicolons.
   * @returns the rows of the last one
   */
  async exec(sql: string): Promise<Row[]> {
    const results = [await this.#query({ text: sql })].flat();
    return results.at(-1)?.rows ?? [];
  }

  #query(query: Statement & { values?: Value[] }): Promise<QueryResult<Row>> {
    const result = this.#last.then(() => {
      if (this.#broken !== undefined) throw asLost(this.#broken);
      return this.#client.query<Row>(query).catch((error) => {
        throw asLost(error);
      });
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** What became of a transaction that was under way is undone. */
  async close(): Promise<void> {
    const isOver = this.isBroken;
    this.#broken ??= new Error("the connection was closed");
    // A server that is away does not answer.
    if (!isOver) await this.#client.end().catch(() => {});
    else void this.#client.end().catch(() => {});
  }
}

async function loadPg() {
  try {
    return (await import("pg")).default;
  } catch (cause) {
    throw new TwinwrapError("UNSUPPORTED", "the package pg, for PostgreSQL, cannot be loaded", {
      cause,
    });
  }
}

/** Does something with PostgreSQL; throws what {@link inWords} makes of its errors. */
export async function explained<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inWords(name, error);
  }
}
