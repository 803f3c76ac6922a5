import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import cors, { type FastifyCorsOptions } from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { LocalClient } from "../authority/client.js";
import type { AuthorityService } from "../authority/service.js";
import type { Token } from "../authority/tokens.js";
import { TwinwrapError } from "../errors.js";
import { safe } from "../text.js";
import { admit } from "./admission.js";
import { type Answer, type Call, JSON_TYPE } from "./answer.js";
import { Budget } from "./budget.js";
import { TLS } from "./listen.js";
import type { Metrics } from "./metrics.js";
import { HttpProblem, problemAnswer } from "./problems.js";
import { ROUTES, type Route } from "./routes.js";
import { Shares } from "./shares.js";

// The service, made but not listening yet: a test injects calls, `authority serve` listens.

export interface ServiceLimits {
  /** Calls a minute of each token, or of each address without one. */
  calls: number;
  /** Submissions a minute of each token. */
  submissions: number;
  /** Records of each token that nobody has opened yet. */
  unverified: number;
}

export const USUAL_LIMITS: ServiceLimits = {
  calls: 3000,
  submissions: 30_000,
  unverified: 100_000,
};

/** How long a caller may take, in milliseconds. */
export interface ServiceTimes {
  /** For a call to come in. */
  callIn: number;
  /** For its headers, of that. */
  headersIn: number;
  /** How often it is looked whether one is over these. */
  look: number;
  /** For a connection on which nothing moves, in either direction: whoever reads no answer holds its memory. */
  idle: number;
  /** For the answer to each token that is not good, once there were many from one address. */
  slow: number;
}

export const USUAL_TIMES: ServiceTimes = {
  callIn: 10_000,
  headersIn: 5_000,
  look: 1000,
  idle: 120_000,
  slow: 1000,
};

export interface ServerOptions {
  service: AuthorityService;
  logger?: FastifyBaseLogger | undefined;
  /** Origins of pages that may call, besides what is open to everybody. */
  origins?: readonly string[] | undefined;
  /**
   * Whether addresses are taken from X-Forwarded-For, to which the one proxy in front adds its caller's. What stands
   * before that was written by the caller.
   */
  trustProxy?: boolean | undefined;
  limits?: Partial<ServiceLimits> | undefined;
  times?: Partial<ServiceTimes> | undefined;
  /** Certificate and key; without them it is plain HTTP. */
  tls?: { cert: Buffer; key: Buffer } | undefined;
  metrics?: Metrics | undefined;
}

const MINUTE = 60_000;
/** Answers to bad tokens that are held back at once, at most. */
const MAX_WAITING = 1000;
/** How long a connection without a call is kept: longer than a proxy keeps it. */
const KEEP_ALIVE = 75_000;
/** Characters of a part of a path at most. */
const MAX_PART = 256;
/** Failures of an address that are answered at once, in a minute. */
const FREE_FAILURES = 5;
/** Proxies in front of the service, if any are trusted. */
const PROXIES = 1;

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls. */
    token: Token | undefined;
  }
}

/** Headers that may stand there once: two of them are read as one thing here, and as another one elsewhere. */
const SINGLE = new Set([
  "authorization",
  "content-length",
  "content-type",
  "content-encoding",
  "host",
  "transfer-encoding",
  "if-none-match",
]);

export async function build(options: ServerOptions): Promise<FastifyInstance> {
  const { service, logger, trustProxy = false, tls } = options;
  const limits = { ...USUAL_LIMITS, ...options.limits };
  const times = { ...USUAL_TIMES, ...options.times };
  // Plain or not, the same times.
  const checked = { headersTimeout: times.headersIn, connectionsCheckingInterval: times.look };
  const app = fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    ...(tls === undefined
      ? { http: checked }
      : { https: { ...checked, ...tls, ...TLS, handshakeTimeout: times.callIn } }),
    requestTimeout: times.callIn,
    connectionTimeout: times.idle,
    keepAliveTimeout: KEEP_ALIVE,
    forceCloseConnections: "idle",
    // What still comes over a connection that was accepted is served.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
    clientErrorHandler: (error, socket) => answerNoCall(error, socket),
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    trustProxy: trustProxy ? (_: string, hop: number) => hop < PROXIES : false,
    routerOptions: { maxParamLength: MAX_PART },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allErrors: false } },
  }) as unknown as FastifyInstance;
  app.decorateRequest("token", undefined);
  app.setSerializerCompiler(() => JSON.stringify);
  takeBytes(app);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.addHook("onRequest", async ({ raw, headers }) => {
    checkHeaders(raw.rawHeaders, headers["content-encoding"]);
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  await app.register(cors, () => corsFor(new Set(options.origins ?? [])));
  await app.register(rateLimit, {
    global: true,
    max: limits.calls,
    timeWindow: MINUTE,
    keyGenerator: ({ token, ip }) => token?.id ?? addressOf(ip),
    errorResponseBuilder: (_, { ttl }) => tooMany("calls", ttl),
  });
  const failures = app.createRateLimit({
    max: FREE_FAILURES,
    timeWindow: MINUTE,
    keyGenerator: ({ ip }) => addressOf(ip),
  });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) =>
    answerError(new HttpProblem("NOT_FOUND", "there is nothing under this path"), request, reply),
  );
  const budget = new Budget(limits.submissions, MINUTE);
  const shares = new Shares(
    limits.unverified,
    async () => (await service.countRecords()).unverified,
  );
  /** Calls with bad tokens that wait for their answers. */
  let guessing = 0;
  app.addHook("onRequest", async (request) => {
    const route = request.routeOptions.config.route;
    if (route === undefined) return;
    try {
      request.token = await admit(service, request, route.who);
    } catch (error) {
      const isKnown = error instanceof HttpProblem && error.code !== "UNAUTHENTICATED";
      if (!(error instanceof HttpProblem) || isKnown) throw error;
      const state = await failures(request);
      if (!("isExceeded" in state) || !state.isExceeded) throw error;
      // Those who wait for an answer are no more than may call.
      const waiting = Math.min(limits.calls, MAX_WAITING);
      if (guessing >= waiting) throw tooMany("calls with tokens that are not good", state.ttl);
      guessing++;
      await new Promise((wake) => setTimeout(wake, times.slow));
      guessing--;
      throw error;
    }
  });
  tellOfCalls(app, options.metrics);
  const client = new LocalClient(service);
  for (const route of ROUTES) {
    app.route({
      method: route.method,
      url: route.url,
      schema: route.query === undefined ? {} : { querystring: route.query },
      // Whoever asks whether it lives may ask from where a flood comes: through one proxy.
      config: { route, ...(isProbe(route) ? { rateLimit: false as const } : {}) },
      bodyLimit: route.body?.maxBytes ?? 1,
      handler: async (request, reply) => {
        const caller = request.token?.id ?? addressOf(request.ip);
        const spend = (submissions: number) => {
          const wait = budget.take(caller, submissions);
          if (wait > 0) throw tooMany("submissions", wait);
        };
        const takeRoom = (records: number) => shares.take(caller, records);
        const parts = { service, client, spend, takeRoom };
        return send(reply, await route.handle(callOf(request, parts)));
      },
    });
  }
  return app;
}

const isProbe = ({ url }: Route) => url === "/healthz" || url === "/readyz";

declare module "fastify" {
  interface FastifyContextConfig {
    route?: Route;
  }
}

/** Bodies are bytes: each message has a reader of its own. */
function takeBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const types = [
    "application/json",
    "text/plain",
    "application/octet-stream",
    "application/x-pem-file",
  ];
  app.addContentTypeParser(types, { parseAs: "buffer" }, (_, body, done) => done(null, body));
  // Many clients say of nothing that it is a form.
  app.addContentTypeParser("*", ({ headers }, _, done) =>
    headers["content-length"] === "0" ? done(null, undefined) : done(wrongType()),
  );
}

/** @throws HttpProblem for what a proxy and this service could read in two ways, or what is packed */
function checkHeaders(raw: readonly string[], encoding: string | undefined): void {
  const seen = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name)) throw new HttpProblem("BAD_ARGUMENT", `the header ${name} is there twice`);
    seen.add(name);
  }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    const message = "send the body as it is: nothing is unpacked here";
    throw new HttpProblem("BAD_FORMAT", message, 415);
  }
}

const OPEN_PATHS = ROUTES.filter(({ who }) => who === "everybody").map(({ url }) =>
  url.startsWith("/log/") ? "/log/" : url,
);

/** Pages elsewhere: what is open to everybody is open to them; the rest to those of allowed origins. */
function corsFor(allowed: ReadonlySet<string>) {
  const common: FastifyCorsOptions = {
    methods: ["GET", "POST"],
    allowedHeaders: ["Authorization", "Content-Type", "If-None-Match"],
    exposedHeaders: ["Retry-After", "ETag"],
    credentials: false,
    maxAge: 600,
    hideOptionsRoute: true,
    // What is no preflight is answered as one: there is nothing else to say.
    strictPreflight: false,
  };
  return (
    request: FastifyRequest,
    done: (error: Error | null, options: FastifyCorsOptions) => void,
  ) => {
    const path = request.url.split("?")[0]!;
    const isOpen = OPEN_PATHS.some(
      (open) => path === open || (open.endsWith("/") && path.startsWith(open)),
    );
    const origin = isOpen ? "*" : [...allowed];
    done(null, { ...common, origin });
  };
}

function tooMany(what: string, ttl: number): HttpProblem {
  const seconds = String(Math.max(1, Math.ceil(ttl / 1000)));
  const message = `too many ${what} in a minute: try again in ${seconds} s`;
  return new HttpProblem("BUSY", message, 429, { "retry-after": seconds });
}

const NO_BODY = new Uint8Array(0);

function callOf(
  request: FastifyRequest,
  parts: Pick<Call, "service" | "client" | "spend" | "takeRoom">,
): Call {
  const body = request.body as Buffer | undefined;
  return {
    ...parts,
    request,
    token: request.token,
    body: body === undefined ? NO_BODY : new Uint8Array(body.buffer, body.byteOffset, body.length),
    params: request.params as Call["params"],
    query: request.query as Call["query"],
  };
}

function send(reply: FastifyReply, { status = 200, type = JSON_TYPE, headers = {}, body }: Answer) {
  return reply
    .code(status)
    .headers({ "cache-control": "no-store", ...headers })
    .type(type)
    .send(typeof body === "string" ? body : Buffer.from(body.buffer, body.byteOffset, body.length));
}

function wrongType(): HttpProblem {
  const types = "application/json, text/plain or application/octet-stream";
  return new HttpProblem("BAD_FORMAT", `a body is sent as ${types}`, 415);
}

/** What Fastify finds wrong before a route is reached. */
function asTwinwrap(error: unknown): TwinwrapError | undefined {
  if (error instanceof TwinwrapError) return error;
  const { statusCode: status, message } = error as { statusCode?: number; message?: string };
  if (status === undefined || status < 400 || status >= 500 || message === undefined)
    return undefined;
  if (status === 413)
    return new HttpProblem("LIMIT_EXCEEDED", "the body is too long for this call");
  if (status === 415) return wrongType();
  if (status === 404) return new HttpProblem("NOT_FOUND", "there is nothing under this path");
  // It may repeat what the caller sent.
  return new HttpProblem("BAD_ARGUMENT", safe(message), status);
}

/** By what of a caller without a token is counted: over a Unix socket there is no address. */
function addressOf(ip: string | undefined): string {
  return ip ?? "here";
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** Answers what is no call at all, or did not come in in time. */
function answerNoCall(error: NodeJS.ErrnoException, socket: Socket): void {
  // Without a handshake nothing can be said.
  const isHttp = /^(HPE_|ERR_HTTP_)/.test(error.code ?? "");
  if (!isHttp) return void socket.destroy();
  const [status, message] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? [408, "the call did not come in in time"]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? [431, "the headers are too long"]
        : [400, "this is no call of HTTP/1.1"];
  const { body, headers } = problemAnswer(
    new HttpProblem("BAD_ARGUMENT", message!, Number(status)),
  );
  if (!socket.writable) return void socket.destroy();
  const lines = Object.entries({ ...headers, "content-length": body.length, connection: "close" });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const start = `HTTP/1.1 ${status} ${REASONS[Number(status)]}\r\n${head}\r\n`;
  // Whoever does not read it is cut off when nothing moves.
  socket.end(Buffer.concat([Buffer.from(start), body]), () => socket.destroy());
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asTwinwrap(error) ?? new TwinwrapError("FAULT", "unexpected");
  const { status, headers, body } = problemAnswer(known);
  if (status >= 500)
    request.log.error({ code: known.code, reason: reasonOf(error) }, "a call failed");
  return reply
    .code(status)
    .headers({ "cache-control": "no-store", ...headers })
    .send(Buffer.from(body));
}

/** What a log may say of an error: not what a caller sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof TwinwrapError ? error.message : (error.stack ?? error.message);
}

/** One line a call, with nothing in it that a caller chose. */
function tellOfCalls(app: FastifyInstance, metrics: Metrics | undefined): void {
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, token, log } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = routeOptions.url ?? "none";
    metrics?.called(method, route, status, elapsedTime / 1000);
    const about = { method, route, status, ms: Math.round(elapsedTime), token: token?.id };
    if (status === 401 || status === 403 || status === 429) {
      log.warn({ ...about, address: request.ip }, "call");
    } else log.info(about, "call");
  });
}
