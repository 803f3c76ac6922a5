// For `npm run demo`: a program that is told by webhooks, checks their signatures and prints what it was told.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

/** How long the demonstration waits to be told something, in milliseconds. */
const PATIENCE = 60_000;

export async function receiver() {
  let webhook;
  const told = [];
  let onTold = () => {};
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString();
    try {
      const { type, data } = webhook.verify(body, request.headers);
      const { request: id, policy } = data;
      const about = id === undefined ? `number ${policy}` : id;
      console.log(`  (told by webhook: ${type}, ${about})`);
      told.push(type);
      response.writeHead(204).end();
    } catch (error) {
      console.log(`  (a webhook that does not verify: ${error.message})`);
      response.writeHead(400).end();
    }
    onTold();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/told`,
    /** @param secret with which the authority signs */
    trust(secret) {
      webhook = new Webhook(secret);
    },
    /** Waits until something of this kind was told. */
    told(kind) {
      return new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Error(`nobody was told of the ${kind}`)),
          PATIENCE,
        );
        onTold = () => {
          if (!told.some((type) => type.includes(kind))) return;
          clearTimeout(late);
          resolve();
        };
        onTold();
      });
    },
    close: () => server.close(),
  };
}
