// What the core's suites use of Node's Buffer.

const BASE64URL: Record<string, string> = { "-": "+", _: "/" };

function parse(text: string, encoding: string): Uint8Array {
  if (encoding === "hex") {
    return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  }
  const base64 = text.replace(/[-_]/g, (char) => BASE64URL[char]!);
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

export class Buffer extends Uint8Array<ArrayBuffer> {
  static alloc(length: number, fill = 0): Buffer {
    return new Buffer(new ArrayBuffer(length)).fill(fill);
  }

  // Used as `map(Buffer.from)`, too: a number as the second argument is no encoding.
  // biome-ignore lint/suspicious/noExplicitAny: everything that Node's takes
  static override from(from: any, encoding?: any): Buffer {
    if (from instanceof ArrayBuffer) return new Buffer(from);
    const bytes = typeof from === "string" ? parse(from, encoding) : from;
    const buffer = Buffer.alloc(bytes.length);
    buffer.set(bytes);
    return buffer;
  }

  static concat(parts: Uint8Array[]): Buffer {
    const whole = Buffer.alloc(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  static compare(a: Uint8Array, b: Uint8Array): number {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
    return a.length - b.length;
  }

  override toString(encoding?: string): string {
    // Chromium's own, and fast.
    if (encoding === "hex") return (this as unknown as { toHex(): string }).toHex();
    if (encoding !== "base64url") throw new Error(`not here: ${encoding}`);
    let text = "";
    for (const byte of this) text += String.fromCharCode(byte);
    return btoa(text).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
  }

  copy(target: Uint8Array, at = 0): void {
    target.set(this.subarray(0, target.length - at), at);
  }

  get #view(): DataView {
    return new DataView(this.buffer, this.byteOffset, this.byteLength);
  }

  readUInt16BE = (at = 0) => this.#view.getUint16(at);
  writeUInt16BE = (value: number, at = 0) => this.#view.setUint16(at, value);
  writeUInt32BE = (value: number, at = 0) => this.#view.setUint32(at, value);

  // biome-ignore lint/suspicious/noExplicitAny: a byte, or several
  override indexOf(needle: any, from = 0): number {
    if (typeof needle === "number") return super.indexOf(needle, from);
    for (let at = super.indexOf(needle[0], from); at >= 0; at = super.indexOf(needle[0], at + 1)) {
      if (needle.every((byte: number, i: number) => byte === this[at + i])) return at;
    }
    return -1;
  }
}
