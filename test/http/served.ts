import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { encodeSubmission, requestHash, requestId } from "twinwrap/escrow";
import type { Scope } from "#build/authority/scopes.js";
import { connectAuthority } from "#build/client/connect.js";
import { HttpClient, type HttpOptions } from "#build/client/http.js";
import { build, type ServerOptions } from "#build/http/server.js";
import { core, type Office, type TestFile, useOffices } from "../authority/office.js";
import { RecursiveTree } from "../escrow/tree.js";

// What the tests of an authority's service share: services over sockets, tokens, and calls to them.

export const JSON_BODY = { "content-type": "application/json" };
export const TEXT_BODY = { "content-type": "text/plain" };
export const PROBLEM = "application/problem+json";

/** What a call came to. */
export interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  text: string;
  /** Of the body, if it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all
  json: any;
}

export interface Call {
  method?: string;
  token?: string | undefined;
  headers?: Record<string, string>;
  body?: string | Uint8Array | undefined;
  ca?: string;
}

export function gotOf(status: number, headers: Got["headers"], body: Buffer): Got {
  const text = body.toString();
  const isJson = /\bjson\b/.test(String(headers["content-type"] ?? ""));
  return {
    status,
    headers,
    body,
    text,
    json: isJson && text !== "" ? JSON.parse(text) : undefined,
  };
}

/** A call by Node's own client, which follows, retries and unpacks nothing. */
export function call(url: string, { method, token, headers = {}, body, ca }: Call = {}) {
  return new Promise<Got>((resolve, reject) => {
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    // As it stands there: a URL would be put in order.
    const [, place, path] = /^(\w+:\/\/[^/]+)(.*)$/s.exec(url)!;
    const request = send(place!, {
      path,
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      agent: false,
      ...(ca === undefined ? {} : { ca }),
    });
    request.on("error", reject).on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part)).on("error", reject);
      response.on("end", () =>
        resolve(gotOf(response.statusCode!, response.headers, Buffer.concat(parts))),
      );
    });
    request.end(body);
  });
}

/** fetch by Node's own client, which takes a certificate to trust. */
export const fetchTrusting =
  (ca: string): typeof fetch =>
  async (url, init = {}) => {
    const { method, headers, body } = init as RequestInit & { body?: Uint8Array };
    const given = { headers: headers as Record<string, string>, body, ca };
    const got = await call(String(url), { ...given, ...(method === undefined ? {} : { method }) });
    const told = Object.entries(got.headers).map(([name, value]) => [name, String(value)]);
    const hasNone = [204, 304].includes(got.status);
    return new Response(hasNone ? null : new Uint8Array(got.body), {
      status: got.status,
      headers: told as [string, string][],
    });
  };

/** Writes bytes to a server as they are, and gives all that it answers until it ends the connection. */
export function raw(
  port: number,
  text: string | Buffer,
  { end = false }: { end?: boolean } = {},
): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => (end ? socket.end(text) : socket.write(text)));
    socket.on("data", (data) => (answer += data.toString("latin1")));
    // Whichever way it ends: a server that cuts it off may reset it.
    socket.on("error", () => {}).on("close", () => resolve(answer));
  });
}

/** An authority's service that listens. */
export interface Served {
  app: FastifyInstance;
  /** Without a stroke at its end. */
  url: string;
  port: number;
  /** Its log, line by line. */
  log: string[];
  /** A call to it. */
  ask(path: string, given?: Call): Promise<Got>;
  client(token?: string, options?: Partial<HttpOptions>): HttpClient;
}

/** Closes what was opened, the last one first. */
const opened: (() => Promise<unknown>)[] = [];
export async function closeServices(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

export async function serveOffice(
  { service }: Pick<Office, "service">,
  options: Partial<ServerOptions> & { ca?: string; level?: string } = {},
): Promise<Served> {
  const { ca, level = "debug", ...more } = options;
  const log: string[] = [];
  const logger = pino({ level, base: null }, { write: (line: string) => void log.push(line) });
  const app = await build({ service, logger, ...more });
  await app.listen({ host: "127.0.0.1", port: 0 });
  opened.push(() => {
    app.server.closeAllConnections();
    return app.close();
  });
  const { port } = app.server.address() as { port: number };
  const url = `${more.tls === undefined ? "http" : "https"}://localhost:${port}`;
  const trust = ca === undefined ? {} : { fetch: fetchTrusting(ca) };
  return {
    app,
    url: url.replace("localhost", "127.0.0.1"),
    port,
    log,
    ask: (path, given) =>
      call(`${url.replace("localhost", "127.0.0.1")}${path}`, {
        ...(ca === undefined ? {} : { ca }),
        ...given,
      }),
    client: (token, given) =>
      new HttpClient(core, { url, token, patience: 20_000, ...trust, ...given }),
  };
}

/** A token of an authority. */
export async function tokenFor(
  { service }: Pick<Office, "service">,
  scopes: Scope | Scope[],
  more: { owner?: string; expires?: Date } = {},
): Promise<string> {
  return (await service.addToken({ scopes: [scopes].flat(), ...more })).text;
}

/** Somebody who knows an authority, and reaches its service. */
export async function partyAt(
  { service }: Pick<Office, "service">,
  served: Served,
  token?: string,
  options: Partial<HttpOptions> & { ca?: string } = {},
) {
  const { ca, ...more } = options;
  const trust = ca === undefined ? {} : { fetch: fetchTrusting(ca) };
  const given = { url: served.url, authority: await service.file(), token };
  return connectAuthority(core, given, { patience: 20_000, ...trust, ...more });
}

export const bodyOf = ({ submission }: TestFile) => Buffer.from(encodeSubmission(submission));
export const listOf = (...files: TestFile[]) =>
  `[${files.map((file) => bodyOf(file).toString()).join()}]`;
export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
export const idOf = (request: Parameters<typeof requestHash>[1]) =>
  requestId(requestHash(core, request));

/** The root of a log of these leaves, by a tree that shares nothing with ours. */
export const rootOf = (leaves: readonly Uint8Array[]) =>
  new RecursiveTree((index) => leaves[Number(index)]!).root(leaves.length);

export const useOpenOffices = () => useOffices({ isOpen: true });
