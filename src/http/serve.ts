import type { FastifyBaseLogger } from "fastify";
import { pino } from "pino";
import type { AuthorityService } from "../authority/service.js";
import { TwinwrapError } from "../errors.js";
import {
  type CertificateFiles,
  end,
  followCertificate,
  listen,
  listenForMetrics,
  type Place,
  readCertificate,
} from "./listen.js";
import { Metrics } from "./metrics.js";
import { build, type ServiceLimits } from "./server.js";
import { startTelling, type TellingOptions } from "./telling.js";

// The service as a process runs it.

export interface ServeOptions {
  place: Place;
  tls?: CertificateFiles | undefined;
  metrics?: { host: string; port: number } | undefined;
  origins: readonly string[];
  trustProxy: boolean;
  limits: Partial<ServiceLimits>;
  logLevel: string;
  telling?: TellingOptions | undefined;
}

export interface Serving {
  /** Where it listens. */
  url: string;
  metricsUrl: string | undefined;
  /** Accepts nothing more and finishes what was accepted. @returns whether that was done in time */
  end(): Promise<boolean>;
}

/** How often what waits to be opened is looked for, in milliseconds. */
const LOOK = 30_000;

/** Serves an authority until it is told to end. */
export async function serve(service: AuthorityService, options: ServeOptions): Promise<Serving> {
  const logger: FastifyBaseLogger = pino(
    // Nothing about the machine: who runs it knows that.
    { level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
  const metrics = options.metrics === undefined ? undefined : new Metrics(service);
  const app = await build({
    service,
    logger,
    origins: options.origins,
    trustProxy: options.trustProxy,
    limits: options.limits,
    metrics,
    tls: options.tls && (await readCertificate(options.tls)),
  });
  const url = await listen(app, options.place);
  let shown: Awaited<ReturnType<typeof listenForMetrics>> | undefined;
  try {
    shown = metrics && (await listenForMetrics(metrics, options.metrics!));
  } catch (error) {
    // A server that still listens keeps the process.
    await end(app);
    throw error;
  }
  const unfollow =
    options.tls === undefined ? undefined : followCertificate(app, options.tls, logger);
  const stopOpening = openWaiting(service, logger);
  const stopTelling = startTelling(service, options.telling ?? {}, logger);
  return {
    url,
    metricsUrl: shown?.url,
    async end() {
      unfollow?.();
      stopOpening();
      const [isDone] = await Promise.all([end(app), stopTelling()]);
      shown?.server.close();
      return isDone;
    },
  };
}

/** Opens in the background what was taken in while the key was locked. @returns ends that */
function openWaiting(service: AuthorityService, logger: FastifyBaseLogger): () => void {
  let isWorking = false;
  const look = async () => {
    if (isWorking || !service.isUnlocked) return;
    isWorking = true;
    try {
      if ((await service.countRecords()).unverified > 0) {
        const { verified, failed } = await service.verifyWaiting();
        if (verified + failed.length > 0) {
          logger.info({ verified, failed: failed.length }, "opened what waited");
        }
      }
    } catch (error) {
      const code = error instanceof TwinwrapError ? error.code : undefined;
      logger.warn({ code, reason: String(error) }, "could not open what waits");
    } finally {
      isWorking = false;
    }
  };
  const timer = setInterval(look, LOOK).unref();
  void look();
  return () => clearInterval(timer);
}
