import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import type { Message } from "#build/authority/deliveries.js";
import { eventMail } from "#build/http/event-text.js";
import { Mailer } from "#build/http/mail.js";
import { parseSmtp } from "#build/http/smtp.js";
import { delivering } from "#build/http/telling.js";
import { failing, useOffices } from "../authority/office.js";

// Mail, as an SMTP server gets it.

const office = useOffices();
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

interface Taken {
  from: string;
  to: string[];
  data: string;
}

/** An SMTP server that knows no more than it has to (RFC 5321), and takes everything. */
class Smtp {
  readonly taken: Taken[] = [];
  readonly said: string[] = [];
  port = 0;
  /** Its answer to what a mail is. */
  answer = "250 OK";

  static async open(host = "127.0.0.1"): Promise<Smtp> {
    const smtp = new Smtp();
    const server = createServer((socket) => {
      let mail: Taken = { from: "", to: [], data: "" };
      let isData = false;
      let rest = "";
      socket.on("error", () => {});
      socket.write("220 mail.example.org\r\n");
      socket.on("data", (piece) => {
        rest += piece.toString("latin1");
        for (let end = rest.indexOf("\r\n"); end >= 0; end = rest.indexOf("\r\n")) {
          const line = rest.slice(0, end);
          rest = rest.slice(end + 2);
          if (isData && line !== ".") {
            mail.data += `${line.replace(/^\./, "")}\r\n`;
            continue;
          }
          if (isData) {
            isData = false;
            smtp.taken.push(mail);
            mail = { from: "", to: [], data: "" };
            socket.write(`${smtp.answer}\r\n`);
            continue;
          }
          smtp.said.push(line);
          const [, command = "", , value = ""] = /^(\w+)( \w+:)?(.*)$/.exec(line) ?? [];
          if (command === "MAIL") mail.from = value;
          if (command === "RCPT") mail.to.push(value);
          isData = command === "DATA";
          if (command === "STARTTLS") {
            socket.write("502 not here\r\n");
            continue;
          }
          socket.write(
            isData ? "354 go on\r\n" : command === "QUIT" ? "221 bye\r\n" : "250 OK\r\n",
          );
        }
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    smtp.port = (server.address() as AddressInfo).port;
    return smtp;
  }
}

const FROM = "twinwrap@example.org";

/** Header and text of a mail. */
function parts({ data }: Taken): { headers: Map<string, string>; text: string } {
  const end = data.indexOf("\r\n\r\n");
  const headers = data
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")
    .map(
      (line) =>
        [
          line.slice(0, line.indexOf(":")).toLowerCase(),
          line.slice(line.indexOf(":") + 2),
        ] as const,
    );
  expect(new Set(headers.map(([name]) => name)).size).toBe(headers.length);
  const text = data
    .slice(end + 4)
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { headers: new Map(headers), text };
}

describe("mail", () => {
  test("goes to officers, owners and operators, each about what concerns them", async () => {
    const smtp = await Smtp.open();
    const one = await office();
    const { service } = one;
    await one.files(1, { owner: "olivia" });
    await service.addReceiver({ means: "mail", address: "ops@example.org" });
    for (const [role, name] of [
      ["officer", "ann"],
      ["owner", "olivia"],
    ] as const) {
      await service.addReceiver({
        who: { role, name },
        means: "mail",
        address: `${name}@example.org`,
      });
    }
    const mine = await one.asked(await one.files(1, { owner: "olivia" }));
    const other = await one.asked(await one.files(1, { owner: "oscar" }));
    const lines: unknown[] = [];
    const log = (about: object) => lines.push(about);
    const { deliveries, close } = delivering(
      service,
      { mail: { from: FROM, smtp: parseSmtp(`smtp://127.0.0.1:${smtp.port}`) } },
      { info: log, warn: log, error: log } as never,
    );
    await deliveries.look();
    close();
    const to = (address: string) => smtp.taken.filter((mail) => mail.to[0]!.includes(address));
    expect(smtp.taken).toHaveLength(5);
    expect(to("ops@example.org").map(({ data }) => data.includes(mine.id))).toEqual([true, false]);
    expect(to("ann@example.org").map(({ data }) => data.includes(other.id))).toEqual([false, true]);
    const [mail, ...more] = to("olivia@example.org");
    expect(more).toEqual([]);
    expect([mail!.from, mail!.to]).toEqual([`<${FROM}>`, ["<olivia@example.org>"]]);
    const { headers, text } = parts(mail!);
    expect([...headers.keys()].sort()).toEqual([
      "auto-submitted",
      "content-transfer-encoding",
      "content-type",
      "date",
      "from",
      "message-id",
      "mime-version",
      "subject",
      "to",
    ]);
    expect(headers.get("from")).toBe(FROM);
    expect(headers.get("to")).toBe("olivia@example.org");
    expect(headers.get("subject")).toBe(`${service.authority.origin}: a request was taken in`);
    expect(headers.get("content-type")).toMatch(/^text\/plain/);
    expect(headers.get("message-id")).toMatch(/^<evt_[0-9a-f]{32}\.[0-9a-f]{16}@example\.org>$/);
    expect(text).toContain(mine.id);
    expect(text).toMatch(/your owner ID +olivia/);
    for (const hidden of ["Olivia Owner", "some file"]) {
      expect(smtp.taken.some(({ data }) => data.includes(hidden))).toBe(false);
    }
    expect(to("ann@example.org").some(({ data }) => data.includes("olivia"))).toBe(false);
    expect(JSON.stringify(lines)).not.toMatch(/@|example/);
  });

  test("has the same ID at each attempt, and what the server says stays out of the reason", async () => {
    const smtp = await Smtp.open();
    smtp.answer = "550 no such user olivia@example.org";
    const mailer = new Mailer({ from: FROM, smtp: parseSmtp(`smtp://127.0.0.1:${smtp.port}`) });
    const mail = { to: "a@example.org", subject: "s", text: "t", id: "evt_1.2", time: new Date(0) };
    for (let i = 0; i < 2; i++) {
      const error = await mailer.send(mail).catch((thrown) => thrown);
      expect(error).toEqual(failing("UNAVAILABLE"));
      expect(error.message).toBe("the mail server did not take it: EMESSAGE 550");
    }
    mailer.close();
    const ids = smtp.taken.map((one) => parts(one).headers.get("message-id"));
    expect(ids).toEqual(["<evt_1.2@example.org>", "<evt_1.2@example.org>"]);
  });

  test("has no header, and goes to nobody, that a text brings in", async () => {
    const smtp = await Smtp.open();
    const mailer = new Mailer({ from: FROM, smtp: parseSmtp(`smtp://127.0.0.1:${smtp.port}`) });
    const evil = "x\r\nBcc: eve@example.org\r\n\r\nbody\r\n.\r\nMAIL FROM:<eve@example.org>\r\n";
    const time = new Date(0);
    await mailer.send({ to: "a@example.org", subject: evil, text: evil, id: "evt_1", time });
    const two = "a@example.org\r\nRCPT TO:<eve@example.org>";
    const sending = mailer.send({ to: two, subject: "s", text: "t", id: "evt_2", time });
    await expect(sending).rejects.toEqual(failing("BAD_ARGUMENT"));
    mailer.close();
    for (const taken of smtp.taken) {
      expect(taken.to).toHaveLength(1);
      const { headers } = parts(taken);
      expect(headers.has("bcc")).toBe(false);
      expect(headers.get("to")).not.toContain("\n");
    }
    expect(smtp.said.filter((line) => line.startsWith("RCPT")).join()).not.toContain("<eve@");
    expect(smtp.said.filter((line) => line === "MAIL FROM:<eve@example.org>")).toEqual([]);
  });

  test("to a server elsewhere goes under TLS, or not at all", async () => {
    const smtp = await Smtp.open("127.0.0.2");
    const mailer = new Mailer({
      from: FROM,
      smtp: parseSmtp(`smtp://user:pass@127.0.0.2:${smtp.port}`),
    });
    const mail = { to: "a@example.org", subject: "s", text: "t", id: "evt_1", time: new Date(0) };
    await expect(mailer.send(mail)).rejects.toEqual(failing("UNAVAILABLE"));
    mailer.close();
    expect(smtp.taken).toEqual([]);
    expect(smtp.said.join()).not.toMatch(/AUTH|MAIL/);
  });
});

test("a mail server is named by a URL", () => {
  expect(parseSmtp("smtp://mail.example.org")).toMatchObject({
    host: "mail.example.org",
    port: 587,
    secure: false,
  });
  expect(parseSmtp("smtps://ann%40example.org:p%3Aq@[::1]:1465/")).toEqual({
    host: "::1",
    port: 1465,
    secure: true,
    user: "ann@example.org",
    password: "p:q",
  });
  for (const text of [
    "",
    "mail.example.org",
    "http://mail.example.org",
    "smtp://",
    "smtp://mail.example.org/path",
    "smtp://mail.example.org?debug=true",
    "smtp://%zz@mail.example.org",
  ]) {
    expect(() => parseSmtp(text), text).toThrow(failing("BAD_ARGUMENT"));
  }
});

test("an emergency is told loudly", () => {
  const message: Message = {
    id: "evt_1",
    kind: "release",
    time: new Date(0),
    content: { request: "A".repeat(26), basis: "emergency" },
    owner: undefined,
  };
  const { subject, text } = eventMail({ authority: "example.org/backup" }, message);
  expect(subject).toContain("EMERGENCY");
  expect(text).toContain("need not wait");
});
