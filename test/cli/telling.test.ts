import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { type Office, useOffices } from "../authority/office.js";
import { haveSqlite } from "../sqlite.js";
import { TWINWRAP } from "./run.js";

// `twinwrap authority serve` tells of what happened, also before it began, and by whom.

const office = useOffices();

test.skipIf(!haveSqlite)(
  "a service that is started tells of what waits, and of what others do meanwhile",
  async () => {
    const one: Office = await office();
    const bodies: string[] = [];
    let wake = () => {};
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        const body = Buffer.concat(pieces).toString();
        bodies.push(
          (
            new Webhook(secret!).verify(body, request.headers as never) as {
              data: { request: string };
            }
          ).data.request,
        );
        response.writeHead(204).end();
        wake();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { secret } = await one.service.addReceiver({
      means: "webhook",
      address: `http://127.0.0.1:${port}/`,
    });
    const came = (count: number) =>
      new Promise<void>((resolve) => {
        wake = () => {
          if (bodies.length >= count) resolve();
        };
        wake();
      });
    const { id } = await one.asked(await one.files(1));
    const child = spawn(
      process.execPath,
      [TWINWRAP, "authority", "serve", one.folder, "--listen", "127.0.0.1:0"],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const log: Buffer[] = [];
    child.stderr.on("data", (piece) => log.push(piece));
    const ended = once(child, "close");
    try {
      await came(1);
      const { id: next } = await one.asked(await one.files(1));
      await came(2);
      expect(bodies).toEqual([id, next]);
      // It ends as soon as what is on its way has arrived.
      child.kill("SIGTERM");
      expect((await ended)[0]).toBe(0);
      expect(await one.service.deliveries("waiting")).toEqual([]);
      const text = Buffer.concat(log).toString();
      expect(text.match(/"told"/g)).toHaveLength(2);
      for (const hidden of [secret!, `127.0.0.1:${port}`, id]) expect(text).not.toContain(hidden);
    } finally {
      child.kill("SIGKILL");
      server.closeAllConnections();
      server.close();
    }
  },
);
