// What stands before several processes of one authority: for the demonstration and for tests.
import { connect, createServer } from "node:net";

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
    port: server.address().port,
    close() {
      server.close();
      for (const caller of open) caller.destroy();
    },
  };
}
