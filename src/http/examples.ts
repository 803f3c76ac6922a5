import type { Route } from "./routes.js";

// For each call a line that a stranger can follow, with nothing but curl, or Python as it comes. $URL is where the
// service is, $TOKEN what lets in; other names are told by the summary of the call that gives them.

/** What a call is shown with. */
interface Shown {
  /** Its path; by default the route's own, where it has no parts to fill in. */
  path?: string;
  /** The file that is sent; "" sends nothing. */
  file?: string;
}

// biome-ignore format: a table
const SHOWN: Readonly<Record<string, Shown>> = {
  "POST /v1/records": { file: "submission.json" },
  "GET /v1/records": { path: "/v1/records?owner=olivia&limit=10" },
  "GET /v1/records/:hash": { path: "/v1/records/$HASH" },
  "GET /v1/records/:hash/receipt": { path: "/v1/records/$HASH/receipt" },
  "POST /v1/requests": { file: "request.json" },
  "GET /v1/requests": { path: "/v1/requests?status=open" },
  "GET /v1/requests/:id": { path: "/v1/requests/$ID" },
  "POST /v1/requests/:id/notes": { path: "/v1/requests/$ID/notes", file: "approval.txt" },
  "GET /v1/requests/:id/release": { path: "/v1/requests/$ID/release" },
  "POST /v1/requests/:id/release": { path: "/v1/requests/$ID/release", file: "" },
  "POST /v1/policy/notes": { file: "policy.txt" },
  "POST /v1/enrolments": { path: "/v1/enrolments?owner=olivia", file: "control.pub.pem" },
  "GET /log/:log/checkpoint": { path: "/log/0/checkpoint" },
  "GET /log/:log/tile/*": { path: "/log/0/tile/entries/000.p/1" },
};

/** A line of code that makes a call, in one language. */
export interface CodeSample {
  lang: "Shell" | "Python";
  source: string;
}

export function examplesOf({ method, url, who, body }: Route): CodeSample[] {
  const { path = url, file } = SHOWN[`${method} ${url}`] ?? {};
  const headers = [
    ...(who === "everybody" ? [] : ["Authorization: Bearer $TOKEN"]),
    ...(body === undefined ? [] : [`Content-Type: ${body.type}`]),
  ];
  const sent = file === undefined ? [] : ["--data-binary", file === "" ? "''" : `@${file}`];
  const curl = ["curl -sS --fail-with-body", ...headers.map((line) => `-H "${line}"`)];
  const data = file === "" ? 'b""' : `open("${file}", "rb").read()`;
  const python = [
    "import os, sys, urllib.request",
    `call = urllib.request.Request(os.path.expandvars("$URL${path}"), method="${method}")`,
    ...(file === undefined ? [] : [`call.data = ${data}`]),
    ...headers.map((line) => {
      const [name, value] = line.split(": ") as [string, string];
      return `call.add_header("${name}", os.path.expandvars("${value}"))`;
    }),
    "sys.stdout.buffer.write(urllib.request.urlopen(call).read())",
  ];
  return [
    { lang: "Shell", source: [...curl, ...sent, `"$URL${path}"`].join(" ") },
    { lang: "Python", source: `${python.join("\n")}\n` },
  ];
}
