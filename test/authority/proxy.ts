import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

// Stands between a client and a PostgreSQL server, counts what the client says, and cuts the connection where a test
// wants it: before the server has heard a message, or after, so that its answer is lost.

export type Cut = "before" | "after";

export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Messages of the client so far that ask the server for something. */
  count = 0;
  /** What they were, as far as they are text. */
  said: string[] = [];
  #at: { count: number; how: Cut } | undefined;
  /** Whether the cut was made. */
  isCut = false;
  /** Whether nobody is let through any more, and how many were turned away. */
  isShut = false;
  refused = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on("connection", (client) => proxy.#join(client, connect(port, "127.0.0.1")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether nobody is let through after the cut. */
  shutsThen = false;

  /** Cuts the connection at one of the messages that follow, counted from 1. */
  cutAt(count: number, how: Cut): void {
    this.count = 0;
    this.said = [];
    this.isCut = false;
    this.#at = { count, how };
  }

  #join(client: Socket, server: Socket): void {
    if (this.isShut) {
      this.refused++;
      client.destroy();
      server.destroy();
      return;
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
    }
    const end = () => {
      client.destroy();
      server.destroy();
    };
    client.on("close", end);
    server.on("close", end);
    let isSilent = false;
    client.on("data", (data) => {
      const how = this.#seen(data);
      if (how === "before") return end();
      if (how === "after") {
        // The server hears it and does it; nobody hears its answer.
        isSilent = true;
        this.isShut = this.shutsThen;
        client.destroy();
        client.removeListener("close", end);
        server.write(data, () => server.end());
        return;
      }
      server.write(data);
    });
    server.on("data", (data) => {
      if (!isSilent) client.write(data);
    });
  }

  /** A query (Q), or the Sync (S) behind a prepared one, is what the server acts on. */
  #seen(data: Buffer): Cut | undefined {
    const text = data.toString("latin1");
    const isQuery = text.startsWith("Q");
    if (!isQuery && !text.endsWith("S\0\0\0\x04")) return undefined;
    this.count++;
    this.said.push(isQuery ? text.slice(5, -1) : (/[PBE]....([ -~]{3,60})/.exec(text)?.[1] ?? ""));
    if (this.#at?.count !== this.count) return undefined;
    this.isCut = true;
    return this.#at.how;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
