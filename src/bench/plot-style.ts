// The style of plots. A family of peers has one colour everywhere: [light, dark].
const FAMILIES = {
  twinwrap: ["#c8102e", "#ff5c6c"],
  webcrypto: ["#0b62c4", "#62aeff"],
  node: ["#15803d", "#4ade80"],
  "node-soft": ["#6b8e00", "#b5d334"],
  noble: ["#7c3aed", "#b79bff"],
  forge: ["#8a5a00", "#d9a441"],
  stablelib: ["#0e7c86", "#3fd0dc"],
  asmcrypto: ["#7a5c50", "#c9aa9c"],
  virgil: ["#b5179e", "#f27be4"],
  transcend: ["#d9620b", "#ffa24d"],
  libsodium: ["#5b6470", "#aab4c0"],
  other: ["#5b6470", "#aab4c0"],
} as const;

/** The classes of families, 0 in light, 1 in dark. */
const colours = (scheme: 0 | 1) =>
  Object.entries(FAMILIES)
    .map(([family, pair]) => `.c-${family}{--c:${pair[scheme]}}`)
    .join("");

export const LIGHT_COLOURS = colours(0);
export const DARK_COLOURS = colours(1);

/** The style of plots alone. They take --text, --soft, --line and --back from the document. */
export const PLOT_STYLE = `svg{display:block;width:100%;height:auto}svg text{font-size:12px;fill:var(--text)}
svg .middle{text-anchor:middle;fill:var(--soft)}svg .end{text-anchor:end}svg .unit{fill:var(--soft)}
svg .name{fill:var(--c)}svg .halo{paint-order:stroke;stroke:var(--back);stroke-width:3px}
.grid{stroke:var(--line);stroke-width:1}.line{fill:none;stroke:var(--c);stroke-width:1.8}
.line.c-twinwrap{stroke-width:3}.dot{fill:var(--c)}.leader{fill:none;stroke:var(--c);stroke-width:.7;opacity:.6}
.dash-1{stroke-dasharray:7 4}.dash-2{stroke-dasharray:2 3}
.bar{fill:var(--c);opacity:.75}.mark{stroke:var(--text);stroke-width:2}
.cross{stroke:var(--text);stroke-width:1.5;stroke-dasharray:3 3}`;
