// A static server for tests, measurements and `npm run page`: a folder, and headers to go with it.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { createGzip, gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
};

/** What gets smaller on the way. */
const PACKED = new Set([".html", ".js", ".mjs", ".css", ".json", ".wasm", ".svg", ".txt"]);

/**
 * @param folder what is served; "/" is its index.html
 * @param options.port 0 for any that is free; only this machine is listened to
 * @param options.headers added to every answer, or a function that makes them from the path
 * @param options.files more answers: text or bytes by path, before the folder's
 * @param options.onPost is told what a page posts: `(path, text)`; a string that it returns is the answer
 * @returns `{ url, port, close() }`; `url` ends without a slash
 */
export async function serve(folder, { port = 0, headers = {}, files = {}, onPost } = {}) {
  const server = createServer(async (request, response) => {
    let path;
    try {
      path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    } catch {
      response.writeHead(400).end();
      return;
    }
    const name = normalize(path.endsWith("/") ? `${path}index.html` : path);
    const given = files[path];
    const more = typeof headers === "function" ? headers(path) : headers;
    const accepted = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
    const isPacked = accepted && PACKED.has(extname(name));
    const answer = (status, type, length) =>
      response.writeHead(status, {
        ...(type === undefined ? {} : { "content-type": type }),
        "cache-control": "no-store",
        ...(isPacked && status === 200 ? { "content-encoding": "gzip" } : {}),
        ...(length === undefined || isPacked ? {} : { "content-length": length }),
        ...more,
      });
    if (request.method === "POST" && onPost !== undefined) {
      const parts = [];
      for await (const part of request) parts.push(part);
      const reply = onPost(path, Buffer.concat(parts).toString());
      if (typeof reply !== "string") answer(204).end();
      else answer(200, TYPES[".txt"]).end(isPacked ? gzipSync(reply) : reply);
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      answer(405, TYPES[".txt"]).end("only GET\n");
      return;
    }
    if (given !== undefined) {
      const body = isPacked ? gzipSync(given) : given;
      answer(200, TYPES[extname(name)] ?? "application/octet-stream").end(body);
      return;
    }
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) {
      answer(404, TYPES[".txt"]).end("not found\n");
      return;
    }
    answer(200, TYPES[extname(name)] ?? "application/octet-stream", found.size);
    if (request.method === "HEAD") response.end();
    else if (isPacked) createReadStream(file).pipe(createGzip()).pipe(response);
    else createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = server.address().port;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
