// The body that every runtime runs (test/runtimes), in Chromium from npm: on a bare machine too.
import { expect, test } from "vitest";
import { cases } from "../runtimes/body.js";
import { engines } from "../runtimes/engines.js";
import { isRight, makeMaterial } from "../runtimes/material.js";

test("the core's builds, files, workers and errors in Chromium", async () => {
  const material = makeMaterial();
  const chromium = engines.find(({ name }) => name === "Chromium")!;
  const { report } = await chromium.run(material);
  expect(report.outcomes).toEqual([...cases(material).keys()].map((name) => ({ name })));
  expect(report.products.filter((product) => !isRight(product, material))).toEqual([]);
  expect(report.products.length).toBeGreaterThan(20);
});
