import { readFile, stat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect, isIPv4, type Socket } from "node:net";
import { createSecureContext, Server as TlsServer } from "node:tls";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { TwinwrapError } from "../errors.js";
import type { Metrics } from "./metrics.js";

// Where a service listens, and how it ends.

/** A port of an address, or a Unix socket. */
export type Place = { host: string; port: number } | { path: string };

/** The files of a certificate and its key. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** Of every certificate that is used. */
export const TLS = { minVersion: "TLSv1.2" } as const;
/** How often a certificate's files are looked at, in milliseconds. */
const LOOK = 60_000;
/** How long calls that were accepted may take when the service ends, in milliseconds. */
const LAST_CALLS = 30_000;
/** How often it is looked then which connections are done, in milliseconds. */
const SWEEP = 50;

/** @throws TwinwrapError BAD_KEY if they are no certificate and its key */
export async function readCertificate(files: CertificateFiles) {
  const read = { cert: await readFile(files.cert), key: await readFile(files.key) };
  try {
    createSecureContext(read);
  } catch (cause) {
    const message = `${files.cert} and ${files.key} are no certificate and its key (PEM)`;
    throw new TwinwrapError("BAD_KEY", message, { cause });
  }
  return read;
}

/** Whether only this machine reaches a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** Connections over which no call has come yet. Node takes none of them for idle. */
function unusedOf(server: Server): Set<Socket> {
  const unused = new Set<Socket>();
  const begun = (socket: Socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  };
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", begun);
  server.on("request", ({ socket }: IncomingMessage) => unused.delete(socket));
  return unused;
}

/** Of each service that listens. */
const unused = new WeakMap<FastifyInstance, Set<Socket>>();

/** Begins to listen. @returns where: a URL, or a socket's path */
export async function listen(app: FastifyInstance, place: Place): Promise<string> {
  unused.set(app, unusedOf(app.server));
  try {
    if ("path" in place) {
      await removeDeadSocket(place.path);
      return await app.listen({ path: place.path });
    }
    return await app.listen(place);
  } catch (cause) {
    throw notListening(cause, "path" in place ? place.path : `${place.host}:${place.port}`);
  }
}

function notListening(cause: unknown, where: string): TwinwrapError {
  const { code } = cause as { code?: string };
  const why =
    code === "EADDRINUSE"
      ? "somebody else listens there"
      : code === "EACCES"
        ? "this user may not"
        : (code ?? String(cause));
  return new TwinwrapError("UNAVAILABLE", `can't listen on ${where}: ${why}`, { cause });
}

/** A socket that a killed process left behind. One that somebody listens on stays. */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isSocket()) return;
  const isAlive = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });
  if (!isAlive) await unlink(path);
}

/** Takes up a new certificate once its files have changed. @returns ends that */
export function followCertificate(
  app: FastifyInstance,
  files: CertificateFiles,
  log: FastifyBaseLogger,
  every = LOOK,
): () => void {
  const changed = async () => {
    const [cert, key] = await Promise.all([stat(files.cert), stat(files.key)]);
    return `${cert.mtimeMs} ${cert.ino} ${key.mtimeMs} ${key.ino}`;
  };
  let before: string | undefined;
  const look = async () => {
    try {
      const now = await changed();
      if (before !== undefined && now !== before) {
        (app.server as unknown as TlsServer).setSecureContext({
          ...(await readCertificate(files)),
          ...TLS,
        });
        log.info("the certificate was replaced");
      }
      before = now;
    } catch (error) {
      // Half replaced: the old one serves on.
      log.warn({ reason: String(error) }, "the certificate can't be read");
    }
  };
  const timer = setInterval(look, every).unref();
  void look();
  return () => clearInterval(timer);
}

/** Shows figures to a monitoring system. @returns where */
export async function listenForMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number },
): Promise<{ url: string; server: Server }> {
  const server = createServer(async (request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    try {
      const { type, body } = await metrics.text();
      response.writeHead(200, { "content-type": type }).end(body);
    } catch {
      response.writeHead(503).end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(notListening(cause, `${host}:${port}`)));
    server.listen({ host, port }, resolve);
  });
  const { port: given } = server.address() as { port: number };
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${given}/metrics`, server };
}

/**
 * Accepts nothing more, and finishes what was accepted: a connection is closed when the call on it is answered, and one
 * without any call at once.
 * @returns whether all of it was finished in time
 */
export async function end(app: FastifyInstance, lastCalls = LAST_CALLS): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), lastCalls);
  });
  const closed = app.close().then(() => true as const);
  const sweep = setInterval(() => {
    app.server.closeIdleConnections();
    for (const socket of unused.get(app) ?? []) socket.destroy();
  }, SWEEP);
  const isDone = await Promise.race([closed, late]);
  clearTimeout(timer);
  clearInterval(sweep);
  if (!isDone) app.server.closeAllConnections();
  return isDone;
}
