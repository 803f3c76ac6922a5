import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { openDirectory } from "../authority/directory.js";
import { checkMail } from "../authority/receivers.js";
import { isFolder } from "../calls.node.js";
import { isLoopback } from "../http/listen.js";
import { parseSmtp } from "../http/smtp.js";
import type { TellingOptions } from "../http/telling.js";
import { RSA_ENGINES, type RsaEngine } from "../keys/native-rsa.js";
import { leaveSignals } from "../process.node.js";
import { unlock } from "./authority-io.js";
import { addAuthorityKeyOption } from "./authority-options.js";
import { collect, integerBetween, newCommand, repeatable, UsageError } from "./command.js";
import { warn } from "./io.js";
import { readPassphraseFile } from "./passphrase.js";
import { about, asUsage } from "./report.js";
import { print } from "./standard.js";

interface ServeOptions {
  listen: { host: string; port: number };
  socket?: string;
  tlsCert?: string;
  tlsKey?: string;
  plainHttp?: boolean;
  metrics?: { host: string; port: number };
  originAllowed?: string[];
  trustProxy?: boolean;
  logLevel: string;
  callsPerMinute?: number;
  submissionsPerMinute?: number;
  unverifiedPerToken?: number;
  openers: number;
  rsa: RsaEngine;
  partial?: boolean;
  authorityPassphraseFile?: string;
  publicUrl?: URL;
  mailFrom?: string;
  smtp?: string;
  smtpPasswordFile?: string;
}

const LEVELS = ["silent", "error", "warn", "info", "debug"];
/** The systemd credential that holds the passphrase of the authority's key. */
const CREDENTIAL = "twinwrap-passphrase";
const MAX_PORT = 65_535;

function parsePlace(text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:]+)\]|([^:]*)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? (plain === "" ? "127.0.0.1" : plain);
  if (host !== undefined && Number(port) <= MAX_PORT) return { host, port: Number(port) };
  throw new InvalidArgumentError("expected HOST:PORT, such as 127.0.0.1:8420 or [::1]:8420");
}

function parseOrigin(text: string, before: string[] = []): string[] {
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin !== "null" && origin === text.replace(/\/$/, "")) return collect(origin, before);
  throw new InvalidArgumentError("expected an origin, such as https://keys.example.org");
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRight = url !== undefined && ["https:", "http:"].includes(url.protocol);
  if (!isRight || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new InvalidArgumentError("expected a URL, such as https://backup.example.org/");
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** How events are told. @throws UsageError */
async function tellingOf(options: ServeOptions): Promise<TellingOptions> {
  const { publicUrl: url, mailFrom, smtp, smtpPasswordFile: file } = options;
  if ((mailFrom === undefined) !== (smtp === undefined)) {
    throw new UsageError("--mail-from and --smtp belong together");
  }
  if (file !== undefined && smtp === undefined) {
    throw new UsageError("--smtp-password-file is for --smtp, which is not given");
  }
  if (mailFrom === undefined || smtp === undefined) return { url };
  const [from, place] = await asUsage(() => [checkMail(mailFrom), parseSmtp(smtp)] as const);
  const password = file === undefined ? place.password : await readPassphraseFile(file, "password");
  if (password !== undefined && place.user === undefined) {
    throw new UsageError("a password is there, but --smtp names no user: smtp://USER@HOST");
  }
  return { url, mail: { from, smtp: { ...place, password } } };
}

/** Where the passphrase is read from, if that was said: an option, or systemd. */
function passphraseFile(options: ServeOptions): string | undefined {
  const { authorityPassphraseFile: file } = options;
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (file !== undefined || folder === undefined) return file;
  const credential = join(folder, CREDENTIAL);
  return existsSync(credential) ? credential : undefined;
}

function checkOptions(path: string, options: ServeOptions): void {
  const { listen, socket, tlsCert, tlsKey, plainHttp = false } = options;
  if (!isFolder(path))
    throw new UsageError(`${path} is no folder: serve takes the authority's folder`);
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("--tls-cert and --tls-key belong together");
  }
  if (socket !== undefined && tlsCert !== undefined) {
    throw new UsageError("a socket is for a proxy on this machine: it takes no certificate");
  }
  if (socket === undefined && tlsCert === undefined && !isLoopback(listen.host) && !plainHttp) {
    throw new UsageError(
      `${listen.host} is seen from outside: give --tls-cert and --tls-key, or --plain-http behind a proxy that does TLS`,
    );
  }
}

async function serve(path: string, options: ServeOptions): Promise<void> {
  checkOptions(path, options);
  const { socket, tlsCert, tlsKey } = options;
  const telling = await tellingOf(options);
  // The service's libraries are loaded here, and nowhere else.
  const { serve: start } = await import("../http/serve.js");
  const { openers, partial, rsa } = options;
  const service = await about(path, () => openDirectory(path, { openers, partial, rsa }));
  try {
    const file = passphraseFile(options);
    const isOpen = await unlock(service, path, {
      authorityPassphraseFile: file,
      ask: askable(file),
    });
    if (!isOpen) warn("the authority's key is locked: records are taken in, but not opened");
    leaveSignals();
    const told = signalled();
    const serving = await start(service, {
      place: socket === undefined ? options.listen : { path: socket },
      tls: tlsCert === undefined ? undefined : { cert: tlsCert, key: tlsKey! },
      metrics: options.metrics,
      origins: options.originAllowed ?? [],
      trustProxy: options.trustProxy ?? false,
      limits: {
        ...(options.callsPerMinute === undefined ? {} : { calls: options.callsPerMinute }),
        ...(options.submissionsPerMinute === undefined
          ? {}
          : { submissions: options.submissionsPerMinute }),
        ...(options.unverifiedPerToken === undefined
          ? {}
          : { unverified: options.unverifiedPerToken }),
      },
      logLevel: options.logLevel,
      telling,
    });
    print(`listening on ${serving.url}\n`);
    if (serving.metricsUrl !== undefined) print(`metrics on ${serving.metricsUrl}\n`);
    await told;
    if (!(await serving.end())) warn("some calls did not end in 30 seconds, and were cut off");
  } finally {
    await service.close();
  }
}

/** Whether somebody can be asked for the passphrase. */
function askable(file: string | undefined): boolean {
  return file === undefined && process.stdin.isTTY === true;
}

/** When the process is told to end. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
}

export function serveCommand(): Command {
  const rate = integerBetween(1, 1_000_000_000);
  const command = newCommand(
    "serve",
    "Serves the authority over HTTP, until it is told to end.",
    "twinwrap authority serve backup --listen 0.0.0.0:8420 --tls-cert cert.pem --tls-key key.pem",
  )
    .argument("<folder>", "the authority's folder")
    .addOption(
      new Option("--listen <host:port>", "where it listens")
        .argParser(parsePlace)
        .default({ host: "127.0.0.1", port: 8420 }, "127.0.0.1:8420")
        .env("TWINWRAP_LISTEN"),
    )
    .addOption(
      new Option("--socket <path>", "listen on a Unix socket instead, for a proxy").env(
        "TWINWRAP_SOCKET",
      ),
    )
    .addOption(new Option("--tls-cert <file>", "certificate chain (PEM)").env("TWINWRAP_TLS_CERT"))
    .addOption(new Option("--tls-key <file>", "its private key (PEM)").env("TWINWRAP_TLS_KEY"))
    .option("--plain-http", "no TLS, though others reach it: behind a proxy that does TLS")
    .addOption(
      new Option("--metrics <host:port>", "where figures for Prometheus are shown")
        .argParser(parsePlace)
        .env("TWINWRAP_METRICS"),
    )
    .addOption(
      new Option(
        "--origin-allowed <url>",
        "origin of a page that may call with a token (repeat for more)",
      ).argParser(repeatable(parseOrigin)),
    )
    .option("--trust-proxy", "take callers' addresses from X-Forwarded-For, which a proxy sets")
    .addOption(
      new Option("--log-level <level>", "what is logged, to standard error")
        .choices(LEVELS)
        .default("info")
        .env("TWINWRAP_LOG_LEVEL"),
    )
    .addOption(
      new Option("--calls-per-minute <n>", "calls of one token (default: 3000)").argParser(rate),
    )
    .addOption(
      new Option(
        "--submissions-per-minute <n>",
        "submissions of one token (default: 30000)",
      ).argParser(rate),
    )
    .addOption(
      new Option(
        "--unverified-per-token <n>",
        "records of one token that wait while the authority's key is locked (default: 100000)",
      ).argParser(rate),
    )
    .addOption(
      new Option("--openers <n>", "threads that hold the authority's key")
        .argParser(integerBetween(1, 64))
        .default(1),
    )
    .addOption(
      new Option(
        "--rsa <by>",
        "what works with the authority's key: the core, or OpenSSL (native), which is faster",
      )
        .choices(RSA_ENGINES)
        .default("core")
        .env("TWINWRAP_RSA"),
    )
    .addOption(
      new Option("--public-url <url>", "where others find the service: for links in what is told")
        .argParser(parsePublicUrl)
        .env("TWINWRAP_PUBLIC_URL"),
    )
    .addOption(
      new Option("--mail-from <address>", "whose address stands in mail to receivers").env(
        "TWINWRAP_MAIL_FROM",
      ),
    )
    .addOption(
      new Option(
        "--smtp <url>",
        "the mail server: smtp://USER@HOST:PORT (with STARTTLS), or smtps://…",
      ).env("TWINWRAP_SMTP"),
    )
    .option("--smtp-password-file <file>", "read the mail server's password from its first line")
    .option("--partial", "release the records that open, even where others do not");
  return addAuthorityKeyOption(command).action(serve);
}
