import swagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import fastify from "fastify";
import { examplesOf } from "./examples.js";
import { ROUTES, type Route } from "./routes.js";
import { type Answered, PROBLEM, type Schema } from "./schemas.js";

// The OpenAPI document of the service, made from the table of routes. It is committed; the service itself does not
// load this.

const VERSION = "1";

function answerOf({ description, type, schema }: Answered) {
  return type === undefined ? { description } : { description, content: { [type]: { schema } } };
}

function operationOf(route: Route, url: string): Record<string, unknown> {
  const { summary, who, query, body, answers } = route;
  const params = [...url.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const described = Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]);
  return {
    summary,
    ...(who === "everybody" ? { security: [] } : { security: [{ token: [] }] }),
    ...(who === "everybody" ? {} : { description: `Takes a token of scope ${who.join(" or ")}.` }),
    "x-codeSamples": examplesOf(route),
    ...(query === undefined ? {} : { querystring: query }),
    ...(params.length === 0 ? {} : { params: pathOf(params) }),
    ...(body === undefined
      ? {}
      : {
          body: {
            content: { [body.type]: { schema: { type: "string", description: body.what } } },
          },
        }),
    response: {
      ...Object.fromEntries(described),
      default: {
        description: "what went wrong (RFC 9457)",
        content: { "application/problem+json": { schema: PROBLEM } },
      },
    },
  };
}

function pathOf(names: readonly string[]): Schema {
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  };
}

/** @returns the document, as OpenAPI 3.1 */
export async function describe(): Promise<object> {
  const app = fastify();
  const options: FastifyDynamicSwaggerOptions = {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Twinwrap authority",
        description:
          "A backup authority for session keys. Every message is the file that people carry too.",
        version: VERSION,
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    },
  };
  await app.register(swagger, options);
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  for (const route of ROUTES) {
    const { method } = route;
    const url = route.url.replace(/\*$/, ":tile");
    app.route({
      method,
      url,
      exposeHeadRoute: false,
      schema: operationOf(route, url),
      handler: async () => "",
    });
  }
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}
