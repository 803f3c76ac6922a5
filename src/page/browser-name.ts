/** Browsers by what stands before their version in a user agent; the first that is there counts. */
const NAMES: readonly [RegExp, string][] = [
  [/\bFirefox\/(\d+)/, "Firefox"],
  [/\bEdg\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\b(?:Headless)?Chrome\/(\d+)/, "Chromium"],
  [/\bVersion\/(\d+)[\d.]* .*Safari\//, "Safari"],
];

/** A browser's name and version, as far as it says: its list of brands is made to be read, the other not. */
export function browserName(navigator: {
  userAgent: string;
  userAgentData?: { brands: readonly { brand: string; version: string }[] };
}): string {
  // The list holds a brand that nobody has, so that nobody counts on it.
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
