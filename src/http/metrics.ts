import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { AuthorityService } from "../authority/service.js";

// What a monitoring system is told (Prometheus). No owner, no request, no address.

export class Metrics {
  readonly #registry = new Registry();
  readonly #calls = new Histogram({
    name: "twinwrap_call_seconds",
    help: "How long calls took.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.#registry],
  });
  readonly #failed = new Counter({
    name: "twinwrap_failed_calls_total",
    help: "Calls that failed here: of status 500 and above.",
    labelNames: ["route"],
    registers: [this.#registry],
  });

  constructor(service: AuthorityService) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("twinwrap_records", "Records, by status.", ["status"], async (gauge) => {
      const counts = await service.countRecords();
      for (const [status, count] of Object.entries(counts)) gauge.set({ status }, count);
    });
    this.#gauge("twinwrap_open_requests", "Requests that wait.", [], async (gauge) => {
      gauge.set(await service.countRequests({ status: "open", after: new Date() }));
    });
    this.#gauge("twinwrap_fenced", "1 while the log may not grow.", [], async (gauge) => {
      gauge.set(Number(await service.isFenced()));
    });
    this.#gauge("twinwrap_unlocked", "1 if the RSA key is open.", [], async (gauge) => {
      gauge.set(Number(service.isUnlocked));
    });
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: (gauge: Gauge) => Promise<void>,
  ): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      // While the store is away there is no figure.
      collect: () => read(gauge).catch(() => gauge.reset()),
    });
  }

  called(method: string, route: string, status: number, seconds: number): void {
    this.#calls.observe({ method, route, status: String(status) }, seconds);
    if (status >= 500) this.#failed.inc({ route });
  }

  /** The text form that Prometheus reads. */
  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}
