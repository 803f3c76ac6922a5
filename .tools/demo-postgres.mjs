// For `npm run demo -- --postgres`: a real PostgreSQL from npm, for two processes of one authority.
import { havePostgres, PostgresServer } from "./postgres.mjs";

/** Starts a database server, in a folder that goes with it. @returns its URL, and how it is ended */
export async function database() {
  if (!havePostgres) throw new Error("npm has no PostgreSQL for this system");
  const server = await PostgresServer.start();
  return {
    url: server.url,
    async end() {
      await server.end();
      server.remove();
    },
  };
}
