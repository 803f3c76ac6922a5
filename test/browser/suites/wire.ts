// What page and oracle say to each other: JSON with bytes and big integers. There are hundreds of megabytes
// of it, so base64 is the engine's own: Chromium has it as Uint8Array's, Node as Buffer's.

interface Native {
  toBase64(): string;
}
const native = Uint8Array as unknown as { fromBase64?(text: string): Uint8Array };

const toBase64 = (bytes: Uint8Array) =>
  native.fromBase64 === undefined
    ? Buffer.from(bytes).toString("base64")
    : (bytes as unknown as Native).toBase64();
const fromBase64 = (text: string) =>
  native.fromBase64?.(text) ?? new Uint8Array(Buffer.from(text, "base64"));

export function encode(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (typeof part === "bigint") return { $big: `0x${part.toString(16)}` };
    return part instanceof Uint8Array ? { $bytes: toBase64(part) } : part;
  });
}

// biome-ignore lint/suspicious/noExplicitAny: any value
export function decode(text: string): any {
  return JSON.parse(text, (_, part) => {
    if (typeof part?.$big === "string") return BigInt(part.$big);
    return typeof part?.$bytes === "string" ? fromBase64(part.$bytes) : part;
  });
}
