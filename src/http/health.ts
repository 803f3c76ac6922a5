import { type Answer, type Call, TEXT_TYPE } from "./answer.js";

export async function health(): Promise<Answer> {
  return { type: TEXT_TYPE, body: "alive\n" };
}

/** Whether the store answers. A fenced authority serves what can be read. */
export async function ready({ service }: Call): Promise<Answer> {
  const isFenced = await service.isFenced();
  return { type: TEXT_TYPE, body: isFenced ? "ready, but its log may not grow\n" : "ready\n" };
}
