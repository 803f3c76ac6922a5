// The report's style sheet. A family of peers has one colour everywhere: [light, dark].
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
};

const colours = (index) =>
  Object.entries(FAMILIES)
    .map(([family, pair]) => `.c-${family}{--c:${pair[index]}}`)
    .join("");

/** Of plots alone, with the colours that they need, for light and dark. */
const PLOT_STYLE = `svg{display:block;width:100%;height:auto}svg text{font-size:12px;fill:var(--text)}
svg .middle{text-anchor:middle;fill:var(--soft)}svg .end{text-anchor:end}svg .unit{fill:var(--soft)}
svg .name{fill:var(--c)}svg .halo{paint-order:stroke;stroke:var(--back);stroke-width:3px}
.grid{stroke:var(--line);stroke-width:1}.line{fill:none;stroke:var(--c);stroke-width:1.8}
.line.c-twinwrap{stroke-width:3}.dot{fill:var(--c)}.leader{fill:none;stroke:var(--c);stroke-width:.7;opacity:.6}
.dash-1{stroke-dasharray:7 4}.dash-2{stroke-dasharray:2 3}
.bar{fill:var(--c);opacity:.75}.mark{stroke:var(--text);stroke-width:2}
.cross{stroke:var(--text);stroke-width:1.5;stroke-dasharray:3 3}`;

/** The page's, which has its own colours for everything else. */
export const PAGE_STYLE = `:root{--text:var(--ink);--back:var(--card)}
${colours(0)}
@media (prefers-color-scheme:dark){${colours(1)}}
${PLOT_STYLE}
#results svg{min-width:800px}#results :is(td,thead th){white-space:nowrap}#results caption{text-align:left}
#results section{margin-bottom:2em}
`;

export const STYLE = `
:root{--text:#1c2024;--soft:#5b6470;--line:#d5d9de;--back:#fff;--good:#15803d;--bad:#b3261e}
${colours(0)}
@media (prefers-color-scheme:dark){:root{--text:#e6e9ec;--soft:#9aa4af;--line:#353c44;--back:#14171a;--good:#4ade80;--bad:#ff8a80}${colours(1)}}
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:var(--text);background:var(--back)}
h1{font-size:1.7em}h2{font-size:1.3em;margin:2em 0 .3em}h3{font-size:1em;margin:1.2em 0 0}
nav{display:flex;flex-wrap:wrap;gap:.3em 1.1em}a{color:inherit}.note,nav{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:12.5px;margin:.5em 0}
th,td{padding:3px 7px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft)}.numbers th:nth-child(n+3){text-align:right;white-space:nowrap}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.numbers td:first-child{white-space:nowrap}small{display:block;color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}.unknown{color:var(--soft)}
.swatch{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px;background:var(--c)}
summary{cursor:pointer;color:var(--soft)}
${PLOT_STYLE}`;
