export { havePostgres, PostgresServer } from "../.tools/postgres.mjs";
