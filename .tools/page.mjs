// `npm run page`: serves the static site that the build has made. `npm run page -- --port N` chooses the port.
import { serve } from "./serve.mjs";

const at = process.argv.indexOf("--port");
const site = new URL("../build/site", import.meta.url).pathname;
const { url } = await serve(site, { port: at < 0 ? 8080 : Number(process.argv[at + 1]) });
console.log(`the page: ${url}/   (its files: build/site, for any web server; Ctrl-C ends)`);
