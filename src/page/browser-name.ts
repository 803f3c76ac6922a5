/** Browsers, by what stands before their version in a user agent. The first match counts. */
const NAMES: readonly [RegExp, string][] = [
  [/\bFirefox\/(\d+)/, "Firefox"],
  [/\bEdg\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\b(?:Headless)?Chrome\/(\d+)/, "Chromium"],
  [/\bVersion\/(\d+)[\d.]* .*Safari\//, "Safari"],
];

/** A browser's name and version, if it says them. Its list of brands comes first: that is made to be read. */
export function browserName(navigator: {
  userAgent: string;
  userAgentData?: { brands: readonly { brand: string; version: string }[] };
}): string {
  // Browsers add a brand that does not exist, so that no page relies on the list.
  const brands = (navigator.userAgentData?.brands ?? []).filter(
    ({ brand }) => !/not.*brand/i.test(brand),
  );
  const own = brands.find(({ brand }) => brand !== "Chromium" && brand !== "HeadlessChrome");
  const known = own ?? brands.find(({ brand }) => brand === "Chromium");
  if (known !== undefined) return `${known.brand} ${known.version}`;
  for (const [pattern, name] of NAMES) {
    const version = pattern.exec(navigator.userAgent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "a browser that does not say";
}
