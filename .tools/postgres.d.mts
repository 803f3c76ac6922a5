/** Whether there is one. npm leaves it out where there is none for the system. */
export declare const havePostgres: boolean;
export declare class PostgresServer {
  readonly folder: string;
  readonly port: number;
  /** What the server has said. */
  log: string;
  private constructor();
  /** Makes a server and starts it. @param settings of its configuration */
  static start(settings?: Record<string, string>): Promise<PostgresServer>;
  /**
   * Makes a standby of this server by a base copy, and starts it.
   * @param name by which the primary knows it (synchronous_standby_names)
   */
  standby(name: string): Promise<PostgresServer>;
  /** Says something as the administrator. */
  ask(sql: string): Promise<Record<string, unknown>[]>;
  /** Makes a primary of a standby. */
  promote(): Promise<void>;
  /** Starts it, again. */
  begin(settings?: Record<string, string>): Promise<void>;
  /** Ends it: with what it has to do ("fast"), at once ("immediate"), or without its doing ("kill"). */
  end(how?: "fast" | "immediate" | "kill"): Promise<void>;
  /** Puts the data of a server that is not at work in the place of this one's, as a restore of the whole would. */
  replaceData(copy: string): void;
  get url(): string;
  remove(): void;
}
