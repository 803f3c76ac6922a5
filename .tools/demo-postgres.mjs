// For `npm run demo -- --postgres`: a real PostgreSQL from npm, and what stands before two processes of one authority.
import { connect, createServer } from "node:net";
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

/**
 * Stands before several services, as a load balancer does: each connection goes to the first one that takes it, TLS and
 * all.
 * @param urls of the services
 */
export async function balance(urls) {
  const places = urls
    .map((url) => new URL(url))
    .map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
    }));
  const open = new Set();
  const server = createServer((caller) => {
    open.add(caller);
    caller.on("close", () => open.delete(caller)).on("error", () => caller.destroy());
    const tryFrom = (at) => {
      if (at === places.length) return caller.destroy();
      const service = connect(places[at]);
      service.once("error", () => tryFrom(at + 1));
      service.once("connect", () => {
        service.removeAllListeners("error").on("error", () => caller.destroy());
        service.on("close", () => caller.destroy());
        caller.on("close", () => service.destroy());
        caller.pipe(service).pipe(caller);
      });
    };
    tryFrom(0);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://localhost:${server.address().port}`,
    close() {
      server.close();
      for (const caller of open) caller.destroy();
    },
  };
}
