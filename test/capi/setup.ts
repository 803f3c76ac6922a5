import type { TestProject } from "vitest/node";
import { findTools, startWine, stopWine, type Wine } from "./wine.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Undefined where the tools are missing. */
    wine: Wine | undefined;
  }
}

/** One Wine serves all test files. Without it they skip, and this says why. */
export default async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const tools = findTools();
  if (typeof tools === "string") {
    console.warn(`\ntest/capi: SKIPPED, nothing of a real CryptoAPI is tested: needs ${tools}`);
    project.provide("wine", undefined);
    return undefined;
  }
  const wine = await startWine(tools);
  console.log(`\ntest/capi: ${wine.version}`);
  project.provide("wine", wine);
  return () => stopWine(wine);
}
