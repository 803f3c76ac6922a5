import { onTestFailed } from "vitest";
import { runDriver, type Wine } from "./wine.js";

// Commands for driver.c, collected and run by one process; what they answer is known after `run`.

/** Flags and parameters of wincrypt.h. */
export const CRYPT_EXPORTABLE = 0x1;
export const CRYPT_CREATE_SALT = 0x4;
export const CRYPT_NO_SALT = 0x10;
export const CRYPT_OAEP = 0x40;
export const KP_IV = 1;
export const KP_MODE = 4;
export const KP_EFFECTIVE_KEYLEN = 19;
/** AT_KEYEXCHANGE, as an ALG_ID for CryptGenKey. */
export const AT_KEYEXCHANGE = 1;
export const CRYPT_MODE_ECB = 2;

/** A key inside the CryptoAPI program. */
export interface Slot {
  readonly number: number;
}

/** What a command answered; it can be asked once its batch has run. */
export class Answer {
  text: string | undefined;
  readonly #command: string;

  constructor(command: string) {
    this.#command = command.length > 120 ? `${command.slice(0, 120)}…` : command;
  }

  /** "accepted", or the error's name. */
  get outcome(): string {
    if (this.text === undefined) throw new Error("the batch has not run");
    return /^ok( |$)/.test(this.text) ? "accepted" : this.text;
  }

  /** The bytes that were asked for; throws if there are none. */
  get bytes(): Buffer {
    const hex = /^ok ([0-9a-f]+|-)$/.exec(this.text ?? "")?.[1];
    if (hex === undefined) throw new Error(`${this.#command}: ${this.text ?? "has not run"}`);
    return Buffer.from(hex === "-" ? "" : hex, "hex");
  }
}

const word = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex") || "-";

/** A DWORD as CryptSetKeyParam takes it. */
export function dword(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** One run of a CryptoAPI program. If the test fails, what it was told and answered is printed. */
export class Batch {
  readonly #wine: Wine;
  readonly #commands: string[] = [];
  readonly #answers: Answer[] = [];
  /** Answers that must be good, because nothing that follows makes sense without. */
  readonly #needed = new Set<Answer>();
  #slots = 0;

  constructor(wine: Wine) {
    this.#wine = wine;
    onTestFailed(() => {
      const lines = this.#commands.map(
        (line, i) => `${line}\n  ${this.#answers[i]!.text ?? "(no answer)"}`,
      );
      console.error(`To repeat it, driver.exe's commands and answers:\n${lines.join("\n")}`);
    });
  }

  #add(...words: (string | number)[]): Answer {
    const command = words.join(" ");
    const answer = new Answer(command);
    this.#commands.push(command);
    this.#answers.push(answer);
    return answer;
  }

  #must(...words: (string | number)[]): void {
    this.#needed.add(this.#add(...words));
  }

  #slot(): Slot {
    return { number: this.#slots++ };
  }

  /** CryptGenKey, exportable. `bits` 0 is the algorithm's own length. */
  generate(algId: number, bits = 0, flags = 0): Slot {
    const slot = this.#slot();
    this.#must("generate", slot.number, algId, bits * 0x10000 + flags + CRYPT_EXPORTABLE);
    return slot;
  }

  /** CryptImportKey of what must be good. */
  import(blob: Uint8Array, under?: Slot, flags = 0): Slot {
    const slot = this.#slot();
    this.#must("import", slot.number, word(blob), under?.number ?? "-", flags);
    return slot;
  }

  /** CryptImportKey of what may be refused. */
  tryImport(blob: Uint8Array, under?: Slot, flags = 0): Answer {
    return this.#add("import", this.#slot().number, word(blob), under?.number ?? "-", flags);
  }

  /** CryptExportKey, wrapped for `under` where the type needs it. */
  export(key: Slot, type: number, under?: Slot, flags = 0): Answer {
    return this.#add("export", key.number, under?.number ?? "-", type, flags);
  }

  /** CryptDeriveKey from the hash of a password, exportable. `bits` as for `generate`. */
  derive(hash: number, password: Uint8Array, algId: number, bits = 0, flags = 0): Slot {
    const slot = this.#slot();
    const all = bits * 0x10000 + flags + CRYPT_EXPORTABLE;
    this.#must("derive", slot.number, hash, algId, all, word(password));
    return slot;
  }

  /** KP_SALT_EX, which may be refused. */
  salt(key: Slot, value: Uint8Array): Answer {
    return this.#add("salt", key.number, word(value));
  }

  /** CryptSetKeyParam. */
  set(key: Slot, param: number, value: Uint8Array): void {
    this.#must("set", key.number, param, word(value));
  }

  encrypt(key: Slot, plain: Uint8Array): Answer {
    return this.#add("encrypt", key.number, word(plain));
  }

  decrypt(key: Slot, cipher: Uint8Array): Answer {
    return this.#add("decrypt", key.number, word(cipher));
  }

  /** A command as it is, for what the driver does with nonsense. */
  raw(command: string): Answer {
    return this.#add(command);
  }

  /** Runs all commands in one new process. */
  async run(): Promise<void> {
    const answers = await runDriver(this.#wine, this.#commands);
    for (const [index, answer] of this.#answers.entries()) {
      answer.text = answers[index]!;
      if (this.#needed.has(answer) && answer.outcome !== "accepted") {
        throw new Error(`${this.#commands[index]!.slice(0, 200)}: ${answer.text}`);
      }
    }
  }
}
